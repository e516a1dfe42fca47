"""The likeness of small pictures beside NumPy's correlation and Pillow's crops."""

import numpy as np
import pytest
from PIL import Image

from kakera.retrieval.alignment import aligned, gradient_correlation, warped


def scene(seed: int, side: int = 96) -> Image.Image:
    """A smooth random picture."""
    coarse = np.random.default_rng(seed).integers(0, 256, (12, 12)).astype(np.uint8)
    return Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)


def small(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.resize((48, 48), Image.Resampling.BICUBIC), np.float32)


def test_the_correlation_is_that_of_both_gradients_in_one_row() -> None:
    first, second = (np.random.default_rng(seed).random((1, 9, 9)).astype(np.float32) for seed in (0, 1))
    rows = [
        np.concatenate([np.diff(each[0], axis=1).ravel(), np.diff(each[0], axis=0).ravel()])
        for each in (first, second)
    ]
    expected = rows[0] @ rows[1] / np.sqrt((rows[0] @ rows[0]) * (rows[1] @ rows[1]))
    assert gradient_correlation(first, second)[0] == pytest.approx(expected, rel=1e-5)


def test_a_flat_picture_is_like_no_other() -> None:
    flat = np.full((1, 8, 8), 7, np.float32)
    assert gradient_correlation(flat, flat)[0] == 0


def test_a_crop_of_pillow_is_found_at_its_place() -> None:
    whole = scene(0)
    left, top, right, bottom = 6, 2, 92, 90
    part = whole.crop((left, top, right, bottom))
    start = np.array([[0.9, 0, 0.9, 0]], np.float32)
    likeness, windows = aligned(small(part)[None], small(whole)[None], start)
    assert likeness[0] > 0.98
    edges = [(1 + windows[0, n + 1] + sign * windows[0, n]) * 48 for n in (0, 2) for sign in (-1, 1)]
    np.testing.assert_allclose(edges, [left, right, top, bottom], atol=1.5)


def test_a_crop_of_another_picture_is_not_alike() -> None:
    start = np.array([[0.9, 0, 0.9, 0]], np.float32)
    likeness, _ = aligned(small(scene(1))[None], small(scene(2))[None], start)
    assert likeness[0] < 0.7


def test_the_whole_window_changes_nothing() -> None:
    picture = small(scene(3))[None]
    np.testing.assert_allclose(warped(picture, np.array([[1, 0, 1, 0]], np.float32)), picture, atol=1e-3)
