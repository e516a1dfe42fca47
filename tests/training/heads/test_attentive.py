"""An attentive head: its start, what it learns, and that equal seeds give equal bits."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from kakera.model.attention_pool import AttentionPool
from kakera.model.classifier import Classifier, pool_tokens
from kakera.model.configs import SIZES
from kakera.model.vit import ViT
from kakera.training.heads import attentive
from kakera.training.heads.attention_pooling import (
    pooled_by,
    pooled_vectors,
    queries_of,
    set_queries,
    uniform_pool,
)
from kakera.training.heads.attentive import Attentive, fit_attentive
from kakera.training.heads.linear_head import LinearHead, probabilities
from kakera.training.heads.selection import fold_numbers
from kakera.training.probes.ridge import fit

NANO = SIZES["nano"]
WIDTH = NANO.width


def drawn_pool() -> AttentionPool:
    torch.manual_seed(0)
    pool = AttentionPool(8, heads=2)
    torch.nn.init.normal_(pool.probe)
    torch.nn.init.normal_(pool.attention.q.bias)
    torch.nn.init.normal_(pool.attention.kv.bias)
    return pool


def test_the_start_gives_the_normed_mean_of_an_encoder() -> None:
    encoder = ViT(replace(NANO, attention_pool=True), channels=1, image_size=28, seed=0)
    assert encoder.attention_pool is not None
    encoder.attention_pool.load_state_dict(uniform_pool(NANO).state_dict())
    tokens = encoder.tokens(torch.randn(3, 1, 28, 28, generator=torch.Generator().manual_seed(0)))
    found, expected = (pool_tokens(encoder, tokens, pool) for pool in ("attention", "normed mean"))
    assert torch.allclose(found, expected, atol=1e-6)


def test_vectors_by_queries_are_those_of_the_module_with_these_queries() -> None:
    pool, tokens, queries = drawn_pool(), torch.randn(3, 5, 8), torch.randn(2, 8)
    other = pooled_by(pool, queries, tokens)
    assert torch.allclose(pooled_by(pool, queries_of(pool), tokens), pool(tokens), atol=1e-5)
    set_queries(pool, queries)
    assert torch.allclose(pool(tokens), other, atol=1e-5)


def test_the_score_of_a_query_is_that_of_the_probe_and_the_key_map_in_numpy() -> None:
    pool = drawn_pool()
    attention, token = pool.attention, np.random.default_rng(0).normal(size=8)
    q, kv = attention.q.weight.detach().numpy(), attention.kv.weight.detach().numpy()
    probe = q @ pool.probe.detach().numpy() + attention.q.bias.detach().numpy()
    expected = [probe[4 * h : 4 * h + 4] @ (kv[:8] @ token)[4 * h : 4 * h + 4] / 2 for h in range(2)]
    assert queries_of(pool).numpy() @ token == pytest.approx(expected, abs=1e-5)


def ridge(vectors: NDArray[Any], targets: NDArray[Any]) -> LinearHead:
    marks = np.eye(2)[targets] if targets.dtype == np.int64 else targets
    found = fit(vectors, 2.0 * marks - 1.0)
    return LinearHead(2 * found.weights, 2 * found.intercept)


def learned(tokens: NDArray[np.float32], labels: NDArray[Any], seed: int = 0) -> Attentive:
    def losses(outputs: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
        if labels.dtype == np.bool_:
            likely = probabilities(outputs, multi_label=True)
            return -np.log(np.where(labels[rows], likely, 1 - likely)).mean(axis=1)
        if labels.dtype != np.int64:
            return np.square(outputs - labels[rows]).mean(axis=1)
        return -np.log(probabilities(outputs)[np.arange(len(rows)), labels[rows]])

    folds = fold_numbers(labels if labels.dtype == np.int64 else labels > 0, 0)
    pool = uniform_pool(NANO)
    return fit_attentive(pool, tokens, labels, folds, linear=ridge, losses=losses, seed=seed)


def planted(count: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Noise patches, and one at a random place: it has a mark, and beside it the class."""
    rng = np.random.default_rng(seed)
    tokens, labels = rng.normal(size=(count, 16, WIDTH)), np.arange(count) % 2
    places = rng.integers(0, 16, count)
    tokens[np.arange(count), places, :4] += 8.0
    tokens[np.arange(count), places, 20] += 6.0 * labels - 3.0
    return tokens.astype(np.float32), labels


@pytest.fixture(autouse=True)
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attentive, "STEPS", (0, 40, 160))


def test_it_finds_the_patch_that_has_the_class_where_the_mean_does_not() -> None:
    tokens, labels = planted(160, 0)
    more, truth = planted(1000, 1)
    found = learned(tokens, labels)
    linear = ridge(tokens.mean(axis=1), labels).logits(more.mean(axis=1))
    own = found.head.logits(pooled_vectors(found.pool, more))
    assert found.steps > 0
    assert (linear.argmax(axis=1) == truth).mean() < 0.75
    assert (own.argmax(axis=1) == truth).mean() > 0.9


def test_noise_is_not_learned_and_leaves_ridge_regression_on_the_mean() -> None:
    tokens = np.random.default_rng(0).normal(size=(60, 9, WIDTH)).astype(np.float32)
    labels = np.arange(60) % 2
    found = learned(tokens, labels)
    assert found.steps == 0
    more = np.random.default_rng(1).normal(size=(20, 9, WIDTH)).astype(np.float32)
    expected = ridge(tokens.mean(axis=1), labels).logits(more.mean(axis=1))
    assert found.head.logits(pooled_vectors(found.pool, more)) == pytest.approx(expected, abs=1e-4)


def test_the_labels_of_left_out_files_do_not_change_what_is_predicted_for_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(attentive, "STEPS", (0, 20))
    tokens, labels = planted(60, 0)
    folds, steps = fold_numbers(labels, 0), iter(range(4))
    held, wrong = folds == 0, labels.copy()
    wrong[held] = 1 - wrong[held]

    def falling(outputs: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.float64]:
        return np.full(len(rows), -float(next(steps)))

    first, other = (
        fit_attentive(uniform_pool(NANO), tokens, one, folds, linear=ridge, losses=falling)
        for one in (labels, wrong)
    )
    assert first.steps == other.steps == 20
    assert np.array_equal(first.outputs[held], other.outputs[held])
    assert not np.array_equal(first.outputs[~held], other.outputs[~held])


@pytest.mark.parametrize("kind", ["classes", "several labels", "numbers"])
def test_equal_seeds_give_equal_bits(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attentive, "STEPS", (0, 60))
    tokens, labels = planted(100, 0)
    targets: NDArray[Any] = labels
    if kind == "several labels":
        targets = np.stack([labels == 1, labels == 0], axis=1)
    elif kind == "numbers":
        targets = np.stack([4.0 * labels, 1.0 - labels], axis=1)
    first, again, other = (learned(tokens, targets, seed) for seed in (0, 0, 1))
    assert first.steps == again.steps > 0
    assert np.array_equal(first.head.weights, again.head.weights)
    assert np.array_equal(first.outputs, again.outputs)
    assert not np.array_equal(first.head.weights, other.head.weights)
    pairs = zip(first.pool.state_dict().values(), again.pool.state_dict().values(), strict=True)
    assert all(torch.equal(one, two) for one, two in pairs)


def test_a_classifier_with_the_written_pooling_gives_the_vectors_of_the_fit() -> None:
    tokens, labels = planted(100, 0)
    found = learned(tokens, labels)
    model = Classifier(replace(NANO, attention_pool=True), 2, "attention", channels=1, image_size=28, seed=0)
    assert model.encoder.attention_pool is not None
    model.encoder.attention_pool.load_state_dict(found.pool.state_dict())
    with torch.no_grad():
        expected = model.encoder.attention_pool(torch.from_numpy(tokens))
    assert pooled_vectors(found.pool, tokens) == pytest.approx(expected.numpy(), abs=1e-4)
