import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kakera.data.dataset import Dataset
from kakera.data.holders import ArrayPictures, FilePictures
from kakera.data.images.decode import decode
from kakera.data.loader import evaluation_batches
from kakera.data.pictures import Pictures
from kakera.errors import DataError, UnreadableFileError
from kakera.training.planning.facts import facts_of
from tests.data.files import NOISE, on_disk

VALUES = np.random.default_rng(0).integers(0, 256, (6, 4, 5, 1), dtype=np.uint8)
SPLIT = np.array(["train", "test", "val", "train", "test", "train"])
LABELS = np.array([1, 0, -1, 2, 1, 0])


def dataset(labels: np.ndarray | None = LABELS) -> Dataset:
    return Dataset("six", ArrayPictures(VALUES), 1, SPLIT, ("a", "b", "c"), labels)


class Negatives(Pictures):
    """Pictures of a kind that the library does not know."""

    def __init__(self, rows: np.ndarray | None = None) -> None:
        self.rows = np.arange(6) if rows is None else rows

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, index: int) -> np.ndarray:
        return 255 - VALUES[self.rows[index]]

    def name(self, index: int) -> str:
        return f"negative {self.rows[index]}"

    def take(self, rows: np.ndarray) -> Pictures:
        return Negatives(self.rows[rows])

    def with_channels(self, channels: int) -> Pictures:
        return ArrayPictures(255 - VALUES[self.rows]).with_channels(channels)


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_a_part_holds_its_own_pictures_in_order(part: str) -> None:
    chosen, rows = dataset().part(part), np.flatnonzero(part == SPLIT)
    assert set(chosen.split) == {part}
    assert np.array_equal([chosen.pictures.read(i) for i in range(len(chosen))], VALUES[rows])
    assert chosen.labels is not None
    assert chosen.labels.tolist() == LABELS[rows].tolist()
    assert [chosen.pictures.name(i) for i in range(len(chosen))] == [f"picture[{row}]" for row in rows]


def test_a_part_may_be_empty() -> None:
    assert len(dataset().part("train").part("test")) == 0


@pytest.mark.parametrize("pictures", [ArrayPictures(VALUES), ArrayPictures(list(VALUES)), Negatives()])
def test_pictures_taken_twice_over_are_those_of_both_choices(pictures: Pictures) -> None:
    twice = pictures.take(np.array([5, 3, 1, 1])).take(np.array([2, 0, 0]))
    assert len(twice) == 3
    for index, row in enumerate([1, 5, 5]):
        assert np.array_equal(twice.read(index), pictures.read(row))
        assert twice.name(index) == pictures.name(row)


def test_pictures_of_an_unknown_kind_answer_whatever_is_asked_of_pictures() -> None:
    data = Dataset("negatives", Negatives(), 1, SPLIT)
    assert (data.pictures.size(0), data.pictures.depth(0)) == ((4, 5), 1)
    assert data.pictures.names_between(2, 4) == ["negative 2", "negative 3"]
    assert (data.pictures.location(2), data.pictures.title(2)) == ("negative 2", "negative 2")
    assert data.with_channels(3).pictures.read(0).shape == (4, 5, 3)
    assert data.with_ranges((("uint16", 0.0, 4095.0),)) is data
    assert np.array_equal(data.pictures.stack(np.array([3, 1])), 255 - VALUES[[3, 1]])
    batches = evaluation_batches(data, (4, 5), batch=6)
    assert np.array_equal(next(batches).pictures.numpy(), 255 - VALUES.transpose(0, 3, 1, 2))
    assert facts_of(data).size == (4, 5)
    with pytest.raises(UnreadableFileError, match="negative 2: got pixels, expected a file"):
        data.pictures.content(2)


def test_a_data_set_needs_no_decoder() -> None:
    code = "import sys, kakera.data.dataset; print({'PIL', 'soundfile', 'torch'} & {*sys.modules})"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "set()\n"


def test_taking_copies_no_picture() -> None:
    taken = dataset().take([4, 2]).pictures
    assert isinstance(taken, ArrayPictures)
    assert np.shares_memory(taken.read(0), VALUES)
    assert taken.block is VALUES


def test_pictures_of_several_sizes_are_no_block() -> None:
    assert ArrayPictures([VALUES[0], VALUES[1, :2]]).block is None


def test_files_are_read_when_they_are_asked_for_and_chosen_by_path(tmp_path: Path) -> None:
    files = on_disk(tmp_path, {"a.png": NOISE, "b.png": b"broken"}).take([1, 0])
    assert isinstance(files.pictures, FilePictures)
    assert np.array_equal(files.pictures.read(1), decode(tmp_path / "a.png", 3))
    assert files.pictures.name(0) == str(tmp_path / "b.png")
    with pytest.raises(UnreadableFileError, match="b.png: got a text file"):
        files.pictures.read(0)


def test_the_labelled_are_those_that_carry_one() -> None:
    assert dataset().labelled.tolist() == [0, 1, 3, 4, 5]
    assert dataset(None).labelled.tolist() == []
    assert not dataset().multi_label


def test_none_of_several_labels_is_a_label_but_not_where_a_whole_part_has_none() -> None:
    labels = np.zeros((6, 3), dtype=bool)
    labels[3, 1] = labels[2, 0] = True  # in train and in val
    multi_label = dataset(labels)
    assert multi_label.multi_label
    assert [str(SPLIT[row]) for row in (0, 2, 3, 5)] == ["train", "val", "train", "train"]
    assert multi_label.labelled.tolist() == [0, 2, 3, 5]


@pytest.mark.parametrize(("split", "labels"), [(SPLIT[:5], LABELS), (SPLIT, LABELS[:5]), (SPLIT, LABELS[:0])])
def test_unequal_lengths_are_refused(split: np.ndarray, labels: np.ndarray) -> None:
    expected = (
        f"six: got 6 pictures, {len(split)} splits and {len(labels)} labels, expected one split and one"
    )
    with pytest.raises(DataError, match=expected):
        Dataset("six", ArrayPictures(VALUES), 1, split, ("a",), labels)
