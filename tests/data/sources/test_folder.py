import os
from pathlib import Path

import numpy as np
import pytest

from kakera.data.dataset import Dataset
from kakera.data.folders.media import Kind
from kakera.data.sources.folder import open_folder, pictures_below
from kakera.data.sources.open import open_dataset
from kakera.errors import DataError
from tests.data.files import NOISE, encoded

COLOUR, GREY = encoded(NOISE), encoded(NOISE[..., 0])


def tree(root: Path, *files: str, content: bytes = GREY) -> Path:
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def names(root: Path) -> list[str]:
    pictures = open_folder(root, None)[0].pictures
    return [Path(pictures.name(i)).relative_to(root).as_posix() for i in range(len(pictures))]


def test_each_folder_is_a_class(tmp_path: Path) -> None:
    dataset, divided = open_folder(tree(tmp_path, "dog/1.png", "cat/2.png", "cat/1.png"), None)
    assert not divided
    assert dataset.classes == ("cat", "dog")
    assert dataset.labels is not None
    assert dataset.labels.tolist() == [0, 0, 1]
    assert names(tmp_path) == ["cat/1.png", "cat/2.png", "dog/1.png"]


@pytest.mark.parametrize("val", ["val", "valid", "validation", "Val"])
def test_train_val_and_test_above_the_classes_are_the_parts(val: str, tmp_path: Path) -> None:
    tree(tmp_path, "train/a/1.png", "train/b/1.png", f"{val}/a/2.png", "TEST/b/3.png")
    dataset, divided = open_folder(tmp_path, None)
    assert divided
    assert dataset.classes == ("a", "b")
    assert dataset.labels is not None
    found = {
        (str(part), dataset.classes[label]) for part, label in zip(dataset.split, dataset.labels, strict=True)
    }
    assert found == {("train", "a"), ("train", "b"), ("val", "a"), ("test", "b")}


def test_a_class_that_only_the_test_part_has_is_a_class(tmp_path: Path) -> None:
    dataset, _ = open_folder(tree(tmp_path, "train/a/1.png", "test/b/1.png"), None)
    assert dataset.classes == ("a", "b")


def test_beside_train_and_test_other_folders_are_passed_over(tmp_path: Path) -> None:
    tree(tmp_path, "train/a/1.png", "test/a/1.png", "extra/c/1.png", "poster.png")
    assert names(tmp_path) == ["test/a/1.png", "train/a/1.png"]


def test_train_alone_is_split_by_class(tmp_path: Path) -> None:
    tree(tmp_path, *(f"train/{name}/{i}.png" for name in "ab" for i in range(10)))
    assert not open_folder(tmp_path, None)[1]
    assert (open_dataset(tmp_path, test=0.3).split == "test").sum() == 6


def test_test_without_train_is_a_class_like_another(tmp_path: Path) -> None:
    assert open_folder(tree(tmp_path, "test/1.png", "other/1.png"), None)[0].classes == ("other", "test")


def test_train_and_test_without_classes_are_parts_without_labels(tmp_path: Path) -> None:
    dataset, divided = open_folder(tree(tmp_path, "train/1.png", "test/1.png"), None)
    assert (divided, dataset.classes, dataset.labels) == (True, (), None)


def test_pictures_without_folders_have_no_classes_and_are_all_for_training(tmp_path: Path) -> None:
    dataset = open_dataset(tree(tmp_path, "1.png", "2.png", "3.png"))
    assert (dataset.classes, dataset.labels) == ((), None)
    assert dataset.split.tolist() == ["train"] * 3


def test_a_picture_beside_the_classes_is_named_and_has_no_label(tmp_path: Path) -> None:
    dataset, _ = open_folder(tree(tmp_path, "a/1.png", "b/1.png", "stray.png"), None)
    assert dataset.classes == ("a", "b")
    assert dataset.labels is not None
    assert dataset.labels.tolist() == [0, 1, -1]
    assert dataset.notes == ("1 pictures of train are in no class folder and have no label: stray.png",)


def test_deeper_folders_belong_to_the_class_above(tmp_path: Path) -> None:
    dataset, _ = open_folder(tree(tmp_path, "a/x/1.png", "a/y/z/2.png", "b/1.png"), None)
    assert dataset.classes == ("a", "b")
    assert dataset.labels is not None
    assert dataset.labels.tolist() == [0, 0, 1]


def test_hidden_and_other_files_are_passed_over(tmp_path: Path) -> None:
    kept = ["a/1.png", "a/2.JPG", "b/3.tiff"]
    tree(tmp_path, *kept, ".cache/1.png", "a/.1.png", "a/.thumbs/1.png", "b/._3.tiff", "a/notes.txt", "b/png")
    assert names(tmp_path) == kept


def test_a_hidden_folder_further_up_hides_nothing(tmp_path: Path) -> None:
    assert names(tree(tmp_path / ".hidden", "a/1.png")) == ["a/1.png"]


def test_a_folder_with_a_picture_s_suffix_is_a_folder(tmp_path: Path) -> None:
    assert names(tree(tmp_path, "a.png/1.png", "b.png/2.png")) == ["a.png/1.png", "b.png/2.png"]


def test_the_order_is_natural_for_files_and_classes(tmp_path: Path) -> None:
    tree(tmp_path, *(f"class{c}/p{p}.png" for c in (10, 2) for p in (100, 11, 2)))
    assert open_folder(tmp_path, None)[0].classes == ("class2", "class10")
    assert names(tmp_path) == [f"class{c}/p{p}.png" for c in (2, 10) for p in (2, 11, 100)]


@pytest.mark.parametrize("odd", ["²", "٣", "1a", "a1", "-1"])
def test_names_of_odd_digits_are_sorted_with_the_rest(odd: str, tmp_path: Path) -> None:
    tree(tmp_path, f"{odd}.png", "1.png", "b.png", "10.png")
    found = [path.stem for path in pictures_below(tmp_path)]
    assert sorted(found) == sorted([odd, "1", "b", "10"])
    assert found.index("1") < found.index("10")


@pytest.mark.parametrize(("content", "channels"), [(GREY, 1), (COLOUR, 3)])
def test_colour_is_kept_where_there_is_any(content: bytes, channels: int, tmp_path: Path) -> None:
    tree(tmp_path, "a/1.png", "a/2.png")
    tree(tmp_path, "b/1.png", content=content)
    dataset, _ = open_folder(tmp_path, None)
    assert dataset.channels == channels
    assert {dataset.pictures.read(i).shape for i in range(3)} == {(12, 16, channels)}


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_can_be_asked_for(channels: int, tmp_path: Path) -> None:
    dataset = open_dataset(tree(tmp_path, "a/1.png", content=COLOUR), channels=channels)
    assert dataset.channels == channels
    assert dataset.pictures.read(0).shape == (12, 16, channels)


def test_a_broken_file_does_not_hide_the_colour_of_the_others(tmp_path: Path) -> None:
    tree(tmp_path, "a/1.png", content=b"broken")
    tree(tmp_path, "a/2.png", content=COLOUR)
    assert open_folder(tmp_path, None)[0].channels == 3


def test_a_picture_that_is_a_dangling_link_is_kept_to_be_named(tmp_path: Path) -> None:
    tree(tmp_path, "a/1.png")
    (tmp_path / "a" / "2.png").symlink_to(tmp_path / "nowhere.png")
    assert names(tmp_path) == ["a/1.png", "a/2.png"]


@pytest.mark.parametrize("files", [[], ["notes.txt"], [".hidden.png"]])
def test_a_folder_without_pictures_is_one_line(files: list[str], tmp_path: Path) -> None:
    with pytest.raises(
        DataError,
        match="got no picture and no recording(, but .*)?, expected files ending in .*[.]bmp, .*; choose",
    ) as caught:
        open_folder(tree(tmp_path, *files), None)
    assert "\n" not in str(caught.value)


def test_labels_are_whole_numbers(tmp_path: Path) -> None:
    labels = open_folder(tree(tmp_path, "a/1.png"), None)[0].labels
    assert labels is not None
    assert labels.dtype == np.int64


def left(dataset: Dataset, root: Path) -> list[tuple[str, str]]:
    return [(path.removeprefix(f"{root}/"), why) for path, why in dataset.left_out]


def test_class_folders_that_are_links_are_classes_and_loops_are_named(tmp_path: Path) -> None:
    tree(tmp_path, "store/x/1.png", "d/cat/1.png")
    (tmp_path / "d" / "dog").symlink_to(tmp_path / "store" / "x")
    (tmp_path / "d" / "cat" / "loop").symlink_to(tmp_path / "d")
    dataset, _ = open_folder(tmp_path / "d", None)
    assert dataset.classes == ("cat", "dog")
    assert len(dataset) == 2
    assert left(dataset, tmp_path / "d") == [("cat/loop", "a link to a folder that is already read")]


def test_files_of_other_kinds_are_counted_by_suffix_and_emptied_folders_named(tmp_path: Path) -> None:
    tree(tmp_path, "a/1.png", "b/1.xyz", "b/2.XYZ", "c/3.png", "notes.txt", "labels.csv", "README")
    dataset, _ = open_folder(tmp_path, None)
    assert dataset.classes == ("a", "c")
    assert left(dataset, tmp_path) == [
        ("README", ""),
        ("b/1.xyz", ""),
        ("b/2.XYZ", ""),
        ("labels.csv", "pass the table itself as the data to read it"),
        ("notes.txt", ""),
    ]
    assert dataset.emptied == ("b",)


def test_a_part_without_a_file_that_is_read_is_named(tmp_path: Path) -> None:
    tree(tmp_path, "train/a/1.png", "train/b/1.png", "test/a/1.xyz")
    dataset, divided = open_folder(tmp_path, None)
    assert not divided
    assert dataset.emptied == ("test",)


def test_a_class_of_which_one_part_has_no_file_is_named_with_the_part(tmp_path: Path) -> None:
    tree(tmp_path, "train/a/1.png", "train/b/1.xyz", "test/b/1.png", "test/a/1.png")
    assert open_folder(tmp_path, None)[0].emptied == ("train/b",)


@pytest.mark.parametrize(
    ("kind", "count", "other"), [("pictures", 2, 3), ("recordings", 3, 2), ("any", 3, 2)]
)
def test_of_two_kinds_one_is_taken_and_the_other_named(
    kind: Kind, count: int, other: int, tmp_path: Path
) -> None:
    tree(tmp_path, "a/1.png", "a/2.png", "b/1.wav", "b/2.ogg", "b/3.wav")
    dataset = open_dataset(tmp_path, kind=kind)
    assert len(dataset) == count
    flag = "--kind recordings" if kind == "pictures" else "--kind pictures"
    assert [why for _, why in dataset.left_out] == [f"use {flag} to read these"] * other


def test_a_kind_that_is_not_there_is_one_line_that_says_what_is(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"got no picture, but not read: 1 \.wav \(use --kind recordings to read"
    ):
        open_dataset(tree(tmp_path, "a/1.wav"), kind="pictures")
    with pytest.raises(DataError, match="got recordings, expected pictures|no picture"):
        open_dataset(tmp_path / "a", kind="pictures")


def test_a_class_whose_name_is_not_utf8_can_be_read_and_written(tmp_path: Path) -> None:
    odd = os.fsencode(tree(tmp_path, "ok/1.png")) + b"/caf\xe9"
    os.mkdir(odd)  # noqa: PTH102  # a Path takes no bytes
    Path(os.fsdecode(odd + b"/1.png")).write_bytes(GREY)
    dataset, _ = open_folder(tmp_path, None)
    assert dataset.classes == ("caf\\udce9", "ok")
    assert dataset.pictures.name(0).encode().endswith(b"caf\\udce9/1.png")
    assert dataset.pictures.read(0).shape == (12, 16, 1)


def test_one_letter_in_two_forms_is_one_class(tmp_path: Path) -> None:
    tree(tmp_path, "train/caf\u00e9/1.png", "train/x/1.png", "test/cafe\u0301/1.png")
    assert open_folder(tmp_path, None)[0].classes == ("caf\u00e9", "x")


def test_classes_that_differ_in_case_alone_are_named(tmp_path: Path) -> None:
    dataset, _ = open_folder(tree(tmp_path, "train/Cat/1.png", "test/cat/1.png", "train/dog/1.png"), None)
    assert dataset.notes == ("class names that differ only in case or spaces: Cat, cat",)


def test_digits_that_are_no_numbers_are_sorted_as_letters(tmp_path: Path) -> None:
    assert open_folder(tree(tmp_path, "10²/1.png", "9/1.png", "10/1.png"), None)[0].classes == (
        "9",
        "10",
        "10²",
    )
