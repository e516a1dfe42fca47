"""Oriented gradients against the histogram written out pixel by pixel."""

import math

import pytest
import torch
from torch import Tensor

from kakera.model.hog import FLAT, ORIENTATIONS, cells, feature_size, oriented_gradients


def by_hand(picture: Tensor, top: int, left: int, high: int, wide: int) -> list[float]:
    """The histogram of one cell of one channel (H, W), divided by its norm, times 3."""
    height, across = picture.shape
    bins = [0.0] * ORIENTATIONS
    for row in range(top, top + high):
        for col in range(left, left + wide):
            right = float(picture[row, col + 1] - picture[row, col - 1]) if 0 < col < across - 1 else 0.0
            down = float(picture[row + 1, col] - picture[row - 1, col]) if 0 < row < height - 1 else 0.0
            angle = math.degrees(math.atan2(down, right)) % 180
            lower = int(angle // 20)
            share = angle / 20 - lower
            bins[lower % ORIENTATIONS] += math.hypot(right, down) * (1 - share) / (high * wide)
            bins[(lower + 1) % ORIENTATIONS] += math.hypot(right, down) * share / (high * wide)
    length = math.sqrt(sum(value**2 for value in bins) + FLAT**2)
    return [3 * value / length for value in bins]


def random(*shape: int) -> Tensor:
    return torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("patch", [(4, 4), (6, 4), (12, 12), (12, 3)])
def test_the_histogram_is_the_formula_written_out(patch: tuple[int, int]) -> None:
    picture = random(1, 2, 12, 24)
    found = oriented_gradients(picture, patch)[0]
    cols = 24 // patch[1]
    down, across = (2 if side == 12 else 1 for side in patch)
    high, wide = patch[0] // down, patch[1] // across
    for number, row in enumerate(found):
        top, left = number // cols * patch[0], number % cols * patch[1]
        wanted = [
            value
            for i in range(down)
            for j in range(across)
            for channel in picture[0]
            for value in by_hand(channel, top + i * high, left + j * wide, high, wide)
        ]
        torch.testing.assert_close(row, torch.tensor(wanted, dtype=torch.float64), rtol=0, atol=1e-12)


def test_the_numbers_of_a_patch_are_as_many_as_said() -> None:
    for patch in [(4, 4), (7, 7), (16, 16), (14, 3)]:
        pictures = torch.rand(1, 3, 2 * patch[0], 3 * patch[1])
        assert oriented_gradients(pictures, patch).shape == (1, 6, feature_size(patch, 3))


@pytest.mark.parametrize(("side", "count"), [(2, 1), (8, 1), (9, 3), (14, 2), (16, 2), (32, 4), (11, 11)])
def test_a_cell_is_no_longer_than_eight_pixels(side: int, count: int) -> None:
    assert cells((side, 8)) == (count, 1)


def test_a_flat_picture_has_no_orientation() -> None:
    assert (oriented_gradients(torch.full((1, 1, 8, 8), 3.0), (4, 4)) == 0).all()


def test_light_on_dark_is_as_dark_on_light() -> None:
    picture = random(1, 1, 8, 8)
    torch.testing.assert_close(oriented_gradients(picture, (4, 4)), oriented_gradients(1 - picture, (4, 4)))


def test_an_upright_edge_and_a_lying_one_are_a_quarter_turn_apart() -> None:
    upright = torch.zeros(1, 1, 8, 8)
    upright[..., 4:] = 5.0
    across, lying = (oriented_gradients(each, (8, 8)).reshape(ORIENTATIONS) for each in (upright, upright.mT))
    assert across.argmax() == 0
    assert lying.topk(2).indices.sort().values.tolist() == [4, 5]  # 90° lies between 80° and 100°


def test_no_cell_has_a_mean_square_above_1() -> None:
    cells = oriented_gradients(100 * random(2, 3, 16, 16), (8, 8)).reshape(-1, ORIENTATIONS)
    assert cells.square().mean(dim=1).max() <= 1
    assert cells.square().mean(dim=1).max() > 0.999


def test_pictures_of_mixed_precision_have_the_gradients_of_the_same_values() -> None:
    pictures = torch.rand(2, 3, 16, 16).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        mixed = oriented_gradients(pictures, (8, 8))
    torch.testing.assert_close(mixed, oriented_gradients(pictures.float(), (8, 8)), rtol=0, atol=1e-5)
