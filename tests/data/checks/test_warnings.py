from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from kakera.data.checks.warnings import data_warnings, leak_warning, measured_part, uneven
from kakera.data.dataset import Dataset
from kakera.data.holders import ArrayPictures
from tests.small import pictures


def counted(**counts: tuple[int, int, int]) -> Dataset:
    """A data set with (train, val, test) pictures of each class."""
    labels = [n for n, parts in enumerate(counts.values()) for count in parts for _ in range(count)]
    split = [
        part
        for parts in counts.values()
        for part, count in zip(("train", "val", "test"), parts, strict=True)
        for _ in range(count)
    ]
    arrays = np.zeros((len(labels), 2, 2, 1), np.uint8)
    return Dataset("d", ArrayPictures(arrays), 1, np.array(split), tuple(counts), np.array(labels))


def test_many_even_pictures_are_nothing_to_warn_of() -> None:
    assert data_warnings(counted(bag=(40, 0, 20), boot=(60, 0, 20))) == []


@pytest.mark.parametrize(
    ("bag", "said"),
    [
        ((40, 0, 0), "accuracy of class bag cannot be measured: it has no test picture"),
        ((40, 0, 1), "accuracy of class bag is measured on only 1 test picture"),
        ((40, 0, 3), "accuracy of class bag is measured on only 3 test pictures"),
        ((0, 0, 30), "class bag has no training picture: it is never predicted"),
        ((1, 0, 30), "class bag has 1 training picture: too few to learn from"),
        ((3, 0, 30), "class bag has 3 training pictures: too few to learn from"),
    ],
)
def test_a_class_with_few_files_is_named(bag: Any, said: str) -> None:
    assert said in data_warnings(counted(bag=bag, boot=(60, 0, 40)))


def test_of_many_small_classes_one_sentence_is_said() -> None:
    counts = {f"class{n}": (20, 0, 2 + n % 2) for n in range(20)}
    found = data_warnings(counted(**counts))
    assert found == [
        "accuracy of each of 20 classes (class0, class1, class2, …) is measured on only 2 to 3 test pictures"
    ]


def test_few_test_pictures_in_all_are_said_with_what_one_of_them_weighs() -> None:
    found = data_warnings(counted(bag=(40, 0, 10), boot=(40, 0, 10)))
    assert found == [
        "accuracy is measured on only 20 test pictures in total: one of them changes it by 5 points"
    ]


def test_uneven_classes_get_balanced_accuracy_first() -> None:
    found = data_warnings(counted(bag=(100, 0, 61), boot=(100, 0, 40), coat=(100, 0, 50)))
    assert found == [
        "uneven classes: bag has 61 test pictures, boot 40; "
        "balanced accuracy, the mean over the classes, comes first"
    ]


@pytest.mark.parametrize(
    ("counts", "holds"),
    [([10, 15], False), ([10, 16], True), ([0, 30], False), ([0, 10, 30], True), ([5], False)],
)
def test_uneven_is_more_than_half_as_many_again_as_in_the_smallest_class_that_there_is(
    counts: list[int], holds: bool
) -> None:
    assert uneven(counts) == holds


def test_without_labels_there_is_one_sentence_with_what_to_do() -> None:
    (said,) = data_warnings(replace(pictures(), labels=None, classes=()))
    assert said.startswith("no labels: these pictures can only be used for pretraining")
    assert "into its own folder" in said


def test_labels_that_are_all_missing_are_no_labels() -> None:
    dataset = counted(bag=(4, 0, 4), boot=(4, 0, 4))
    (said,) = data_warnings(replace(dataset, labels=np.full(16, -1)))
    assert said.startswith("no labels")


def test_one_class_is_nothing_to_tell_apart() -> None:
    assert data_warnings(counted(bag=(40, 0, 40))) == [
        "only one class (bag): a classifier needs at least two"
    ]


def test_what_is_measured_is_the_test_part_then_the_val_part_then_nothing() -> None:
    test, val, none = (counted(bag=(40, v, t), boot=(40, v, t)) for v, t in ((20, 20), (20, 0), (0, 0)))
    assert [measured_part(each) for each in (test, val, none)] == ["test", "val", ""]
    assert data_warnings(test) == []
    assert data_warnings(val) == ["no labelled test pictures: accuracy is measured on the val part"]
    assert data_warnings(none) == [
        "no labelled test pictures: the accuracy of a classifier cannot be measured"
    ]


def test_several_labels_are_counted_one_by_one() -> None:
    labels = np.zeros((100, 2), bool)
    labels[:, 0] = True
    labels[:2, 1] = True
    split = np.array(["train"] * 60 + ["test"] * 40)
    arrays = ArrayPictures(np.zeros((100, 2, 2, 1), np.uint8))
    found = data_warnings(Dataset("d", arrays, 1, split, ("x", "y"), labels))
    assert found == [
        "class y has 2 training pictures: too few to learn from",
        "accuracy of class y cannot be measured: it has no test picture",
    ]


def test_files_that_are_trained_on_and_measured_on_are_counted_and_one_pair_is_named() -> None:
    assert leak_warning((), "test", "pictures") == []
    assert leak_warning([("a", "b")], "test", "pictures") == [
        "1 test picture has the same content as training pictures (b = a): "
        "accuracy on them is too high; remove one of each pair"
    ]
    (said,) = leak_warning([("a", "b"), ("c", "d")], "val", "recordings")
    assert said.startswith("2 val recordings have the same content as training recordings (b = a, …): ")
