from pathlib import Path

import numpy as np
import pytest

from kakera.data.blocks import Blocks
from kakera.data.dataset import Dataset
from kakera.data.holders import ArrayPictures
from kakera.data.images.decode import with_depth
from kakera.data.sources.npz import open_npz
from kakera.data.sources.open import open_dataset
from tests.data.test_npz_mapped import COLOUR, npz, pictures_of, read


def test_rows_of_several_arrays_are_gathered_in_the_order_asked_for(tmp_path: Path) -> None:
    dataset, _ = open_npz(npz(tmp_path, x_train=COLOUR[:40], x_val=COLOUR[40:41], x_test=COLOUR[41:]))
    block = pictures_of(dataset).block
    assert isinstance(block, Blocks)
    assert block.shape == COLOUR.shape
    rows = np.array([59, 0, 40, 41, 39, 0])
    assert np.array_equal(block[rows], COLOUR[rows])
    with pytest.raises(IndexError):
        block[60]


@pytest.mark.parametrize(("channels", "other"), [(3, 1), (1, 3)])
def test_mapped_pictures_change_their_channels_when_they_are_read(
    channels: int, other: int, tmp_path: Path
) -> None:
    values = COLOUR[..., :channels]
    path = npz(tmp_path, x_train=values[:40], x_test=values[40:])
    memory = Dataset("d", ArrayPictures(values), channels, np.full(60, "train"))
    found, wanted = open_dataset(path, channels=other), memory.with_channels(other)
    assert pictures_of(found).mapped
    assert np.array_equal(read(found), read(wanted))
    block, rows = pictures_of(found).block, np.array([50, 1, 39])
    assert isinstance(block, Blocks)
    assert block.shape[3] == other
    assert np.array_equal(block[rows], [read(wanted)[row] for row in rows])
    back = found.with_channels(channels)
    assert np.array_equal(read(back), read(wanted.with_channels(channels)))


def test_an_array_that_is_mapped_stands_beside_one_that_is_not(tmp_path: Path) -> None:
    path = npz(tmp_path, x_train=COLOUR[:40], x_test=np.asfortranarray(COLOUR[40:]))
    for other in (3, 1):
        found = open_dataset(path, channels=other)
        wanted = Dataset("d", ArrayPictures(COLOUR), 3, np.full(60, "train")).with_channels(other)
        assert not pictures_of(found).mapped
        assert np.array_equal(read(found), read(wanted))


def test_arrays_in_memory_are_converted_once() -> None:
    block = Blocks([COLOUR[:40], COLOUR[40:, :5]]).converted(1)
    assert np.shares_memory(block[45], block[45])
    assert [block.shape_of(row) for row in (39, 40)] == [(12, 10, 1), (5, 10, 1)]
    assert block[45].tolist() == with_depth(COLOUR[45, :5], 1).tolist()
