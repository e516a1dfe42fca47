"""What changed in a data set is counted: files gone and new, sizes, contents, labels, parts."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from kakera.data.checks import inventory as module
from kakera.data.checks.digest import changed, digest
from kakera.data.checks.inventory import changes, inventory, packed, unpacked
from kakera.data.dataset import Dataset
from kakera.data.holders import FilePictures

CLASSES = ("ant", "bee", "cat")


def dataset(root: Path, contents: dict[str, bytes], labels: list[int], parts: list[str]) -> Dataset:
    for name, content in contents.items():
        (root / name).write_bytes(content)
    pictures = FilePictures([root / name for name in contents], 3)
    return Dataset("some", pictures, 3, np.array(parts), CLASSES, np.array(labels))


def twenty(root: Path, change: Callable[[dict[str, bytes], list[int], list[str]], None]) -> Dataset:
    contents = {f"{number:02}.png": bytes([number]) * 9000 for number in range(20)}
    labels, parts = [number % 3 for number in range(20)], ["train"] * 15 + ["test"] * 5
    change(contents, labels, parts)
    root.mkdir(exist_ok=True)
    return dataset(root, contents, labels, parts)


def counted(root: Path, change: Callable[[dict[str, bytes], list[int], list[str]], None]) -> list[str]:
    before = twenty(root / "before", lambda *_: None)
    now = twenty(root / "now", change)
    kinds = changed(digest(before), digest(now))
    one, other = inventory(before), inventory(now)
    assert one is not None
    assert other is not None
    return changes(one, other, kinds)


def two_gone(contents: dict[str, bytes], labels: list[int], parts: list[str]) -> None:
    for number in (7, 3):
        del contents[f"{number:02}.png"], labels[number], parts[number]


def three_labels(contents: dict[str, bytes], labels: list[int], parts: list[str]) -> None:
    labels[0:3] = [1, 2, 0]


def another_content(contents: dict[str, bytes], labels: list[int], parts: list[str]) -> None:
    contents["04.png"] = b"x" * 9000


def another_size(contents: dict[str, bytes], labels: list[int], parts: list[str]) -> None:
    contents["04.png"] = b"x" * 9001


def another_part(contents: dict[str, bytes], labels: list[int], parts: list[str]) -> None:
    parts[0], parts[19] = "test", "train"


def much(contents: dict[str, bytes], labels: list[int], parts: list[str]) -> None:
    three_labels(contents, labels, parts)
    another_content(contents, labels, parts)
    del contents["19.png"], labels[19], parts[19]
    contents["new.png"] = b""
    labels.append(0)
    parts.append("test")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda *_: None, []),
        (two_gone, ["2 files removed"]),
        (three_labels, ["3 labels"]),
        (another_content, ["1 file with changed content"]),
        (another_size, ["1 file with another size"]),
        (another_part, ["2 files in another part"]),
        (much, ["1 file removed", "1 file added", "1 file with changed content", "3 labels"]),
    ],
)
def test_changes_are_counted(
    change: Callable[[dict[str, bytes], list[int], list[str]], None], words: list[str], tmp_path: Path
) -> None:
    assert counted(tmp_path, change) == words


def test_classes_that_are_renamed_change_their_labels_alone(tmp_path: Path) -> None:
    before = twenty(tmp_path / "all", lambda *_: None)
    now = Dataset("some", before.pictures, 3, before.split, ("ant", "wasp", "cat"), before.labels)
    one, other = inventory(before), inventory(now)
    assert one is not None
    assert other is not None
    assert changes(one, other) == ["7 labels"]


def test_a_million_files_more_have_no_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 19)
    assert inventory(twenty(tmp_path / "all", lambda *_: None)) is None


def test_a_list_is_read_as_it_was_written_and_another_file_is_none(tmp_path: Path) -> None:
    rows = inventory(twenty(tmp_path / "all", lambda *_: None))
    assert rows is not None
    back = unpacked(packed(rows))
    assert back is not None
    assert np.array_equal(rows, back)
    assert rows.itemsize == 25
    assert unpacked(b"") is None
    assert unpacked(packed(rows)[:-1]) is None
    assert unpacked(packed(rows["size"])) is None


@given(some.lists(some.booleans(), min_size=5, max_size=5))
def test_several_labels_of_a_file_count_once(chosen: list[bool]) -> None:
    pictures = FilePictures([Path(f"/none/{number}.png") for number in range(3)], 3)
    labels = np.zeros((3, 5), np.bool_)
    before = Dataset("some", pictures, 3, np.array(["train"] * 3), tuple("abcde"), labels)
    other = labels.copy()
    other[1] = chosen
    now = Dataset("some", pictures, 3, np.array(["train"] * 3), tuple("abcde"), other)
    one, two = inventory(before), inventory(now)
    assert one is not None
    assert two is not None
    assert changes(one, two) == (["1 label"] if any(chosen) else [])
