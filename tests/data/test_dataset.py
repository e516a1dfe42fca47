from pathlib import Path

import numpy as np
import pytest

from kakera.data.dataset import ArrayPictures, ChosenPictures, Dataset, FilePictures, Pictures, choose
from kakera.data.images.decode import decode
from kakera.errors import DataError, UnreadableFileError
from tests.data.files import NOISE, on_disk

VALUES = np.random.default_rng(0).integers(0, 256, (6, 4, 5, 1), dtype=np.uint8)
SPLIT = np.array(["train", "test", "val", "train", "test", "train"])
LABELS = np.array([1, 0, -1, 2, 1, 0])


def dataset(labels: np.ndarray | None = LABELS) -> Dataset:
    return Dataset("six", ArrayPictures(VALUES), 1, SPLIT, ("a", "b", "c"), labels)


class Negatives:
    """Pictures of a kind that the library does not know."""

    def __len__(self) -> int:
        return 6

    def read(self, index: int) -> np.ndarray:
        return 255 - VALUES[index]

    def name(self, index: int) -> str:
        return f"negative {index}"


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
    twice = choose(choose(pictures, np.array([5, 3, 1, 1])), np.array([2, 0, 0]))
    assert len(twice) == 3
    for index, row in enumerate([1, 5, 5]):
        assert np.array_equal(twice.read(index), pictures.read(row))
        assert twice.name(index) == pictures.name(row)


def test_pictures_of_an_unknown_kind_are_chosen_without_being_read() -> None:
    assert isinstance(choose(Negatives(), np.array([3])), ChosenPictures)


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
    assert not dataset().several


def test_none_of_several_labels_is_a_label_but_not_where_a_whole_part_has_none() -> None:
    labels = np.zeros((6, 3), dtype=bool)
    labels[3, 1] = labels[2, 0] = True  # in train and in val
    several = dataset(labels)
    assert several.several
    assert [str(SPLIT[row]) for row in (0, 2, 3, 5)] == ["train", "val", "train", "train"]
    assert several.labelled.tolist() == [0, 2, 3, 5]


@pytest.mark.parametrize(("split", "labels"), [(SPLIT[:5], LABELS), (SPLIT, LABELS[:5]), (SPLIT, LABELS[:0])])
def test_unequal_lengths_are_refused(split: np.ndarray, labels: np.ndarray) -> None:
    expected = (
        f"six: got 6 pictures, {len(split)} splits and {len(labels)} labels, expected one split and one"
    )
    with pytest.raises(DataError, match=expected):
        Dataset("six", ArrayPictures(VALUES), 1, split, ("a",), labels)
