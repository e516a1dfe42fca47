import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kakera.errors import OptionError
from kakera.grid import Grid
from tests.refusals import refused

sizes = st.tuples(st.integers(1, 300), st.integers(1, 300))
patches = st.tuples(st.integers(1, 40), st.integers(1, 40))


def test_a_picture_of_224_has_196_patches_of_16() -> None:
    assert Grid.cover((224, 224), (16, 16)) == Grid(14, 14)
    assert Grid(14, 14).count == 196


@given(grid=sizes, patch=patches)
def test_the_grid_of_a_picture_made_of_patches_counts_them(
    grid: tuple[int, int], patch: tuple[int, int]
) -> None:
    picture = (grid[0] * patch[0], grid[1] * patch[1])
    assert Grid.cover(picture, patch) == Grid(*grid)


def test_height_stands_before_width() -> None:
    assert Grid.cover((8, 30), (4, 5)) == Grid(rows=2, cols=6)


def test_a_grid_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Grid(2, 3).rows = 4


@pytest.mark.parametrize("patch", [(5, 4), (4, 5), (0, 4), (4, 0), (-4, 4), (16, 16)])
def test_a_patch_that_does_not_divide_the_picture_is_refused(patch: tuple[int, int]) -> None:
    with refused("patch", got=f"{patch[0]} x {patch[1]} for a picture of 8 x 8", expected="divides"):
        Grid.cover((8, 8), patch)


@given(size=sizes, patch=patches)
def test_the_size_that_a_refusal_proposes_is_accepted(size: tuple[int, int], patch: tuple[int, int]) -> None:
    try:
        Grid.cover(size, patch)
    except OptionError as error:
        height, width = map(int, re.findall(r"size of (\d+) x (\d+)", str(error))[0])
        assert Grid.cover((height, width), patch).count >= 1


def test_the_size_that_a_refusal_proposes_is_the_nearest() -> None:
    with refused("patch", do="a size of 224 x 240"):
        Grid.cover((230, 236), (16, 16))


@pytest.mark.parametrize(("rows", "cols"), [(0, 1), (1, 0), (-1, 3)])
def test_a_grid_without_patches_is_refused(rows: int, cols: int) -> None:
    with refused("grid", got=f"{rows} x {cols}", expected="at least one row"):
        Grid(rows, cols)


def test_a_grid_needs_no_torch() -> None:
    look = "import sys, kakera.grid, kakera.inputs; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", look], check=False).returncode == 0
