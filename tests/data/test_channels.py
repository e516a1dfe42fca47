from pathlib import Path

import numpy as np
import pytest

from kakera.data.dataset import Dataset
from kakera.data.holders import ArrayPictures
from kakera.data.images.decode import decode
from kakera.errors import DataError
from tests.data.files import NOISE, on_disk

COLOUR = np.random.default_rng(0).integers(0, 256, (4, 6, 5, 3), dtype=np.uint8)
SIZES = [COLOUR[0], COLOUR[1, :3], COLOUR[2, :, :2]]


def arrays(values: np.ndarray | list[np.ndarray]) -> Dataset:
    names = [f"n{i}" for i in range(len(values))]
    return Dataset("d", ArrayPictures(values, names), values[0].shape[-1], np.full(len(values), "train"))


@pytest.mark.parametrize("values", [COLOUR, SIZES])
def test_grey_is_the_weighted_mean_of_red_green_and_blue(values: np.ndarray | list[np.ndarray]) -> None:
    grey = arrays(values).with_channels(1)
    assert grey.channels == 1
    for index, picture in enumerate(values):
        wanted = picture @ [0.299, 0.587, 0.114]
        found = grey.pictures.read(index)
        assert found.dtype == np.uint8
        assert found.shape == (*picture.shape[:2], 1)
        assert np.abs(found[..., 0] - wanted).max() <= 0.5 + 1e-9


def test_grey_pictures_repeat_their_channel_and_come_back_the_same() -> None:
    grey = arrays(COLOUR[..., :1])
    colour = grey.with_channels(3)
    assert colour.channels == 3
    assert np.array_equal(colour.pictures.read(2), np.repeat(COLOUR[2, ..., :1], 3, axis=-1))
    assert np.array_equal(colour.with_channels(1).pictures.read(2), COLOUR[2, ..., :1])


@pytest.mark.parametrize("value", range(0, 256, 5))
def test_a_colour_without_colour_keeps_its_value(value: int) -> None:
    assert arrays(np.full((1, 1, 1, 3), value, np.uint8)).with_channels(1).pictures.read(0).item() == value


def test_pictures_that_were_chosen_stay_chosen_and_named() -> None:
    grey = arrays(COLOUR).take([3, 1]).with_channels(1)
    assert [grey.pictures.name(i) for i in range(2)] == ["n3", "n1"]
    assert np.array_equal(grey.pictures.read(0), arrays(COLOUR).with_channels(1).pictures.read(3))


def test_files_are_decoded_with_the_other_number(tmp_path: Path) -> None:
    grey = on_disk(tmp_path, {"a.png": NOISE}).with_channels(1)
    assert grey.channels == 1
    assert np.array_equal(grey.pictures.read(0), decode(tmp_path / "a.png", 1))


def test_the_number_that_is_there_changes_nothing() -> None:
    dataset = arrays(COLOUR)
    assert dataset.with_channels(3) is dataset


@pytest.mark.parametrize("channels", [0, 2, 4, -1])
def test_other_numbers_are_refused(channels: int) -> None:
    with pytest.raises(
        DataError, match=f"got pictures of 3 channels, expected {channels}; use other pictures"
    ):
        arrays(COLOUR).with_channels(channels)
