"""Numbers to predict, from tables, arrays and folders."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kakera.data.checks.digest import LABELS, digest
from kakera.data.checks.inventory import changes, inventory
from kakera.data.dataset import Dataset
from kakera.data.holders import ArrayPictures
from kakera.data.sources.open import open_dataset
from kakera.errors import DataError, OptionError
from tests.data.sources.test_table import table

IMAGES = np.zeros((4, 8, 8), np.uint8)
AGES = "file,age,label,split\na.png,4.5,cat,train\nb.png,,dog,train\nc.png,-1e2,cat,test\n"


def numbers(data: Dataset) -> Any:
    assert data.labels is not None
    return data.labels.tolist()


def test_a_column_of_a_table_has_numbers_and_an_empty_cell_is_no_label(tmp_path: Path) -> None:
    data = open_dataset(table(tmp_path, AGES, pictures="abc"), task="auto", target_column="age")
    assert (data.classes, data.regression, data.multi_label) == (("age",), True, False)
    np.testing.assert_equal(numbers(data), [[4.5], [np.nan], [-100.0]])
    assert data.labelled.tolist() == [0, 2]
    assert "ignored columns: label" in data.notes


def test_the_column_label_is_read_as_numbers_only_on_request(tmp_path: Path) -> None:
    path = table(tmp_path, "file,label,split\na.png,10,train\nb.png,9,train\n", pictures="ab")
    assert numbers(open_dataset(path)) == [0, 1]
    assert numbers(open_dataset(path, task="auto")) == [0, 1]
    assert numbers(open_dataset(path, task="regression")) == [[10.0], [9.0]]


def test_a_column_can_hold_classes(tmp_path: Path) -> None:
    data = open_dataset(table(tmp_path, AGES, pictures="abc"), task="classification", target_column="age")
    assert (data.classes, data.regression) == (("-1e2", "4.5"), False)


@pytest.mark.parametrize(
    ("text", "column", "said"),
    [
        (AGES, "weight", "columns file, age, label, split, expected one column named weight"),
        (AGES.replace("4.5", "4.5 kg"), "age", "the label 4.5 kg, expected a number"),
        (AGES.replace("4.5", "inf"), "age", "the label inf, expected a number"),
        (AGES.replace("4.5", "4|5"), "age", "got files with several labels, expected a number"),
        (AGES, "split", "the label test, expected a number"),
    ],
)
def test_cells_that_are_no_numbers_are_refused(text: str, column: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as refused:
        open_dataset(table(tmp_path, text, pictures="abc"), task="regression", target_column=column)
    assert said in str(refused.value)


def test_only_a_table_has_columns() -> None:
    with pytest.raises(OptionError, match=r"target_column: got age for demo, expected a table"):
        open_dataset("demo", target_column="age")


def test_folders_named_by_numbers_are_numbers(tmp_path: Path) -> None:
    for name in ("-3", "12.5"):
        (tmp_path / name).mkdir()
        Image.new("L", (8, 8)).save(tmp_path / name / "a.png")
    data = open_dataset(tmp_path, task="regression", test=0.0)
    assert sorted(numbers(data)) == [[-3.0], [12.5]]


@pytest.mark.parametrize("labels", [np.array([0.5, 2.0, np.nan, -1.0]), np.ones((4, 3), np.float32)])
def test_an_npz_file_has_one_or_several_numbers_for_each_picture(labels: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x_train=IMAGES, y_train=labels, x_test=IMAGES[:1], y_test=labels[:1])
    data = open_dataset(tmp_path / "a.npz", task="auto")
    np.testing.assert_equal(numbers(data), np.concatenate([labels, labels[:1]]).reshape(5, -1).tolist())
    assert data.classes == (("target",) if labels.ndim == 1 else ("target 1", "target 2", "target 3"))
    with pytest.raises(DataError, match="kakera finetune --task regression"):
        open_dataset(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (np.ones(3), "labels of shape (3,), expected 4 finite numbers"),
        (np.array([0.0, np.inf, 1.0, 2.0]), "some infinite"),
        (np.ones((4, 2, 2)), "labels of shape (4, 2, 2)"),
    ],
)
def test_other_arrays_of_numbers_are_refused(labels: Any, said: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=IMAGES, labels=labels)
    with pytest.raises(DataError) as refused:
        open_dataset(tmp_path / "a.npz", task="regression")
    assert said in str(refused.value)


def test_parts_with_different_kinds_of_labels_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x_train=IMAGES, y_train=np.ones(4), x_test=IMAGES, y_test=np.arange(4))
    with pytest.raises(DataError, match="got parts with different labels"):
        open_dataset(tmp_path / "a.npz", task="regression")


def test_integers_of_an_npz_file_are_numbers_on_request(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=IMAGES, labels=np.array([3, 70, -1, 0]))
    data = open_dataset(tmp_path / "a.npz", task="regression", test=0.0)
    np.testing.assert_equal(numbers(data), [[3.0], [70.0], [np.nan], [0.0]])


def test_another_number_changes_the_digest_and_is_counted() -> None:
    split, pictures = np.full(4, "train"), ArrayPictures(IMAGES[..., None], [*"abcd"])
    before = Dataset("a", pictures, 1, split, labels=np.array([1.0, 2.0, 3.0, np.nan]))
    after = Dataset("a", pictures, 1, split, labels=np.array([1.0, 2.5, 3.0, np.nan]))
    assert digest(before)[LABELS] == digest(before.take(np.arange(4)))[LABELS] != digest(after)[LABELS]
    found = [inventory(each) for each in (before, after)]
    assert found[0] is not None
    assert found[1] is not None
    assert "1 label" in " ".join(changes(found[0], found[1], [LABELS]))


def test_names_must_be_as_many_as_targets() -> None:
    with pytest.raises(DataError, match="got 2 targets named age"):
        Dataset("a", ArrayPictures(IMAGES[..., None]), 1, np.full(4, "train"), ("age",), np.ones((4, 2)))
