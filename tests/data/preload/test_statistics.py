from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kakera.data.dataset import Dataset
from kakera.data.holders import ArrayPictures
from kakera.data.preload.statistics import mean_std
from kakera.errors import DataError
from tests.data.files import NOISE, on_disk


def arrays(values: np.ndarray | list[np.ndarray]) -> Dataset:
    return Dataset("d", ArrayPictures(values), values[0].shape[-1], np.full(len(values), "train"))


def expected(values: np.ndarray) -> tuple[object, object]:
    shares = values.reshape(-1, values.shape[-1]) / 255
    return pytest.approx(shares.mean(axis=0)), pytest.approx(shares.std(axis=0))


@given(
    count=st.integers(1, 6),
    channels=st.sampled_from([1, 3]),
    low=st.integers(0, 200),
    seed=st.integers(0, 999),
)
def test_they_are_numpy_s_of_all_values(count: int, channels: int, low: int, seed: int) -> None:
    shape = (count, 5, 7, channels)
    values = np.random.default_rng(seed).integers(low, low + 50, shape, dtype=np.uint8)
    assert mean_std(arrays(values)) == expected(values)


def test_every_pixel_counts_the_same_whatever_the_size_of_its_picture() -> None:
    pictures = [np.full((2, 2, 1), 10, np.uint8), np.full((6, 6, 1), 90, np.uint8)]
    assert mean_std(arrays(pictures)) == expected(np.array([10] * 4 + [90] * 36)[:, None])


def test_of_many_an_even_sample_is_measured() -> None:
    values = np.arange(101, dtype=np.uint8).reshape(-1, 1, 1, 1)
    assert mean_std(arrays(values), sample=11) == expected(values[::10])


def test_a_single_value_has_the_least_deviation_not_none() -> None:
    assert mean_std(arrays(np.full((3, 4, 4, 1), 200, np.uint8))) == ((200 / 255,), (1 / 255,))


def test_unreadable_pictures_are_passed_over(tmp_path: Path) -> None:
    assert mean_std(on_disk(tmp_path, {"a.png": b"", "b.png": NOISE, "c.png": b"text"})) == expected(NOISE)


def test_nothing_readable_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="files: got no readable picture, expected at least one; check the"):
        mean_std(on_disk(tmp_path, {"a.png": b""}))
