"""Padding does not count: a picture that ends early is worth what it is alone."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kakera import masking
from kakera.grid import Grid
from kakera.model.classifier import Classifier, Pool
from kakera.model.configs import resnet_config
from kakera.model.mae import MAE
from kakera.model.resnet import ResNet
from kakera.model.token_index import TokenIndex, padding_patches, visible_index
from kakera.model.trace import Trace
from tests.model.models import DECODER, SIZE, drawn, encoder, far, pictures

GRID = Grid(4, 5)  # of SIZE in patches of 2 × 3
WIDTHS = torch.tensor([15, 4, 9, 1])  # pixels: 5, 2, 3 and 1 columns of patches
both_precisions = pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)]
)


def batch(dtype: torch.dtype = torch.float64, *, blank: float = 0.0) -> tuple[Tensor, Tensor]:
    """Four pictures of different widths, `blank` beyond, and which of their patches are absent."""
    values = pictures(4).to(dtype)
    for picture, width in zip(values, WIDTHS, strict=True):
        picture[..., int(width) :] = blank
    return values, padding_patches(WIDTHS, GRID, 3)


def masks(padding_mask: Tensor, ratio: float = 0.5) -> Tensor:
    noise = np.random.default_rng(0).random(padding_mask.shape)
    return torch.from_numpy(masking.random(noise, GRID, ratio, padding_mask.numpy()))


def autoencoder(*, norm_pix_loss: bool = True) -> MAE:
    return drawn(MAE(encoder(), DECODER, norm_pix_loss=norm_pix_loss, hog_target=True))


def test_a_patch_is_absent_where_it_begins_beyond_the_end() -> None:
    padding_mask = padding_patches(WIDTHS, GRID, 3).reshape(4, GRID.rows, GRID.cols)
    assert (~padding_mask).sum(dim=(1, 2)).tolist() == [20, 8, 12, 4]
    assert not padding_mask[1, :, :2].any()
    assert padding_mask[1, :, 2:].all()


def test_overlapping_patches_are_absent_by_where_they_begin() -> None:
    assert padding_patches(torch.tensor([5]), Grid(1, 4), 2).tolist() == [[False, False, False, True]]


@both_precisions
@pytest.mark.parametrize("pool", ["mean", "class"])
def test_a_prediction_is_the_same_alone_and_beside_longer_pictures(
    dtype: torch.dtype, tolerance: float, pool: Pool
) -> None:
    model = drawn(Classifier(encoder(), 3, pool)).to(dtype)
    values, padding_mask = batch(dtype)
    together = model(values, padding_mask=padding_mask)
    for row in range(4):
        assert (
            far(model(values[row : row + 1], padding_mask=padding_mask[row : row + 1])[0], together[row])
            < tolerance
        )


def test_what_stands_in_the_padding_changes_nothing() -> None:
    model = drawn(Classifier(encoder(), 3))
    values, padding_mask = batch()
    columns = 3 * torch.tensor([5, 2, 3, 1])
    garbage = values.clone()
    for picture, first in zip(garbage, columns, strict=True):
        picture[..., int(first) :] = 1e3
    assert torch.equal(model(values, padding_mask=padding_mask), model(garbage, padding_mask=padding_mask))


def test_nothing_absent_is_the_path_of_whole_pictures() -> None:
    model = drawn(Classifier(encoder(), 3))
    none = torch.zeros(2, GRID.count, dtype=torch.bool)
    assert torch.equal(model(pictures()), model(pictures(), padding_mask=none))


@both_precisions
@pytest.mark.parametrize("normalised", [True, False])
def test_a_loss_is_the_same_alone_and_beside_longer_pictures(
    dtype: torch.dtype, tolerance: float, normalised: bool
) -> None:
    model = autoencoder(norm_pix_loss=normalised).to(dtype)
    values, padding_mask = batch(dtype)
    hidden = masks(padding_mask)
    alone = [model(values[r : r + 1], hidden[r : r + 1], padding_mask[r : r + 1]) for r in range(4)]
    counts = hidden.sum(dim=1)  # every hidden patch counts the same
    expected = sum(count * loss for count, loss in zip(counts, alone, strict=True)) / counts.sum()
    assert abs((model(values, hidden, padding_mask) / expected).item() - 1) < tolerance


def test_predictions_come_in_the_order_of_the_hidden_patches() -> None:
    model, (values, padding_mask) = autoencoder(), batch()
    hidden = masks(padding_mask)
    together = model.predict(values, hidden, padding_mask)
    for row, count in enumerate(hidden.sum(dim=1).tolist()):
        own = slice(row, row + 1)
        assert (
            far(model.predict(values[own], hidden[own], padding_mask[own])[0], together[row, :count]) < 1e-12
        )


def test_a_reconstruction_fills_hidden_places_and_no_others() -> None:
    model, (values, padding_mask) = autoencoder(), batch()
    hidden = masks(padding_mask)
    changed = (model.reconstruct(values, hidden, padding_mask) != values).any(dim=1)
    by_patch = changed.reshape(4, 4, 2, 5, 3).permute(0, 1, 3, 2, 4).flatten(3).any(dim=3).flatten(1)
    assert torch.equal(by_patch, hidden)


def test_no_gradient_comes_from_the_padding() -> None:
    model, (values, padding_mask) = autoencoder(norm_pix_loss=False), batch()
    model.hog_target = False  # they look at neighbouring pixels, across the end too
    model.decoder.predict = nn.Linear(DECODER.width, model.pixels).double()
    values.requires_grad_()
    model(values, masks(padding_mask), padding_mask).backward()
    assert values.grad is not None
    for row, first in enumerate([15, 6, 9, 3]):
        assert not values.grad[row, ..., first:].any()
        assert values.grad[row, ..., :first].any()


def test_attention_is_recorded_without_what_is_absent() -> None:
    trace = Trace(attention=[1])
    values, padding_mask = batch()
    encoder().tokens(values, visible_index(None, padding_mask), None, trace)
    assert trace.attention[1][1, ..., 9:].abs().max() == 0  # the class token and 8 patches are there
    assert far(trace.attention[1].sum(dim=-1), torch.ones(4, 3, 21)) < 1e-12


def test_a_cnn_pools_what_is_there() -> None:
    model = ResNet(resnet_config("resnet-nano"), channels=3, classes=2)
    model.reset_parameters(torch.Generator().manual_seed(0))
    model.eval().double()
    values = pictures(2, size=(8, 16))
    padding_mask = padding_patches(torch.tensor([9, 16]), model.grid_for((8, 16)), model.step)
    maps = model.maps(values)
    assert maps.shape[-2:] == (model.grid_for((8, 16)).rows, model.grid_for((8, 16)).cols)
    found = model.features(values, padding_mask=padding_mask)
    assert far(found[0], maps[0, ..., :3].mean(dim=(1, 2))) < 1e-12
    assert far(found[1], maps[1].mean(dim=(1, 2))) < 1e-12
    assert far(model.features(values)[0], found[0]) > 1e-6


@pytest.mark.parametrize("name", ["resnet-nano", "resnet-18"])
def test_the_grid_of_a_cnn_is_that_of_its_maps(name: str) -> None:
    model = ResNet(resnet_config(name), channels=1, classes=2).eval()
    for size in ((33, 70), (64, 96)):
        assert tuple(model.maps(torch.zeros(1, 1, *size)).shape[-2:]) == (
            model.grid_for(size).rows,
            model.grid_for(size).cols,
        )


def test_rows_of_one_length_need_no_attention_mask() -> None:
    wanted = torch.tensor([[True, False, True], [False, True, True]])
    assert TokenIndex.of(wanted).padding is None
    assert TokenIndex.of(wanted).ids.tolist() == [[0, 2], [1, 2]]


def test_shorter_rows_are_filled_up_and_marked() -> None:
    padding = TokenIndex.of(torch.tensor([[True, False, True], [False, True, False]])).padding
    assert padding is not None
    assert padding.tolist() == [[False, False], [False, True]]


def test_the_size_of_these_pictures() -> None:
    assert Grid.cover(SIZE, (2, 3)) == GRID
