import numpy as np
import pytest

from kakera.explain.mosaic import GAP, TILE, mosaic

RANDOM = np.random.default_rng(0)


def tile(height: int, width: int) -> np.ndarray:
    return RANDOM.integers(0, 200, (height, width, 3), dtype=np.uint8)


def test_tiles_stand_in_their_rows_enlarged_in_whole_steps() -> None:
    rows = [[tile(28, 14) for _ in range(3)] for _ in range(2)]
    found = np.asarray(mosaic(rows))
    assert found.shape == (2 * 112 + GAP, 3 * 56 + 2 * GAP, 3)
    for row, col in np.ndindex(2, 3):
        top, left = row * (112 + GAP), col * (56 + GAP)
        part = found[top : top + 112, left : left + 56]
        assert np.array_equal(part, rows[row][col].repeat(4, axis=0).repeat(4, axis=1))


def test_large_tiles_are_reduced() -> None:
    assert mosaic([[tile(448, 224)]]).size == (TILE // 2, TILE)


def test_names_and_a_note_stand_around_and_leave_the_tiles_whole() -> None:
    one = tile(112, 112)
    found = np.asarray(mosaic([[one]], down=["layer 1"], across=["head 1"], note="a long note " * 20))
    top, left = (found.shape[axis] for axis in (0, 1))
    places = [(r, c) for r in range(top - 111) for c in range(left - 111) if (found[r, c] == one[0, 0]).all()]
    assert any(np.array_equal(found[r : r + 112, c : c + 112], one) for r, c in places)
    assert (found[:, -1] == 255).all() or left > 112
    assert ((found == 27).any(axis=2)).sum() > 200  # ink


def test_rows_may_differ_in_length() -> None:
    one = tile(112, 112)
    found = np.asarray(mosaic([[one, one], [one]]))
    assert (found[112 + GAP :, 112 + GAP :] == 255).all()


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (500, 2)])
def test_odd_sizes_are_drawn(size: tuple[int, int]) -> None:
    assert min(mosaic([[tile(*size)]]).size) >= 1
