import json
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kakera
from kakera.data.checks.findings import LISTED, left_lines, taken_line
from kakera.data.checks.inspect import inspect_dataset
from kakera.data.dataset import Dataset
from kakera.data.holders import ArrayPictures
from kakera.data.preload.preload import preload
from kakera.data.preload.statistics import mean_std
from kakera.data.sources.open import open_dataset
from kakera.errors import DataError, UnreadableFileError
from tests.data.files import NOISE, encoded, on_disk
from tests.small import folder, pictures

A, B, C, D = (np.roll(NOISE, turn, axis=0) for turn in range(4))
GONE = UnreadableFileError("gone.png", "got no file of this name, expected a picture")


def files(root: Path, split: str = "ttttss", labels: tuple[int, ...] = (0, 0, 1, 1, 0, 2)) -> Dataset:
    """0 = 1 in one part, 2 = 4 across parts with other labels, 5 alone in its class; one is broken."""
    values = {"0.png": A, "1.png": A, "2.png": B, "3.png": b"", "4.png": B, "5.png": C[:4]}
    parts = np.array([{"t": "train", "s": "test"}[letter] for letter in split])
    dataset = on_disk(root, values)
    return replace(dataset, split=parts, classes=tuple("xyz"), labels=np.array(labels), unreadable=(GONE,))


def names(pairs: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    return [(Path(one).stem, Path(other).stem) for one, other in pairs]


def test_equal_pictures_are_found_in_a_part_across_parts_and_with_other_labels(tmp_path: Path) -> None:
    found = inspect_dataset(files(tmp_path))
    assert names(found.duplicates) == [("0", "1")]
    assert names(found.leaks) == [("2", "4")]
    assert names(found.contradictions) == [("2", "4")]


def test_several_labels_contradict_where_one_differs(tmp_path: Path) -> None:
    many = np.array([[1, 1], [1, 0], [1, 0], [0, 0], [1, 0], [0, 1]], dtype=bool)
    found = inspect_dataset(replace(files(tmp_path), labels=many, classes=("x", "y")))
    assert names(found.contradictions) == [("0", "1")]
    assert found.classes == {
        "x": {"train": 3, "val": 0, "test": 1},
        "y": {"train": 1, "val": 0, "test": 1},
    }


def test_pictures_of_the_same_bytes_and_another_shape_are_not_equal() -> None:
    values = [NOISE, NOISE.reshape(16, 12, 3)]
    found = inspect_dataset(Dataset("d", ArrayPictures(values), 3, np.array(["train", "train"])))
    assert (found.duplicates, found.sizes) == ((), {"12 x 16": 1, "16 x 12": 1})


def test_readable_pictures_are_counted_by_part_size_and_class(tmp_path: Path) -> None:
    dataset = files(tmp_path, labels=(0, 0, 1, 1, -1, 2))
    found = inspect_dataset(dataset)
    assert found.parts == {"train": 3, "val": 0, "test": 2}
    assert found.sizes == {"12 x 16": 4, "4 x 16": 1}
    assert found.classes["x"] == {"train": 2, "val": 0, "test": 0}
    assert found.classes["y"] == {"train": 1, "val": 0, "test": 0}
    assert found.classes["z"] == {"train": 0, "val": 0, "test": 1}
    assert found.unlabelled == 1
    assert (found.mean, found.std) == mean_std(dataset.take([0, 1, 2, 4, 5]))


def test_unreadable_files_are_those_left_out_before_and_those_found_now(tmp_path: Path) -> None:
    found = inspect_dataset(files(tmp_path)).unreadable
    assert [Path(path).name for path, _ in found] == ["gone.png", "3.png"]
    assert found[1][1].startswith("got an empty file")


def test_the_page_says_what_is_wrong_one_fact_a_line(tmp_path: Path) -> None:
    lines = inspect_dataset(files(tmp_path)).lines()
    assert lines[0] == "files: 5 pictures, colour"
    assert lines[1] == "parts: train 3, test 2"
    assert lines[2] == "sizes: 12 x 16 (4), 4 x 16 (1)"
    assert "  y: train 1, test 0" in lines
    assert "  x: train 2, test 1" in lines
    assert "unreadable: 2" in lines
    assert f"  {tmp_path / '0.png'} = {tmp_path / '1.png'}" in lines
    assert "equal pictures within one part: 1" in lines
    assert "leaks between parts: 1" in lines
    assert "equal pictures with different labels: 1" in lines
    assert "warning: class y has 1 training picture: too few to learn from" in lines
    assert all("\n" not in line for line in lines)


def test_unreadable_pictures_do_not_count_in_the_warnings(tmp_path: Path) -> None:
    found = inspect_dataset(files(tmp_path)).warnings
    assert "class y has 1 training picture: too few to learn from" in found  # the other is 3.png
    assert "accuracy of class z is measured on only 1 test picture" in found


def test_pictures_of_one_colour_are_warned_of() -> None:
    grey = [np.full((4, 4, 1), 77, np.uint8)] * 3
    found = inspect_dataset(Dataset("d", ArrayPictures(grey), 1, np.full(3, "train"))).warnings
    assert "every pixel has the same colour: a model cannot learn from these pictures" in found
    assert not any("one colour" in text for text in inspect_dataset(pictures(30, 10)).warnings)


def test_of_many_findings_the_first_are_shown() -> None:
    values = np.zeros((LISTED + 6, 2, 2, 1), np.uint8)
    found = inspect_dataset(Dataset("d", ArrayPictures(values), 1, np.full(len(values), "train")))
    lines = found.lines()
    assert len(found.duplicates) == LISTED + 5
    assert sum(" = " in line for line in lines) == LISTED
    assert "  … and 5 more" in lines
    assert "classes: none (pretraining needs none)" in lines


def test_of_many_sizes_the_five_commonest_are_shown() -> None:
    values = [np.zeros((side, 3, 1), np.uint8) for side in (9, *range(1, 8), 9)]
    line = inspect_dataset(Dataset("d", ArrayPictures(values), 1, np.full(9, "train"))).lines()[2]
    assert line.startswith("sizes: 9 x 3 (2), ")
    assert line.endswith("and 3 other sizes")


def test_it_is_plain_values_for_json(tmp_path: Path) -> None:
    found = inspect_dataset(files(tmp_path))
    again = json.loads(json.dumps(found.to_json()))
    assert again["leaks"] == [list(pair) for pair in found.leaks]
    assert again["classes"] == found.classes


def test_the_demo_has_nothing_wrong_with_it() -> None:
    found = inspect_dataset(pictures(100, 50))
    assert found.parts == {"train": 100, "val": 0, "test": 50}
    assert found.sizes == {"28 x 28": 150}
    assert (found.duplicates, found.leaks, found.contradictions, found.unreadable) == ((), (), (), ())


@pytest.mark.parametrize("values", [{}, {"a.png": b"", "b.png": b"text"}])
def test_nothing_readable_is_one_line(values: dict[str, bytes], tmp_path: Path) -> None:
    with pytest.raises(DataError, match="files: got no readable picture"):
        inspect_dataset(on_disk(tmp_path, values))


def test_a_path_and_a_name_are_opened(tmp_path: Path) -> None:
    root = folder(tmp_path / "d", count=3)
    for given in (root, str(root)):
        assert inspect_dataset(given) == inspect_dataset(open_dataset(root))
    assert inspect_dataset("demo", channels=3).channels == 3
    with pytest.raises(DataError, match="no such file or folder"):
        inspect_dataset(str(tmp_path / "nowhere"))


def test_what_is_left_out_is_counted_by_suffix_and_reason_with_examples() -> None:
    left = [("d/poster.png", "at the top"), *((f"d/{n}.txt", "") for n in range(5)), ("d/READ.ME/x", "")]
    assert left_lines(left, ("train/b",)) == [
        "not read: 1 .png (at the top): d/poster.png",
        "not read: 5 .txt: d/0.txt, d/1.txt, d/2.txt, …",
        "not read: 1 without a suffix: d/READ.ME/x",
        "class without readable files: train/b",
    ]


def test_inspection_says_what_was_left_out_emptied_and_decided(tmp_path: Path) -> None:
    folder(tmp_path / "d", count=3)
    (tmp_path / "d" / "notes.txt").write_text("notes")
    (tmp_path / "d" / "gone").mkdir()
    (tmp_path / "d" / "gone" / "1.png").write_bytes(b"no picture")
    (tmp_path / "d" / "stray.png").write_bytes(encoded(NOISE))
    found = inspect_dataset(tmp_path / "d")
    assert found.emptied == ("gone",)
    lines = found.lines()
    assert f"not read: 1 .txt: {tmp_path}/d/notes.txt" in lines
    assert "class without readable files: gone" in lines
    assert "note: 1 pictures of train are in no class folder and have no label: stray.png" in lines
    assert json.loads(json.dumps(found.to_json()))["left_out"] == [[f"{tmp_path}/d/notes.txt", ""]]


def test_one_line_says_all_of_it(tmp_path: Path) -> None:
    folder(tmp_path / "d", count=3)
    (tmp_path / "d" / "song.wav").write_bytes(b"")
    dataset = replace(open_dataset(tmp_path / "d"), unreadable=(GONE,), notes=("a note",))
    assert taken_line(dataset, {}, {}) == (
        f"{tmp_path}/d: 6 pictures (6 .png); not read: 1 .wav (use --kind recordings to read these): "
        f"{tmp_path}/d/song.wav; unreadable: 1 (gone.png: {GONE.reason}); a note"
    )


def test_those_that_carry_none_of_several_labels_are_counted(tmp_path: Path) -> None:
    many = np.array([[1, 1], [0, 0], [1, 0], [0, 0], [0, 0], [0, 0]], dtype=bool)
    found = inspect_dataset(replace(files(tmp_path, split="ttttts"), labels=many, classes=("x", "y")))
    assert found.notes == ("2 pictures have none of the classes",)
    assert found.unlabelled == 1  # a test part without any label is not labelled


def test_pictures_that_are_too_large_are_counted_apart_from_those_that_cannot_be_read(tmp_path: Path) -> None:
    root = folder(tmp_path / "d", count=6)
    (root / "bag" / "0.png").write_bytes(b"nothing")
    content = (root / "bag" / "1.png").read_bytes()
    wide = (20_000).to_bytes(4, "big")
    header = content[12:16] + wide + wide + content[24:29]  # IHDR: a size that nobody can have
    checksum = zlib.crc32(header).to_bytes(4, "big")
    (root / "bag" / "1.png").write_bytes(content[:12] + header + checksum + content[33:])
    lines = inspect_dataset(root).lines()
    assert "unreadable: 1" in lines
    assert "too large, above 100 megapixels: 1" in lines
    dataset = preload(open_dataset(root))
    assert "; unreadable: 1 (" in taken_line(dataset, {}, {})
    assert "; too large, above 100 megapixels: 1 (" in taken_line(dataset, {}, {})


def test_a_name_a_path_and_a_data_set_are_inspected_alike(tmp_path: Path) -> None:
    path = folder(tmp_path / "d", count=3)
    found = kakera.inspect(str(path))
    assert found == kakera.inspect(path) == kakera.inspect(open_dataset(path))
    assert kakera.inspect("demo") == inspect_dataset(open_dataset("demo"))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (None, "a value of type NoneType"),
        (3, "a value of type int"),
        (["a.png"], "a value of type list"),
        (b"demo", "a value of type bytes"),
        ("nowhere", "no such file or folder"),
        ("", "no picture and no recording"),
    ],
)
def test_what_cannot_be_inspected_is_one_line(
    wrong: Any, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=words) as caught:
        kakera.inspect(wrong)
    assert "\n" not in str(caught.value)
