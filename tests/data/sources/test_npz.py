from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kakera.data.sources.npz import open_npz
from kakera.data.sources.open import open_dataset
from kakera.errors import DataError

RANDOM = np.random.default_rng(0)
COLOUR = RANDOM.integers(0, 256, (6, 4, 5, 3), dtype=np.uint8)
LABELS = np.array([0, 1, 2, 0, 1, 2])


def npz(root: Path, **arrays: Any) -> Path:
    np.savez(root / "data.npz", **arrays)
    return root / "data.npz"


def read(path: Path) -> np.ndarray:
    pictures = open_npz(path)[0].pictures
    return np.stack([pictures.read(i) for i in range(len(pictures))])


def test_arrays_named_by_part_are_split_already(tmp_path: Path) -> None:
    path = npz(tmp_path, x_train=COLOUR, y_train=LABELS, x_test=COLOUR[:2], y_test=LABELS[:2, None])
    dataset, divided = open_npz(path)
    assert divided
    assert dataset.split.tolist() == ["train"] * 6 + ["test"] * 2
    assert dataset.labels is not None
    assert dataset.labels.tolist() == [*LABELS, 0, 1]
    assert (dataset.classes, dataset.channels) == (("0", "1", "2"), 3)
    assert np.array_equal(read(path), np.concatenate([COLOUR, COLOUR[:2]]))
    assert dataset.pictures.name(7) == "test[1]"


@pytest.mark.parametrize(("images", "labels"), [("images", "labels"), ("x", "y"), ("data", "target")])
def test_arrays_without_parts_are_split_by_class(images: str, labels: str, tmp_path: Path) -> None:
    path = npz(tmp_path, **{images: np.repeat(COLOUR, 5, axis=0), labels: np.repeat(LABELS, 5)})
    assert not open_npz(path)[1]
    dataset = open_dataset(path, test=0.2)
    assert (dataset.split == "test").sum() == 6
    assert dataset.pictures.name(0) == "data[0]"


def test_arrays_without_names_are_images_and_labels(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", COLOUR, LABELS)
    labels = open_npz(tmp_path / "x.npz")[0].labels
    assert labels is not None
    assert labels.tolist() == LABELS.tolist()


def test_an_array_may_name_the_part_of_each_picture(tmp_path: Path) -> None:
    split = np.array(["test", "train", "val", "train", "test", "train"])
    dataset, divided = open_npz(npz(tmp_path, images=COLOUR, labels=LABELS, split=split))
    assert divided
    for part in ("train", "val", "test"):
        chosen, rows = dataset.part(part), np.flatnonzero(split == part)
        assert np.array_equal([chosen.pictures.read(i) for i in range(len(chosen))], COLOUR[rows])
        assert chosen.labels is not None
        assert chosen.labels.tolist() == LABELS[rows].tolist()


@pytest.mark.parametrize("images", [COLOUR[..., 0], COLOUR[..., :1]])
def test_grey_pictures_need_no_channel(images: np.ndarray, tmp_path: Path) -> None:
    assert np.array_equal(read(npz(tmp_path, images=images))[..., 0], COLOUR[..., 0])


@pytest.mark.parametrize("dtype", [np.int16, np.uint32, np.int64, np.float32, np.float64])
def test_other_numbers_from_0_to_255_are_the_same_bytes(dtype: type, tmp_path: Path) -> None:
    assert np.array_equal(read(npz(tmp_path, images=COLOUR.astype(dtype))), COLOUR)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floats_from_0_to_1_are_shares_of_255(dtype: type, tmp_path: Path) -> None:
    assert np.array_equal(read(npz(tmp_path, images=(COLOUR / 255).astype(dtype))), COLOUR)


@pytest.mark.parametrize(
    ("values", "wanted"), [([0.0, 0.5, 0.999], [0, 128, 255]), ([1.4, 1.6, 99.7], [1, 2, 100])]
)
def test_floats_are_rounded_to_the_nearest(values: list[float], wanted: list[int], tmp_path: Path) -> None:
    images = np.array(values).reshape(1, 1, 3)
    assert read(npz(tmp_path, images=images)).ravel().tolist() == wanted


def test_a_label_of_minus_one_is_none(tmp_path: Path) -> None:
    dataset, _ = open_npz(npz(tmp_path, images=COLOUR, labels=[-1, 1, -1, 0, -1, -1]))
    assert dataset.labelled.tolist() == [1, 3]
    assert dataset.classes == ("0", "1")


def test_labels_may_be_class_names(tmp_path: Path) -> None:
    words = np.array(["shoe", "bag", "shoe", "", "hat", "bag"])
    path = npz(tmp_path, x_train=COLOUR, y_train=words, x_test=COLOUR[:2], y_test=np.array(["hat", "shoe"]))
    dataset, _ = open_npz(path)
    assert dataset.classes == ("bag", "hat", "shoe")
    assert dataset.labels is not None
    assert dataset.labels.tolist() == [2, 0, 2, -1, 1, 0, 1, 2]
    split = np.array(["test", "train", "train", "train", "train", "test"])
    dataset, _ = open_npz(npz(tmp_path, images=COLOUR, labels=words, split=split))
    assert dataset.labels is not None
    assert dataset.labels.tolist() == [0, 2, -1, 1, 2, 0]


def test_parts_may_differ_in_size(tmp_path: Path) -> None:
    dataset, _ = open_npz(npz(tmp_path, x_train=COLOUR, x_test=COLOUR[:, :2]))
    assert [dataset.pictures.read(i).shape for i in (0, 6)] == [(4, 5, 3), (2, 5, 3)]


def attempt(path: Path) -> np.ndarray | str:
    try:
        return read(path)
    except DataError as error:
        return str(error)


OBJECT = np.array([COLOUR, {"code": print}], dtype=object)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"images": OBJECT}, "got a file that cannot be read (Object arrays cannot be loaded"),
        ({"images": COLOUR, "extra": OBJECT}, "got a file that cannot be read"),
        ({}, "got arrays none, expected x_train (y_train, x_test …) or images"),
        ({"pixels": COLOUR}, "got arrays pixels"),
        ({"images": COLOUR[0, 0]}, "got pictures of shape (5, 3)"),
        ({"images": np.uint8(3)}, "got pictures of shape ()"),
        ({"images": COLOUR[:0]}, "got pictures of shape (0, 4, 5, 3)"),
        ({"images": COLOUR[..., :2]}, "got pictures of shape (6, 4, 5, 2)"),
        ({"images": COLOUR.transpose(0, 3, 1, 2)}, "got pictures of shape (6, 3, 4, 5)"),
        ({"images": COLOUR.astype(np.int32) - 1}, "got int32 values from -1 to 254"),
        ({"images": COLOUR.astype(np.uint16) * 257}, "expected 0 to 255, or 0 to 1 as floats"),
        ({"images": COLOUR / 127.5 - 1}, "got float64 values from -1.0 to 1.0"),
        ({"images": np.where(COLOUR, np.nan, 1.0)}, "got float64 values from nan to nan"),
        ({"images": COLOUR.astype("U3")}, "got <U3 values"),
        ({"images": COLOUR > 9}, "got bool values"),
        ({"images": COLOUR.astype(complex)}, "got complex128 values"),
        ({"images": COLOUR, "labels": LABELS[:5]}, "got 5 labels of int64, expected 6 integers"),
        ({"images": COLOUR, "labels": LABELS / 2}, "got 6 labels of float64"),
        ({"images": COLOUR, "labels": LABELS - 2}, "expected 6 integers"),
        ({"images": COLOUR, "labels": np.eye(6, dtype=int)}, "got 36 labels"),
        ({"images": COLOUR, "labels": np.array([b"cat"] * 6)}, "got 6 labels of |S3"),
        ({"images": COLOUR, "split": ["train"] * 5}, "got a split array of other words or length"),
        ({"images": COLOUR, "split": ["train"] * 5 + ["tset"]}, "got a split array of other words or length"),
        ({"images": COLOUR, "split": "train"}, "got a split array of other words or length"),
        ({"images": COLOUR, "labels": LABELS[:5], "split": ["train"] * 6}, "got labels of shape (5,)"),
        ({"images": COLOUR, "labels": [*LABELS, 1], "split": ["train"] * 6}, "got labels of shape (7,)"),
        ({"x_train": COLOUR, "x_test": COLOUR[..., :1]}, "got parts of 1 and 3 channels"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(arrays: dict[str, Any], words: str, tmp_path: Path) -> None:
    path = npz(tmp_path, **arrays)
    with pytest.raises(DataError) as caught:
        open_npz(path)
    assert str(caught.value).startswith(f"{path}: got ")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04", bytes(500)])
def test_a_file_that_is_no_archive_is_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(content)
    with pytest.raises(DataError, match="got a file that cannot be read .* expected a .npz file of plain"):
        open_npz(tmp_path / "x.npz")


@pytest.mark.parametrize("name", ["one.npy", "pickle"])
def test_a_single_array_or_a_pickle_under_the_name_is_one_line(name: str, tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    with path.open("wb") as file:
        np.save(file, COLOUR if name == "one.npy" else OBJECT)
    with pytest.raises(DataError, match="got a file that cannot be read"):
        open_npz(path)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_archive_with_a_hole_in_it_is_one_line(save: Any, tmp_path: Path) -> None:
    save(tmp_path / "x.npz", images=COLOUR)
    whole = (tmp_path / "x.npz").read_bytes()
    for start in range(0, len(whole) - 20, 19):
        (tmp_path / "x.npz").write_bytes(
            whole[:start] + bytes(b ^ 255 for b in whole[start : start + 20]) + whole[start + 20 :]
        )
        found = attempt(tmp_path / "x.npz")
        assert "\n" not in found if isinstance(found, str) else found.shape[1:] == (4, 5, 3)
