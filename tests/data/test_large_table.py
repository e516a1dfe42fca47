import csv
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from kakera import progress
from kakera.data.checks.digest import digest
from kakera.data.sources import lookup, rows
from kakera.data.sources.open import open_dataset
from kakera.data.sources.table import open_table
from kakera.errors import DataError
from tests.data.files import NOISE, encoded

NOTE = "more than 3 rows: missing files are detected only when they are read"
PNG = encoded(NOISE)


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "MOST", 3)


def table(root: Path, text: str) -> Path:
    (root / "list.csv").write_text(text)
    return root / "list.csv"


def large(root: Path, count: int = 200_000) -> Path:
    random = np.random.default_rng(0)
    classes, parts = random.integers(0, count // 50, count), random.integers(0, 3, count)
    lines = (
        f"n{label:08}/n{label:08}_{row}.JPEG,n{label:08},{('train', 'val', 'test')[part]}"
        for row, (label, part) in enumerate(zip(classes, parts, strict=True))
    )
    return table(root, "\n".join(["file,label,split", *lines]))


def test_a_large_table_is_what_a_simple_reading_of_it_says(tmp_path: Path) -> None:
    path = large(tmp_path, 20_000)
    dataset = open_dataset(path)
    with path.open(newline="") as file:
        expected = [*csv.DictReader(file)]
    classes = sorted({row["label"] for row in expected})
    assert dataset.classes == tuple(classes)
    assert dataset.labels is not None
    assert [classes[label] for label in dataset.labels] == [row["label"] for row in expected]
    assert dataset.split.tolist() == [row["split"] for row in expected]
    names = [str(tmp_path / row["file"]) for row in expected]
    assert [dataset.pictures.name(row) for row in range(len(expected))] == names
    part = dataset.part("val")
    chosen = [name for name, row in zip(names, expected, strict=True) if row["split"] == "val"]
    assert [part.pictures.name(row) for row in range(len(part))] == chosen


def test_rows_take_little_memory_and_time(tmp_path: Path) -> None:
    path, count = large(tmp_path), 200_000
    began = time.process_time()
    open_table(path, None)
    assert time.process_time() - began < 10
    tracemalloc.start()
    try:
        dataset, _ = open_table(path, None)
        kept, peak = tracemalloc.get_traced_memory()
        part = dataset.part("train")
        with_part = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert len(dataset) == count
    assert kept / count < 120
    assert peak / count < 250
    assert (with_part - kept) / len(part) < 60


def test_no_file_is_looked_up_and_a_note_says_so(tmp_path: Path) -> None:
    found = open_dataset(table(tmp_path, "file,label\na.png,x\nb.png,y\nc.png,x\nd.png,y\n"))
    assert (len(found), found.unreadable, found.notes) == (4, (), (NOTE,))
    few = open_dataset(_with_files(table(tmp_path, "file,label\na.png,x\nb.png,y\nc.png,x\n")))
    assert few.notes == ()


def test_what_may_be_a_mistake_is_looked_up_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "x.png").write_bytes(PNG)
    names = ["sub\\x.png", " a.png", "b.png", "no.png", " none.png", "a\0.png"]
    found = open_dataset(_with_files(table(tmp_path, "\n".join(["file", *names]))))
    expected = ["sub/x.png", "a.png", "b.png", "no.png"]
    assert [found.pictures.name(row) for row in range(4)] == [str(tmp_path / name) for name in expected]
    assert [one.path for one in found.unreadable] == [str(tmp_path / name) for name in names[4:]]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("a.png,x,\na.png,y,", "got a.png more than once, with labels x and y (lines 2 and 3), expected"),
        ("a.png,x,\n./a.png,y,", "got a.png and ./a.png, one file, more than once, with labels x and y"),
        ("a.png,x|y,\nHERE/a.png,y,", "one file, more than once, with labels x|y and y (lines 2 and 3)"),
        ("a.png,x,train\na.png,x,test", "got a.png more than once, in train and in test (lines 2 and 3)"),
        ("sub//a.png,x,\nsub/./a.png,x,", "one file, more than once (lines 2 and 3), expected each file"),
        ("a.png,x,\n a.png,x,", "got a.png and a.png, one file, more than once (lines 2 and 3), expected"),
    ],
)
def test_the_same_name_twice_is_refused(lines: str, words: str, tmp_path: Path) -> None:
    text = "file,label,split\n" + lines.replace("HERE", str(tmp_path)) + "\nb.png,x,\nc.png,y,\n"
    with pytest.raises(DataError) as caught:
        open_table(_with_files(table(tmp_path, text)), None)
    assert words in str(caught.value)


def test_names_of_one_hash_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "hash", lambda _: 7, raising=False)
    assert len(open_table(table(tmp_path, "file\na.png\nb.png\nc.png\nd.png\n"), None)[0]) == 4


def test_spans_of_one_recording_are_told_apart(tmp_path: Path) -> None:
    text = "file,start,end\na.wav,0,1\na.wav,1,2\na.wav,2,\nb.wav,,\n"
    found = open_table(table(tmp_path, text), None)[0].sounds
    assert found is not None
    assert [found.name(row).removeprefix(f"{tmp_path}/") for row in range(4)] == [
        "a.wav[0–1 s]",
        "a.wav[1–2 s]",
        "a.wav[2– s]",
        "b.wav",
    ]
    with pytest.raises(DataError, match="a.wav more than once"):
        open_table(table(tmp_path, text + "a.wav,1.0,2.0\n"), None)


def test_the_digest_is_that_of_files_that_were_looked_up(tmp_path: Path) -> None:
    path = _with_files(table(tmp_path, "file,label\na.png,x\nb.png,y\nc.png,x\nd.png,y\n"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lookup, "MOST", 1000)
        expected = digest(open_dataset(path))
    assert digest(open_dataset(path)) == expected


def test_progress_is_shown_where_reading_takes_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress, "FIRST", -1)
    monkeypatch.setattr(rows, "MEGABYTE", 1000)
    path = large(tmp_path, 5000)
    open_table(path, None)
    shown = capsys.readouterr().err
    assert "read list.csv: " in shown
    assert f"/{path.stat().st_size // 1000}, " in shown


def _with_files(path: Path) -> Path:
    for stem in "abcd":
        (path.parent / f"{stem}.png").write_bytes(PNG)
    return path
