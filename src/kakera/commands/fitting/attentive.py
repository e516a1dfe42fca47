"""The attentive head of a fit: its training, its temperature, and ridge regression beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kakera.commands.fitting.head import FittedHead, best_numbers, candidate_row
from kakera.commands.fitting.setup import FitSetup
from kakera.commands.fitting.tokens import FitTokens
from kakera.model.attention_pool import AttentionPool
from kakera.training.heads.attention_pooling import pooled_vectors, uniform_pool
from kakera.training.heads.attentive import Attentive, fit_attentive
from kakera.training.heads.fits import Candidate, fit_ridge
from kakera.training.heads.linear_head import Array, LinearHead, scale_of
from kakera.training.heads.selection import beats, compare_heads, fold_numbers, judged, paired_gain
from kakera.training.probes.ridge import fit

LEAST = 3  # files with numbers, of which one can be left out


def attentive_head(setup: FitSetup, tokens: FitTokens, labels: NDArray[Any]) -> tuple[FittedHead, FitTokens]:
    """Train an attentive head; return it, and the tokens with the test vectors that its linear map reads.

    `labels` are those of the training files. Ridge regression on the encoder's own poolings is fitted too,
    and compared on the labels that both leave out.
    """
    encoder = setup.encoder
    network = encoder.load().encoder
    start = network.attention_pool or uniform_pool(network.config, setup.options.seed)
    learn = _numbers if setup.train.regression else _classes
    found, head = learn(setup, start.float().cpu(), tokens.train, labels)
    state = {f"attention_pool.{name}": values.numpy() for name, values in found.pool.state_dict().items()}
    patches, beside = _read(setup, tokens.test)
    vectors = pooled_vectors(found.pool, patches).astype(np.float32)
    vectors = vectors if beside is None else np.concatenate([beside, vectors], axis=1)
    return replace(head, pooling=state), replace(tokens, test={**tokens.test, head.pool: vectors})


def _read(
    setup: FitSetup, tokens: Mapping[str, NDArray[np.float32]]
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Return patch tokens (n, patches, d), and class tokens (n, d) or None."""
    encoder = setup.encoder
    patches = tokens["patches"].reshape(-1, encoder.patches, encoder.width)
    return patches, tokens["class"] if encoder.class_tokens else None


def _pool_name(setup: FitSetup) -> Literal["attention", "class and attention"]:
    return "class and attention" if setup.encoder.class_tokens else "attention"


def _classes(
    setup: FitSetup,
    start: AttentionPool,
    tokens: Mapping[str, NDArray[np.float32]],
    labels: NDArray[Any],
) -> tuple[Attentive, FittedHead]:
    count, seed, pool = len(setup.train.classes), setup.options.seed, _pool_name(setup)
    (patches, beside), pooled = _read(setup, tokens), {name: tokens[name] for name in setup.pools}

    def linear(vectors: Array, targets: NDArray[Any]) -> LinearHead:
        ridge = judged(fit_ridge(vectors, targets, count, fold_numbers(targets, seed), pool), targets, count)
        return ridge.head.with_temperature(ridge.temperature)

    def candidate(head: LinearHead, outputs: Array, rows: NDArray[np.int64]) -> Candidate:
        return judged(Candidate("attentive", pool, head, outputs, rows, 0.0), labels, count)

    def losses(outputs: Array, rows: NDArray[np.int64]) -> Array:
        return candidate(LinearHead(outputs[:0], outputs[:0]), outputs, rows).losses

    folds = fold_numbers(labels, seed)
    found = fit_attentive(
        start, patches, labels, folds, beside=beside, linear=linear, losses=losses, seed=seed
    )
    best = candidate(found.head, found.outputs, found.rows)
    linear_ones = compare_heads(pooled, labels, count, ["ridge"], seed=seed)
    rows = {**candidate_row(best, setup.train), "steps": found.steps}
    tried = rows, *(candidate_row(one, setup.train) for one in linear_ones)
    head = found.head.with_temperature(best.temperature)
    note = _learned(found.steps) + _compared(best, linear_ones[0])
    return found, FittedHead("attentive", pool, head, best.temperature, tried, note=note)


def _learned(steps: int) -> str:
    if not steps:
        return "as it starts, because no number of steps was clearly better"
    return f"learned in {steps} steps"


def _compared(best: Candidate, ridge: Candidate) -> str:
    """Return words that compare the head with ridge regression on the labels that both left out."""
    gain, error, count = paired_gain(best, ridge)
    if count < 2:
        return ""
    clearly = "clearly better" if beats(best, ridge) else "not clearly better"
    lower = f"{abs(gain):.3f} ± {error:.3f} {'lower' if gain >= 0 else 'higher'}"
    return f"; {clearly} than ridge on {ridge.pool} tokens: log loss {lower} on {count:,} left-out labels"


def _numbers(
    setup: FitSetup,
    start: AttentionPool,
    tokens: Mapping[str, NDArray[np.float32]],
    labels: NDArray[Any],
) -> tuple[Attentive, FittedHead]:
    (patches, beside), pooled = _read(setup, tokens), {name: tokens[name] for name in setup.pools}
    ridge, pool = best_numbers(pooled, labels), _pool_name(setup)
    targets = ((labels - np.array(ridge.mean)) / np.array(ridge.std)).reshape(len(labels), -1)

    def linear(vectors: Array, targets: NDArray[Any]) -> LinearHead:
        middle, width = scale_of(vectors)
        found = fit((vectors - middle) / width, targets)
        return LinearHead(found.weights, found.intercept).on_raw(middle, width)

    def losses(outputs: Array, rows: NDArray[np.int64]) -> Array:
        return np.square(outputs - targets[rows]).mean(axis=1)

    seed = setup.options.seed
    folds = fold_numbers(targets > 0, seed) if len(targets) >= LEAST else np.full(len(targets), -1)
    found = fit_attentive(
        start, patches, targets, folds, beside=beside, linear=linear, losses=losses, seed=seed
    )
    error = float(np.sqrt(losses(found.outputs, found.rows).mean())) if len(found.rows) else float("nan")
    row = {"head": "attentive", "pool": pool, "error": error, "strength": 0.0}
    row |= {"left_out": len(found.rows), "steps": found.steps}
    beside = f"{ridge.tried[0]['error']:.3f} of ridge on {ridge.pool} tokens"
    note = f"{_learned(found.steps)}; error {error:.3f} on left-out numbers, {beside}"
    tried = row, *ridge.tried
    head = FittedHead("attentive", pool, found.head, 1.0, tried, ridge.mean, ridge.std, note=note)
    return found, head
