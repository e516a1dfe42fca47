import numpy as np

from kakera.training.baselines.hog import CELL, ORIENTATIONS, histograms, hog


def ramp(angle: float, side: int = 24) -> np.ndarray:
    """A plane (1, side, side, 1) that rises by 0.01 a pixel in the direction of `angle`, in degrees."""
    down, across = np.mgrid[:side, :side].astype(np.float32)
    turn = np.deg2rad(angle)
    return (0.5 + 0.01 * (across * np.cos(turn) + down * np.sin(turn)))[None, ..., None].astype(np.float32)


def test_a_gradient_in_the_middle_of_a_bin_votes_for_it_alone() -> None:
    for number in range(ORIENTATIONS):
        cell = histograms(ramp(20 * number + 10))[0, 1, 1]
        assert cell.argmax() == number
        # Centred differences span two pixels: 0.02 for each of the 64 pixels of a cell.
        assert abs(cell[number] - 0.02 * CELL**2) < 1e-3
        assert abs(cell.sum() - cell[number]) < 1e-3


def test_a_gradient_between_two_bins_is_shared() -> None:
    cell = histograms(ramp(35.0))[0, 1, 1]  # a quarter of the way from 30° to 50°
    assert np.allclose(cell[[1, 2]] / cell.sum(), [0.75, 0.25], atol=1e-3)


def test_an_edge_has_no_sign() -> None:
    assert np.allclose(histograms(ramp(40.0))[0, 1, 1], histograms(ramp(220.0))[0, 1, 1], atol=1e-4)


def test_blocks_are_clipped_at_a_fifth_and_of_length_one() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (3, 24, 32, 3), dtype=np.uint8)
    blocks = hog(picture).reshape(3, 2, 3, 4 * ORIENTATIONS)  # 3 x 4 cells: 2 x 3 blocks of 4 cells
    assert np.allclose(np.linalg.norm(blocks, axis=-1), 1, atol=1e-3)


def test_a_flat_picture_has_no_edges() -> None:
    assert not hog(np.full((1, 16, 16, 1), 77, np.uint8)).any()


def test_the_colour_with_the_longest_gradient_votes() -> None:
    steep, flat = ramp(10.0), np.zeros_like(ramp(0.0))
    assert np.allclose(histograms(np.concatenate([flat, steep, flat], axis=-1)), histograms(steep))
