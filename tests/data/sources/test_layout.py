"""Each case is written out: the names of the files, then part and label of each."""

import pytest

from kakera.data.sources.layout import Layout, arrange
from kakera.errors import DataError


def laid(*names: str) -> Layout:
    return arrange("d", [name.split("/") for name in names], "pictures")


def rows(*names: str) -> dict[str, str]:
    return {names[n]: f"{part} {label}".strip() for n, part, label in laid(*names).rows}


CASES = {
    "classes": {"cat/1": "train cat", "dog/1": "train dog"},
    "classes one of which is called train": {
        "bicycle/1": "train bicycle",
        "car/1": "train car",
        "train/day/1": "train train",
        "train/night/1": "train train",
    },
    "classes one of which is called test": {"car/1": "train car", "test/1": "train test"},
    "all the same inside, several beside train": {
        f"{name}/{time}/1": f"train {name}"
        for name in ("bicycle", "car", "train")
        for time in ("day", "night")
    },
    "Training, Testing": {"Training/a/1": "train a", "Testing/a/1": "test a", "Testing/b/1": "test b"},
    "training, validation": {"training/a/1": "train a", "validation/a/1": "val a"},
    "train, eval": {"train/a/1": "train a", "eval/b/1": "test b"},
    "train_images, test_images": {"train_images/a/1": "train a", "test_images/a/1": "test a"},
    "seg_train in seg_train": {"seg_train/seg_train/a/1": "train a", "seg_test/seg_test/b/1": "test b"},
    "train2017, val2017": {"train2017/1": "train", "val2017/1": "val"},
    "train alone": {"train/a/1": "train a", "train/b/1": "train b"},
    "no train": {"test/a/1": "test a", "val/b/1": "val b"},
    "test is flat": {"train/a/1": "train a", "train/b/1": "train b", "test/1": "test", "test/2": "test"},
    "both are flat": {"train/1": "train", "test/1": "test"},
    "all in one folder": {"d/e/train/a/1": "train a", "d/e/test/b/1": "test b"},
    "classes in one folder": {"images/cat/1": "train cat", "images/dog/1": "train dog"},
    "a folder below each part": {
        "train/images/a/1": "train a",
        "train/images/b/1": "train b",
        "test/images/a/1": "test a",
    },
    "the images of detectors": {"images/train/1": "train", "images/val/1": "val"},
    "parts below the classes": {
        "a/train/1": "train a",
        "a/test/1": "test a",
        "b/Train/1": "train b",
        "b/val/1": "val b",
    },
    "deeper folders": {"a/x/1": "train a", "a/y/z/1": "train a", "b/1": "train b"},
    "one class of deeper folders beside a file": {"a/x/1": "train a", "a/y/1": "train a", "1": "train"},
}


@pytest.mark.parametrize("case", CASES)
def test_parts_and_labels_are_those_written_beside(case: str) -> None:
    assert rows(*CASES[case]) == CASES[case]


@pytest.mark.parametrize(
    ("names", "divided"),
    [
        (("a/1", "b/1"), False),
        (("train/a/1", "train/b/1"), False),
        (("train/a/1", "test/a/1"), True),
        (("a/train/1", "a/test/1"), True),
        (("test/a/1",), True),
    ],
)
def test_the_folders_say_the_parts_where_there_is_more_than_train(
    names: tuple[str, ...], divided: bool
) -> None:
    assert laid(*names).divided is divided


def test_a_class_that_has_the_name_of_a_part_is_said() -> None:
    (note,) = laid("bicycle/1", "train/1").notes
    assert note.startswith("train treated as a class, next to bicycle; to train on that folder only, pass it")


def test_what_lies_beside_the_parts_is_left_out_by_name() -> None:
    found = laid("train/a/1", "test/a/1", "extra/c/1", "extra/c/2", "poster")
    beside = "outside the parts train, test"
    assert found.left == [
        ("extra/c/1", f"in extra/, {beside}"),
        ("extra/c/2", f"in extra/, {beside}"),
        ("poster", f"at the top level, {beside}"),
    ]


def test_pictures_without_a_class_are_said_for_each_part() -> None:
    assert laid("train/a/1", "train/2", "test/3", "test/4", "test/5", "test/6").notes == [
        "1 pictures of train are in no class folder and have no label: train/2",
        "4 pictures of test are in no class folder and have no label: test/3, test/4, test/5, …",
    ]
    assert laid("1", "2").notes == []


def test_a_folder_around_all_is_said() -> None:
    assert laid("x/a/1", "x/b/1").notes == ["all pictures are in x/; classes and parts are read there"]
    assert laid("a/1", "a/2").notes == []


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (
            ("train/a/1", "test/a/1", "eval/a/1"),
            "got folders test and eval, expected one test folder; rename",
        ),
        (("train/a/1", "Training/a/1"), "got folders train and Training, expected one train folder"),
        (
            ("a/train/1", "a/test/1", "b/1"),
            "got test, train inside some classes, but not for b/1, expected the parts",
        ),
        (
            ("train/a/1", "train/b/1", "holdout/a/1", "holdout/b/1"),
            "got the same classes in train and in holdout, expected parts named train, val and test; rename",
        ),
    ],
)
def test_what_may_be_meant_either_way_is_asked_in_one_line(names: tuple[str, ...], words: str) -> None:
    with pytest.raises(DataError) as caught:
        laid(*names)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
