"""A recording that ends before its window does is looked at as it would be alone: padding left out."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from kakera.explain.activations import Activations, encode
from kakera.explain.attention import attention_distances, rollout
from kakera.explain.axes import axes_of
from kakera.explain.extent import ValidArea
from kakera.explain.masks import random_masks
from kakera.explain.receptive import transformer_fields
from kakera.explain.reconstruct import reconstruct
from kakera.explain.relevance import relevance
from kakera.model.classifier import Classifier
from kakera.model.mae import MAE
from tests.training.listeners import INPUTS, autoencoder, classifier

WIDTH = 29  # frames: 4 of 10 columns of patches begin before the end


def spectrogram(beyond: float = -6.0) -> Tensor:
    values = torch.randn(1, 32, 80, generator=torch.Generator().manual_seed(0)) * 4 - 6
    values[..., 32:] = beyond
    return values


def seen(beyond: float = -6.0) -> Activations:
    return encode(classifier().encoder, INPUTS, spectrogram(beyond), WIDTH)


def test_what_is_seen_are_the_patches_that_are_there() -> None:
    found = seen()
    assert (found.grid.rows, found.grid.cols) == (4, 4)
    assert found.picture.shape == (32, 32, 1)
    assert found.attention.shape[2:] == (17, 17)
    assert np.abs(found.attention.sum(axis=-1) - 1).max() < 1e-5
    assert np.abs(rollout(found).sum(axis=-1) - 1).max() < 1e-5
    assert found.axes.across.length == 32


def test_a_whole_picture_is_the_path_without_absent_patches() -> None:
    encoder = classifier().encoder
    whole, same = encode(encoder, INPUTS, spectrogram()), encode(encoder, INPUTS, spectrogram(), 80)
    assert np.array_equal(whole.attention, same.attention)
    assert whole.grid == encoder.grid


def test_what_stands_in_the_padding_changes_nothing_that_is_seen() -> None:
    one, other = seen(), seen(beyond=50.0)
    for name in ("picture", "vectors", "tokens", "attention"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), name


def test_attention_is_that_of_the_prediction_beside_a_longer_recording() -> None:
    from kakera.model.token_index import padding_patches, visible_index
    from kakera.model.trace import Trace

    encoder, trace = classifier().encoder, Trace(attention=[1, 2, 3])
    values = torch.stack([spectrogram(), spectrogram().flip(-1)])
    padding_mask = padding_patches(torch.tensor([WIDTH, 80]), encoder.grid, 8)
    encoder.tokens(INPUTS.normalize(values), visible_index(None, padding_mask), None, trace)
    together = torch.cat([trace.attention[layer][:1] for layer in (1, 2, 3)])
    assert np.abs(seen().attention - together[..., :17, :17].detach().numpy()).max() < 1e-5
    assert together[..., :17, 17:].abs().max() == 0


def evidence(values: Tensor) -> np.ndarray:
    model = classifier().model
    assert isinstance(model, Classifier)
    return relevance(model, INPUTS, values, 1, WIDTH)


def guesses(values: Tensor) -> np.ndarray:
    model = autoencoder().model
    assert isinstance(model, MAE)
    hidden = random_masks(ValidArea.of(model.encoder, WIDTH).grid, 0.5, count=2)
    return reconstruct(model, INPUTS, values, hidden, WIDTH).prediction


def fields(values: Tensor) -> np.ndarray:
    return transformer_fields(classifier().encoder, INPUTS.normalize(values[None]), WIDTH).maps


@pytest.mark.parametrize(
    ("view", "shape"),
    [(evidence, (4, 4)), (guesses, (2, 32, 32, 1)), (fields, (4, 32, 32))],
    ids=["relevance", "reconstruction", "receptive fields"],
)
def test_views_that_ask_the_model_again_leave_the_padding_out(
    view: Callable[[Tensor], np.ndarray], shape: tuple[int, ...]
) -> None:
    one, other = view(spectrogram()), view(spectrogram(beyond=50.0))
    assert one.shape == shape
    assert np.array_equal(one, other)
    assert np.ptp(one.astype(float)) > 0


def test_masks_hide_patches_that_are_there_and_their_count() -> None:
    model = autoencoder().model
    assert isinstance(model, MAE)
    extent = ValidArea.of(model.encoder, WIDTH)
    hidden = random_masks(extent.grid, 0.5, count=2)
    found = reconstruct(model, INPUTS, spectrogram(), hidden, WIDTH)
    assert found.hidden.shape == (2, 4, 4)
    pixels = found.hidden.repeat(8, axis=1).repeat(8, axis=2)
    assert np.array_equal(found.prediction[~pixels], np.stack([found.original] * 2)[~pixels])
    assert not np.array_equal(found.prediction[pixels], np.stack([found.original] * 2)[pixels])
    spread = extent.spread(torch.from_numpy(hidden)).reshape(2, 4, 10)
    assert not spread[..., 4:].any()
    assert torch.equal(spread[..., :4].flatten(1), torch.from_numpy(hidden))


def test_distances_in_seconds_are_those_along_time_alone() -> None:
    found = seen()
    scale = axes_of(INPUTS).measures()[0].scale
    among = found.attention[:, :, 1:, 1:].astype(np.float64)
    among /= among.sum(axis=-1, keepdims=True)
    columns = np.arange(16) % 4
    apart = np.abs(columns[:, None] - columns) * 0.08
    wanted = (among * apart).sum(axis=-1).mean(axis=-1)
    np.testing.assert_allclose(attention_distances(found, scale), wanted)
