import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from kakera.grid import Grid
from kakera.model import positions
from kakera.model.positions import crop_positions, resize, sincos
from tests.model.models import far, seeded
from tests.refusals import refused

grids = st.builds(Grid, st.integers(1, 9), st.integers(1, 9))


def table(grid: Grid, width: int, seed: int = 0) -> Tensor:
    return torch.randn(1 + grid.count, width, generator=seeded(seed))


def keys(old: int, new: int) -> NDArray[np.float64]:
    """Bicubic resampling as a matrix (new, old): Keys 1981 with a = −0.75, the ends repeated outside."""
    a, matrix = -0.75, np.zeros((new, old))
    for i in range(new):
        centre = (i + 0.5) * old / new - 0.5
        for j in range(math.floor(centre) - 1, math.floor(centre) + 3):
            x = abs(centre - j)
            near = (a + 2) * x**3 - (a + 3) * x**2 + 1
            away = a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a
            matrix[i, min(max(j, 0), old - 1)] += near if x <= 1 else away
    return matrix


@pytest.mark.parametrize("grid", [Grid(3, 3), Grid(2, 5), Grid(7, 1)])
def test_every_number_is_the_papers_sine_or_cosine(grid: Grid) -> None:
    width = 24
    made = positions.sincos(grid, width)
    for row in range(grid.rows):
        for col in range(grid.cols):
            angles = [
                (place, 10_000 ** (-i / (width / 4))) for place in (col, row) for i in range(width // 4)
            ]
            across, down = angles[: width // 4], angles[width // 4 :]
            wanted = [f(p * w) for axis in (across, down) for f in (math.sin, math.cos) for p, w in axis]
            got = made[1 + row * grid.cols + col].tolist()
            assert got == [np.float32(value) for value in wanted]


def test_the_quarters_are_sin_w_cos_w_sin_h_cos_h() -> None:
    patch = positions.sincos(Grid(4, 6), 4)[1 + 2 * 6 + 5]  # row 2, column 5; one frequency, which is 1
    assert patch.tolist() == pytest.approx([math.sin(5), math.cos(5), math.sin(2), math.cos(2)])


def test_the_class_tokens_row_is_zero() -> None:
    assert not positions.sincos(Grid(3, 4), 16)[0].any()


@given(grid=grids, quarter=st.integers(1, 16))
def test_there_is_one_row_a_patch_and_each_has_the_same_length(grid: Grid, quarter: int) -> None:
    made = positions.sincos(grid, 4 * quarter)
    assert made.shape == (1 + grid.count, 4 * quarter)
    torch.testing.assert_close(made[1:].square().sum(1), torch.full((grid.count,), 2.0 * quarter))


def test_how_alike_two_places_are_depends_on_their_distance_alone() -> None:
    grid = Grid(5, 7)
    r = positions.sincos(grid, 32)[1:].reshape(5, 7, 32)
    alike = torch.einsum("xyd,XYd->xyXY", r, r)
    torch.testing.assert_close(alike[:4, :6, :4, :6], alike[1:, 1:, 1:, 1:])


@pytest.mark.parametrize("width", [2, 30, 1])
def test_a_width_that_is_no_multiple_of_4_is_refused(width: int) -> None:
    with refused("width", got=str(width), expected="multiple of 4"):
        positions.sincos(Grid(2, 2), width)


@given(grid=grids, seed=st.integers(0, 1000))
def test_resizing_to_the_same_grid_changes_nothing(grid: Grid, seed: int) -> None:
    made = table(grid, 3, seed)
    assert torch.equal(positions.resize(made, grid, grid), made)


@given(old=grids, new=grids, how=st.sampled_from(["bicubic", "antialiased", "cut"]))
def test_resizing_leaves_the_class_row_as_it_was(old: Grid, new: Grid, how: positions.Resampling) -> None:
    made = table(old, 3)
    resized = positions.resize(made, old, new, how)
    assert resized.shape == (1 + new.count, 3)
    assert torch.equal(resized[0], made[0])


@given(old=grids, new=grids)
def test_resizing_is_bicubic_along_both_axes(old: Grid, new: Grid) -> None:
    made = table(old, 3)
    field = made[1:].double().numpy().reshape(old.rows, old.cols, 3)
    wanted = np.einsum("Rr,Cc,rcd->RCd", keys(old.rows, new.rows), keys(old.cols, new.cols), field)
    resized = positions.resize(made, old, new)
    if old != new:
        assert far(resized[1:].double(), wanted.reshape(new.count, 3)) < 1e-5


@pytest.mark.parametrize("new", [Grid(3, 4), Grid(5, 3), Grid(14, 20)])
def test_with_antialiasing_it_is_what_pillow_makes_of_each_column(new: Grid) -> None:
    old = Grid(8, 11)
    made = table(old, 3)
    resized = positions.resize(made, old, new, "antialiased")
    for column in range(3):
        field = Image.fromarray(made[1:, column].numpy().reshape(old.rows, old.cols))
        wanted = np.asarray(field.resize((new.cols, new.rows), Image.Resampling.BICUBIC))
        assert far(resized[1:, column], wanted.reshape(-1).copy()) < 1e-5


@pytest.mark.parametrize("how", ["bicubic", "antialiased", "cut"])
def test_positions_that_are_all_alike_stay_so_on_every_grid(how: positions.Resampling) -> None:
    made = torch.tensor([[0.5, -2.0]]).expand(1 + 12, -1)
    resized = positions.resize(made, Grid(3, 4), Grid(7, 2), how)
    torch.testing.assert_close(resized, torch.tensor([[0.5, -2.0]]).expand(1 + 14, -1))


def test_half_precision_stays_half_precision() -> None:
    made = table(Grid(2, 2), 4).bfloat16()
    assert positions.resize(made, Grid(2, 2), Grid(3, 3)).dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("new", "rows", "cols"), [(Grid(4, 3), [0, 1, 2, 3], [1, 2, 3]), (Grid(2, 5), [1, 2], [0, 1, 2, 3, 4])]
)
def test_cutting_keeps_the_middle(new: Grid, rows: list[int], cols: list[int]) -> None:
    old = Grid(4, 5)
    made = table(old, 3)
    field = made[1:].reshape(4, 5, 3)
    resized = positions.resize(made, old, new, "cut")
    assert torch.equal(resized[1:], field[rows][:, cols].reshape(-1, 3))


def test_where_a_cut_grid_gets_longer_it_is_linear() -> None:
    made = torch.tensor([[9.0], [0.0], [4.0]])
    resized = positions.resize(made, Grid(1, 2), Grid(1, 4), "cut")
    # New columns have their middles at 0, 0.5, 1.5 and 2 halves of the way between the old ones' middles.
    torch.testing.assert_close(resized, torch.tensor([[9.0], [0.0], [1.0], [3.0], [4.0]]))


def test_a_picture_that_ends_elsewhere_leaves_each_patch_its_position() -> None:
    old = Grid(3, 5)
    for new in (Grid(3, 2), Grid(2, 5), Grid(3, 9), Grid(4, 7)):
        assert torch.equal(crop_positions(sincos(old, 16), old, new), sincos(new, 16))
    assert crop_positions(sincos(old, 16), old, old).shape == (16, 16)


def test_learned_positions_are_cut_and_only_stretched_where_they_end() -> None:
    old, learned = Grid(3, 5), torch.randn(16, 8, generator=torch.Generator().manual_seed(0))
    rows, cols = torch.meshgrid(torch.arange(3), torch.arange(2), indexing="ij")
    wanted = learned[1:][(rows * 5 + cols).flatten()]
    assert torch.equal(crop_positions(learned, old, Grid(3, 2))[1:], wanted)
    assert torch.equal(crop_positions(learned, old, Grid(3, 2))[0], learned[0])
    assert torch.equal(crop_positions(learned, old, Grid(3, 8)), resize(learned, old, Grid(3, 8)))


def test_sines_and_cosines_with_the_vertical_half_first_continue_too() -> None:
    """As in AudioMAE and EAT, whose spectrograms are turned; their tables were computed in float32."""
    old, new = Grid(2, 4), Grid(2, 6)
    tables = [torch.cat(sincos(grid, 16).chunk(2, dim=1)[::-1], dim=1) for grid in (old, new)]
    noise = 1e-5 * torch.randn(9, 16, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(crop_positions(tables[0] + noise, old, new), tables[1])
    assert torch.equal(resize(tables[0], old, Grid(2, 3), "kept"), crop_positions(tables[0], old, Grid(2, 3)))
    longer = resize(torch.arange(8.0).reshape(8, 1).repeat(1, 4), Grid(1, 8), Grid(1, 16), "kept")
    assert longer[:3, 0].tolist() == [
        0.0,
        0.25,
        0.75,
    ]  # what is not sines and cosines is between its neighbours
