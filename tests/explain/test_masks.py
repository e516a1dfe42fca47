import numpy as np
import pytest

from kakera.explain.masks import check_mask, mask_of_drawing, mask_of_patches, random_masks
from kakera.grid import Grid
from tests.refusals import refused

GRID = Grid(4, 5)


@pytest.mark.parametrize("kind", ["random", "block", "grid"])
def test_masks_of_a_seed_are_the_same_again_and_differ_among_each_other(kind: str) -> None:
    found = random_masks(GRID, 0.75, seed=3, count=6, kind=kind)
    assert found.shape == (6, 20)
    assert (found.sum(axis=1) == 15).all()
    assert np.array_equal(found[:2], random_masks(GRID, 0.75, seed=3, count=2, kind=kind))
    assert len({row.tobytes() for row in found}) > 1
    assert not np.array_equal(found, random_masks(GRID, 0.75, seed=4, count=6, kind=kind))


def test_named_patches_count_from_one_row_by_row() -> None:
    assert np.flatnonzero(mask_of_patches(GRID, [1, 7, 20])).tolist() == [0, 6, 19]
    for wrong in (0, 21, -1):
        with refused("patch", got=str(wrong), expected="1 to 20"):
            mask_of_patches(GRID, [3, wrong])


def test_a_patch_that_is_half_painted_is_hidden() -> None:
    paint = np.zeros((40, 50))
    paint[:10, :10] = 1  # patch 1
    paint[10:15, 10:20] = 1  # half of patch 7
    paint[30:34, 40:50] = 1  # less than half of patch 20
    assert np.flatnonzero(mask_of_drawing(GRID, paint)).tolist() == [0, 6]
    assert np.flatnonzero(mask_of_drawing(GRID, np.eye(4, 5))).tolist() == [0, 6, 12, 18]


def test_masks_that_do_not_fit_are_refused() -> None:
    with refused("mask", got="20 patches hidden", expected="1 to 19 hidden"):
        check_mask(GRID, np.ones(20, bool))
    with refused("mask", got="0 patches hidden"):
        check_mask(GRID, np.zeros((4, 5), bool))
    with refused("mask", got="(5, 4)", expected="4 x 5 patches"):
        check_mask(GRID, np.eye(5, 4) > 0)
    with refused("mask", got="(3, 9)", expected="at least 4 x 5"):
        mask_of_drawing(GRID, np.ones((3, 9)))
    with refused("masks", got="1 of kind waves", expected="random, block, grid"):
        random_masks(GRID, 0.5, kind="waves")
    with refused("mask ratio", got="1.0, which leaves 0 of 20"):
        random_masks(GRID, 1.0)
