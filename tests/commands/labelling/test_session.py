"""Clicks, undo, several people, and the table on the disk."""

import csv
import errno
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kakera.commands.labelling.session import Labelling
from kakera.commands.labelling.table import Entry, LabelTable, require_label
from kakera.data.sources.open import open_dataset
from kakera.errors import DataError, OptionError, StorageError
from tests.small import folder


def labelling(
    out: Path, count: int = 40, batch: int = 10, seed: int = 0, clock: Callable[[], float] = time.time
) -> Labelling:
    tokens = np.random.default_rng(0).normal(size=(count, 6)) + 9 * np.eye(6)[np.arange(count) % 4]
    keys = [row.to_bytes(2, "little") for row in range(count)]
    table = LabelTable(out, [(f"a/{row}.png", "", "") for row in range(count)])
    return Labelling(tokens.astype(np.float32), keys, table, ["x", "y"], batch=batch, seed=seed, clock=clock)


def rows_on_disk(out: Path) -> dict[str, str]:
    with out.open(newline="") as file:
        return {row["file"]: row["label"] for row in csv.DictReader(file)}


def test_a_click_is_on_the_disk_when_it_returns(tmp_path: Path) -> None:
    out = tmp_path / "labels.csv"
    own = labelling(out)
    for number, query in enumerate(own.next_batch("ann")):
        own.assign([query.row], "xy"[number % 2], "ann", person=" Ann ")
        assert rows_on_disk(out)[f"a/{query.row}.png"] == "xy"[number % 2]
    assert own.count == len(rows_on_disk(out)) == 10


def test_a_second_start_goes_on_from_the_table(tmp_path: Path) -> None:
    out = tmp_path / "labels.csv"
    first = labelling(out)
    for query in first.next_batch("ann"):
        first.assign([query.row], "new class", "ann")
    for query in first.next_batch("ann")[:5]:
        first.assign([query.row], "x", "ann")
    second = labelling(out)
    assert second.count == 15
    assert second.classes == ("x", "y", "new class")
    assert all(second.entry(row) == first.entry(row) for row in range(40))
    seen = {query.row for query in second.next_batch("ann")}
    assert not any(second.entry(row) for row in seen)


def test_the_random_sample_goes_on_where_it_was(tmp_path: Path) -> None:
    """The files of the sample are a beginning of the random order, without holes, also after a kill."""
    out = tmp_path / "labels.csv"
    own = labelling(out)
    for start in range(3):
        own = labelling(out)
        for number, query in enumerate(own.next_batch(f"ann {start}")):
            if number % 3 != 2:  # some are given out, but not labelled, before the kill
                own.assign([query.row], "xy"[query.row % 2], f"ann {start}")
    own = labelling(out)
    while queries := own.next_batch("ann"):
        own.assign([query.row for query in queries], "x", "ann")
    entries = [own.entry(row) for row in range(40)]
    assert all(entry is not None and entry.part in ("train", "test") for entry in entries)
    assert own.count == 40


def test_two_people_never_have_the_same_file(tmp_path: Path) -> None:
    own = labelling(tmp_path / "labels.csv")
    given: list[int] = []
    for session in ("ann", "ben", "cem"):
        given += [query.row for query in own.next_batch(session)]
    assert len(given) == len(set(given)) == 30
    assert own.sessions == 3


def test_a_batch_stays_the_same_until_it_is_labelled(tmp_path: Path) -> None:
    own = labelling(tmp_path / "labels.csv")
    batch = own.next_batch("ann")
    own.assign([batch[0].row], "x", "ann")
    assert own.next_batch("ann") == batch[1:]  # a page that was closed and opened again


def test_files_of_a_silent_person_are_given_to_others(tmp_path: Path) -> None:
    now = [0.0]
    own = labelling(tmp_path / "labels.csv", count=10, clock=lambda: now[0])
    lost = {query.row for query in own.next_batch("ann")}
    now[0] = 500.0
    assert own.next_batch("ben") == []
    now[0] = 700.0
    assert {query.row for query in own.next_batch("ben")} == lost


def test_of_two_labels_the_later_one_counts_and_the_earlier_one_is_kept(tmp_path: Path) -> None:
    out = tmp_path / "labels.csv"
    own = labelling(out)
    assert own.assign([3], "x", "1", person="Ann") == []
    assert own.assign([3], "y", "2", person="Ben") == ["Ann had labelled it x"]
    entry = labelling(out).entry(3)
    assert entry is not None
    assert (entry.label, entry.person, entry.earlier) == ("y", "Ben", "x by Ann")


def test_two_people_without_names_are_told_apart(tmp_path: Path) -> None:
    own = labelling(tmp_path / "labels.csv")
    own.assign([3], "x", "1")
    assert own.assign([3], "y", "1") == []  # a correction of one's own
    assert own.assign([3], "x", "2") == ["another person had labelled it y"]


def test_the_rest_of_a_killed_write_is_removed_at_the_next_start(tmp_path: Path) -> None:
    rest, other, new = (
        tmp_path / name for name in (".labels.csv.0a1b2c3d", ".labels.csv", ".labels.csv.abcdefab")
    )
    for path in (rest, other, new):
        path.touch()
    os.utime(rest, (0, 0))
    os.utime(other, (0, 0))
    labelling(tmp_path / "labels.csv")
    assert [path.exists() for path in (rest, other, new)] == [False, True, True]


def test_a_table_that_names_a_file_twice_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "labels.csv"
    labelling(out).assign([3], "x", "1")
    with out.open("a") as file:
        file.write("a/3.png,y,train,,,,,\n")
    with pytest.raises(OptionError, match=r"out: got a/3.png twice in .*labels.csv, expected one row"):
        labelling(out)


def test_undo_restores_the_table(tmp_path: Path) -> None:
    out = tmp_path / "labels.csv"
    own = labelling(out)
    own.assign([1], "x", "ann")
    before = rows_on_disk(out)
    own.assign([1, 2, 5], "y", "ann")
    assert own.undo("ann") == [1, 2, 5]
    assert rows_on_disk(out) == before == {"a/1.png": "x"}
    assert [query.row for query in own.next_batch("ann")] == [2, 5]  # asked again
    assert own.undo("ann") == [1]
    with pytest.raises(OptionError, match="got no click of yours"):
        own.undo("ann")


def test_undo_does_not_touch_the_label_of_another_person(tmp_path: Path) -> None:
    own = labelling(tmp_path / "labels.csv")
    own.assign([1], "x", "ann")
    own.assign([1], "y", "ben")
    with pytest.raises(OptionError, match="got a file with a newer label"):
        own.undo("ann")
    own.undo("ben")
    own.undo("ann")
    assert own.entry(1) is None


def test_a_skipped_file_is_not_shown_again_and_has_no_label(tmp_path: Path) -> None:
    out = tmp_path / "labels.csv"
    own = labelling(out, count=12)
    skipped = own.next_batch("ann")[0].row
    own.assign([skipped], "", "ann")
    again = labelling(out, count=12)
    assert again.count == 0
    assert skipped not in {query.row for query in [*again.next_batch("ann"), *again.next_batch("ben")]}


def test_on_a_full_disk_nothing_is_acknowledged_and_nothing_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "labels.csv"
    own = labelling(out)
    own.assign([1], "x", "ann")

    def full(place: int, content: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as disk:
        disk.setattr(os, "write", full)
        with pytest.raises(StorageError, match=r"labels.csv: got No space left on device"):
            own.assign([2], "z", "ann")
        with pytest.raises(StorageError):
            own.undo("ann")
    assert rows_on_disk(out) == {"a/1.png": "x"}
    assert (own.entry(2), own.classes, own.count) == (None, ("x", "y"), 1)
    own.assign([2], "z", "ann")
    assert rows_on_disk(out) == {"a/1.png": "x", "a/2.png": "z"}


def test_a_table_that_another_program_changed_is_not_overwritten(tmp_path: Path) -> None:
    out = tmp_path / "labels.csv"
    own, other = labelling(out), labelling(out)
    other.assign([1], "x", "ann")
    with pytest.raises(StorageError, match="got a table that another program has changed"):
        own.assign([2], "x", "ben")
    assert rows_on_disk(out) == {"a/1.png": "x"}


def test_rows_of_files_that_are_gone_are_kept(tmp_path: Path) -> None:
    out = tmp_path / "labels.csv"
    own = labelling(out, count=40)
    own.assign([39], "x", "ann")
    fewer = labelling(out, count=30)
    fewer.assign([0], "y", "ann")
    assert rows_on_disk(out) == {"a/39.png": "x", "a/0.png": "y"}


@pytest.mark.parametrize(
    "content",
    [b"file,label\na.png,x\n", b"\xff\xfe", b"", b'file,"label', b"file,label,part,drawn\n" + b"a,b,c\n"],
)
def test_a_table_of_another_program_is_refused_and_stays(tmp_path: Path, content: bytes) -> None:
    out = tmp_path / "labels.csv"
    out.write_bytes(content)
    with pytest.raises(OptionError, match="expected a new file, or a table of kakera label"):
        labelling(out)
    assert out.read_bytes() == content


def test_tokens_that_are_not_finite_name_the_file(tmp_path: Path) -> None:
    table = LabelTable(tmp_path / "labels.csv", [("a.png", "", ""), ("b.png", "", "")])
    with pytest.raises(DataError, match=r"b.png: got tokens that are not finite"):
        Labelling(np.array([[1.0], [np.nan]], np.float32), [b"a", b"b"], table)


@pytest.mark.parametrize("label", ["owl|wren", "   ", "x" * 101, "a\0b"])
def test_a_label_that_a_table_cannot_hold_is_refused(label: str) -> None:
    with pytest.raises(OptionError, match="^label: got"):
        require_label(label)


def test_every_command_reads_the_table(tmp_path: Path) -> None:
    """Names with commas, quotes and spaces, labels with accents, and a skipped file."""
    root = folder(tmp_path / "my pictures", count=6)
    odd = root / "bag" / 'a, "b" c.png'
    (root / "bag" / "0.png").rename(odd)
    files = sorted(root.rglob("*.png"))
    out = tmp_path / "tables" / "labels.csv"
    table = LabelTable(out, [(os.path.relpath(path, out.parent), "", "") for path in files])
    table.read()
    entries = {row: Entry("Stiefel é", part="train") for row in range(6)}
    entries |= {row: Entry("bag, small", part="test") for row in range(6, 11)} | {11: Entry("")}
    table.write(entries)
    dataset = open_dataset(out)
    assert dataset.labels is not None
    named = {
        Path(dataset.pictures.name(row)).resolve(): dataset.classes[number] if number >= 0 else ""
        for row, number in enumerate(dataset.labels.tolist())
    }
    assert {path.resolve(): entries[row].label for row, path in enumerate(files)} == named
    assert [(dataset.split == part).sum() for part in ("train", "test")] == [7, 5]
