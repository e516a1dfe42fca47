"""Tests of the choice of files for a page."""

from pathlib import Path

import numpy as np

from kakera.commands.explaining.spread import spread
from kakera.data.dataset import Dataset
from kakera.data.holders import ArrayPictures
from kakera.data.sources.files import open_pictures
from tests.small import folder


def labelled(*counts: int) -> Dataset:
    """Make a data set with the passed number of pictures of each class, class by class."""
    labels = np.repeat(np.arange(len(counts)), counts)
    arrays = np.zeros((len(labels), 2, 2, 1), np.uint8)
    names = tuple(f"class {number}" for number in range(len(counts)))
    return Dataset("d", ArrayPictures(arrays), 1, np.full(len(labels), "test"), names, labels)


def shown(dataset: Dataset, most: int) -> list[int]:
    """Return the number of files of each class."""
    assert dataset.labels is not None
    return np.bincount(dataset.labels[spread(dataset, most)], minlength=len(dataset.classes)).tolist()


def test_each_class_has_as_many() -> None:
    assert shown(labelled(50, 30, 20), 24) == [8, 8, 8]
    assert shown(labelled(50, 30, 20), 10) == [4, 3, 3]


def test_what_a_small_class_leaves_goes_to_the_others() -> None:
    assert shown(labelled(50, 2, 30), 24) == [11, 2, 11]


def test_of_more_classes_than_places_some_are_shown_evenly_spaced() -> None:
    assert np.flatnonzero(shown(labelled(*[3] * 12), 4)).tolist() == [0, 3, 6, 9]


def test_within_a_class_the_files_are_evenly_spaced_and_always_the_same() -> None:
    rows = spread(labelled(100, 100), 8).tolist()
    assert rows == [0, 25, 50, 75, 100, 125, 150, 175]


def test_fewer_files_than_places_are_all_shown() -> None:
    assert spread(labelled(2, 1), 24).tolist() == [0, 1, 2]


def test_without_labels_the_folder_is_the_class(tmp_path: Path) -> None:
    dataset = open_pictures(folder(tmp_path, count=10), 3)
    names = [Path(dataset.pictures.name(row)).parent.name for row in spread(dataset, 6).tolist()]
    assert names == ["bag"] * 3 + ["boot"] * 3
