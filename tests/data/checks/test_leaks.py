"""Files to measure on that are training files too, by their bytes."""

import shutil
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from kakera.data.checks import leaks as module
from kakera.data.checks.leaks import Leaks, leaks
from kakera.data.dataset import Dataset
from kakera.data.holders import ArrayPictures
from kakera.data.packing.pack import pack
from kakera.data.sources.open import open_dataset
from tests.data.files import encoded
from tests.small import folder
from tests.training.songs import songs


def parts(root: Path, count: int = 6) -> Path:
    """Training and test pictures, none of them equal."""
    folder(root / "train", count=count)
    folder(root / "test", count=count, side=27)
    return root


def found(source: str | Path) -> Leaks:
    dataset = open_dataset(source)
    return leaks(dataset.part("train"), dataset.part("test"))


def names(pairs: Leaks) -> list[tuple[str, str]]:
    return [(Path(first).name, Path(second).name) for first, second in pairs]


def test_pictures_that_are_not_equal_are_no_leak(tmp_path: Path) -> None:
    assert found(parts(tmp_path / "d")) == ()


def test_a_copy_of_a_training_file_under_another_name_is_found(tmp_path: Path) -> None:
    root = parts(tmp_path / "d")
    shutil.copy(root / "train" / "bag" / "3.png", root / "test" / "boot" / "copy.png")
    assert names(found(root)) == [("3.png", "copy.png")]


def test_copies_within_a_part_are_no_leak(tmp_path: Path) -> None:
    root = parts(tmp_path / "d")
    shutil.copy(root / "test" / "bag" / "3.png", root / "test" / "boot" / "copy.png")
    assert found(root) == ()


def test_files_that_differ_in_one_byte_alone_are_no_leak(tmp_path: Path) -> None:
    root = parts(tmp_path / "d")
    values = np.zeros((200, 200, 3), np.uint8)
    (root / "train" / "bag" / "a.bmp").write_bytes(encoded(values, "BMP"))
    values[150, 100] = 1
    (root / "test" / "bag" / "b.bmp").write_bytes(encoded(values, "BMP"))
    assert found(root) == ()


def test_of_more_bytes_than_are_read_whole_the_middle_and_the_end_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = parts(tmp_path / "d")
    shutil.copy(root / "train" / "bag" / "3.png", root / "test" / "boot" / "copy.png")
    monkeypatch.setattr(module, "MOST", 10)
    assert names(found(root)) == [("3.png", "copy.png")]


def test_equal_files_that_cannot_be_read_are_no_leak(tmp_path: Path) -> None:
    root = parts(tmp_path / "d")
    for part in ("train", "test"):
        (root / part / "bag" / "page.png").write_bytes(b"<html>not found</html>")
    assert found(root) == ()


def test_equal_arrays_are_found() -> None:
    values = np.random.default_rng(0).integers(0, 255, (6, 5, 5, 1), dtype=np.uint8)
    values[5] = values[1]
    split = np.array(["train"] * 3 + ["test"] * 3)
    dataset = Dataset("d", ArrayPictures(values), 1, split)
    assert leaks(dataset.part("train"), dataset.part("test")) == (("picture[1]", "picture[5]"),)


def test_in_shards_they_are_found_too(tmp_path: Path) -> None:
    root = parts(tmp_path / "d")
    shutil.copy(root / "train" / "bag" / "3.png", root / "test" / "boot" / "copy.png")
    pack(root, tmp_path / "packed")
    assert names(found(tmp_path / "packed")) == [("3.png", "copy.png")]


def test_equal_recordings_are_found(tmp_path: Path) -> None:
    root = songs(tmp_path / "d", count=6)
    dataset = open_dataset(root)
    train, test = (int(np.flatnonzero(dataset.split == part)[0]) for part in ("train", "test"))
    assert leaks(dataset.take([train]), dataset.take([test])) == ()
    shutil.copy(dataset.pictures.name(train), dataset.pictures.name(test))
    assert len(leaks(dataset.take([train]), dataset.take([test]))) == 1


def test_spans_of_one_recording_that_differ_are_no_leak(tmp_path: Path) -> None:
    root = songs(tmp_path / "d", count=1)
    (path, *_) = sorted(root.rglob("*.wav"))
    copy = shutil.copy(path, tmp_path / "copy.wav")
    rows = [f"{path},a,train,0,0.5", f"{copy},a,test,0.5,1", f"{copy},a,test,0,0.5"]
    (tmp_path / "t.csv").write_text("\n".join(["file,label,split,start,end", *rows]))
    assert names(found(tmp_path / "t.csv")) == [(f"{path.name}[0–0.5 s]", "copy.wav[0–0.5 s]")]


def test_files_that_equal_no_other_take_little_memory() -> None:
    count = 20_000
    values = np.random.default_rng(0).integers(0, 255, (count, 4, 4, 1), dtype=np.uint8)
    split = np.where(np.arange(count) % 2, "test", "train")
    values[1001] = values[2000]
    dataset = Dataset("d", ArrayPictures(values), 1, split)
    train, test = dataset.part("train"), dataset.part("test")
    tracemalloc.start()
    try:
        pairs = leaks(train, test)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert pairs == (("picture[2000]", "picture[1001]"),)
    assert peak / count < 100
