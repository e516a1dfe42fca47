"""The labelling of a data set: batches of files, clicks that are stored before they are acknowledged."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kakera.commands.labelling.batches import Queries, Query
from kakera.commands.labelling.drawing import SELECTED, Draws, query_of
from kakera.commands.labelling.head import LabelHead, fit_labels, scaled
from kakera.commands.labelling.measures import Measures, measures_of
from kakera.commands.labelling.table import MOST, Change, Entry, LabelTable, is_same_change, require_label
from kakera.errors import DataError, OptionError
from kakera.formats.tokens.keys import Key
from kakera.retrieval.components import components_of

COMPONENTS = 64  # of the tokens, for clusters
UNDONE = 1000  # steps back for each person


class Labelling:
    """Labels for n files by their tokens (n, d), in a table. Several threads may use it.

    `keys` are the keys of the contents of the files, or any different bytes. `classes` are names to propose;
    those of the table are added. `batch` is the number of clusters at the start and of files at a time.
    `seed` draws the clusters and the random files. `clock` returns seconds since 1970.

    Raises DataError for tokens that are not finite, and the errors of `LabelTable.read`.

    Example:

        >>> from pathlib import Path
        >>> tokens = np.repeat(np.eye(4, dtype=np.float32), 5, axis=0)
        >>> table = LabelTable(Path("labels.csv"), [(f"{row}.png", "", "") for row in range(20)])
        >>> labelling = Labelling(tokens, [bytes([row]) for row in range(20)], table, ["cat", "dog"], batch=4)
        >>> sorted(query.row // 5 for query in labelling.next_batch("ann"))  # one of each group
        [0, 1, 2, 3]
        >>> for row in (0, 5, 10, 15):
        ...     _ = labelling.assign([row], "cat" if row < 10 else "dog", "ann")
        >>> len(labelling.table.path.read_text().splitlines()), labelling.undo("ann"), labelling.count
        (5, [15], 3)
    """

    def __init__(
        self,
        tokens: NDArray[np.float32],
        keys: Sequence[Key],
        table: LabelTable,
        classes: Sequence[str] = (),
        *,
        batch: int = 10,
        seed: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        finite = np.isfinite(tokens).all(axis=1)
        if not finite.all():
            name, do = table.places[int(np.flatnonzero(~finite)[0])][0], "check the file and the encoder"
            raise DataError(name, got="tokens that are not finite", expected="finite numbers", do=do)
        self.table, self.batch, self.seed, self._clock = table, batch, seed, clock
        self.tokens = scaled(tokens)
        self.components = components_of(self.tokens, COMPONENTS)
        self._lock, self._fitting = threading.RLock(), threading.Lock()
        self._entries = table.read()
        self._classes = {require_label(name): None for name in classes}
        self._classes |= {entry.label: None for entry in self._entries.values() if entry.label}
        self._draws = Draws(self.components, keys, given=len(self._entries), seed=seed)
        self._draws.extend(row for row, entry in self._entries.items() if entry.part == "test")
        self._queries = Queries(clock)
        self._changes: dict[str, list[Change]] = {}
        self._clicked: dict[int, str] = {}  # the session of the last click on a file
        self._version = 0
        self._fitted: tuple[int, LabelHead | None, Measures] | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order in which they were added."""
        return tuple(self._classes)

    @property
    def count(self) -> int:
        """The number of labelled files."""
        return sum(bool(entry.label) for entry in self._entries.values())

    @property
    def skipped(self) -> int:
        """The number of skipped files."""
        return len(self._entries) - self.count

    @property
    def sessions(self) -> int:
        """The number of sessions at work."""
        return self._queries.sessions

    def entry(self, row: int) -> Entry | None:
        """Return the entry of a file; None if it is neither labelled nor skipped."""
        return self._entries.get(row)

    def entries(self) -> dict[int, Entry]:
        """Return the entries of all labelled and skipped files, in the order of the clicks."""
        with self._lock:
            return dict(self._entries)

    def labels(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the labelled files (m,), in the order of their labels, and the numbers of their classes."""
        with self._lock:
            numbers = {name: number for number, name in enumerate(self._classes)}
            found = [(row, numbers[entry.label]) for row, entry in self._entries.items() if entry.label]
        rows, labels = np.array(found, np.int64).reshape(-1, 2).T
        return rows, labels

    def head(self) -> tuple[LabelHead | None, Measures]:
        """Return the head on all labels so far, and its measures; train it again if labels have changed."""
        with self._fitting:
            with self._lock:
                version, labelled = self._version, [each for each in self._entries.values() if each.label]
                rows, labels = self.labels()
            if self._fitted is None or self._fitted[0] != version:
                head = fit_labels(self.tokens, rows, labels)
                self._fitted = version, head, measures_of(head, self.tokens, rows, labels, labelled)
            return self._fitted[1:]

    def latest(self) -> tuple[LabelHead | None, Measures]:
        """Return the result of the last `head`, which may lack the newest labels."""
        return self.head() if self._fitted is None else self._fitted[1:]

    def next_batch(self, session: str, *, choose: bool = True) -> list[Query]:
        """Return the files that a session shall label next; the same ones until it has labelled them.

        The first batch has the most typical file of each of `batch` clusters. Of later ones, every fifth file
        is drawn at random; with `choose`, the others are uncertain and differ from each other. Fewer are
        left at the end, and none after it.
        """
        with self._lock:
            self._queries.seen(session)
            if kept := self._queries.of(session):
                return kept
        head, _ = self.head()
        with self._lock:
            if kept := self._queries.of(session):
                return kept
            queries = self._draws.draw(head, self._taken(), self.batch, choose=choose)
            self._queries.give(session, queries)
            return queries

    def _taken(self) -> NDArray[np.bool_]:
        taken = np.zeros(len(self.tokens), bool)
        taken[[*self._entries, *self._queries.rows()]] = True
        return taken

    def assign(self, rows: Sequence[int], label: str, session: str, *, person: str = "") -> list[str]:
        """Label files; when this returns, the table on the disk has the labels. "" skips the files.

        `person` is the name that the table shows. If a file has another label, the new one replaces it, and
        the table keeps the old one under `earlier`. Return a sentence for each label of another person that
        was replaced. Raises OptionError, and StorageError if the table could not be written; then nothing
        has changed.
        """
        label = require_label(label) if label else ""
        with self._lock:
            self._queries.seen(session)
            person = "".join(filter(str.isprintable, " ".join(person.split())))[:MOST]
            said, after = list[str](), dict[int, Entry]()
            for row in dict.fromkeys(rows):
                before = self._entries.get(self._require(row))
                after[row] = self._entry(row, label, session, person, before)
                mine = self._clicked.get(row, session) == session and before and before.person == person
                if before is not None and before.label not in ("", label) and not mine:
                    said.append(f"{before.person or 'another person'} had labelled it {before.label}")
            change = Change(tuple((row, self._entries.get(row)) for row in after), tuple(after.items()))
            self._store(self._with(after))
            for row in after:
                self._queries.take(row, session)
                self._clicked[row] = session
            if label:
                self._classes.setdefault(label)
            self._changes.setdefault(session, []).append(change)
            del self._changes[session][:-UNDONE]
            return said

    def undo(self, session: str) -> list[int]:
        """Take back the last click of a session, and return its files.

        Raises OptionError if there is none, or if another person has changed a file since, and StorageError.
        """
        head, _ = self.latest()  # before the lock: another thread may be training
        with self._lock:
            self._queries.seen(session)
            changes = self._changes.get(session)
            if not changes:
                raise OptionError("undo", got="no click of yours", expected="one", do="label a file first")
            change = changes[-1]
            if any(not is_same_change(self._entries.get(row), entry) for row, entry in change.after):
                do = "label the file again"
                raise OptionError("undo", got="a file with a newer label", expected="your label", do=do)
            left = dict(self._entries)
            for row, entry in change.before:
                if entry is None:
                    del left[row]
                else:
                    left[row] = entry
            self._store(left)
            changes.pop()
            rows = [row for row, _ in change.before]
            drawn = {row: entry.drawn for row, entry in change.after}
            again = [query_of(row, drawn[row], head) for row, entry in change.before if entry is None]
            self._queries.give(session, again)
            return rows

    def _require(self, row: int) -> int:
        if not 0 <= row < len(self.tokens):
            expected = f"0 to {len(self.tokens) - 1}"
            raise OptionError("file", got=row, expected=expected, do="open the page again")
        return row

    def _entry(self, row: int, label: str, session: str, person: str, before: Entry | None) -> Entry:
        query = next((each for each in self._queries.of(session) if each.row == row), None)
        drawn = before.drawn if before else query.drawn if query else SELECTED
        predicted = before.predicted if before else self._name(query.predicted) if query else ""
        earlier = before.earlier if before else ""
        if before is not None and before.label and before.label != label:
            said = before.label + (f" by {before.person}" if before.person else "")
            earlier = f"{earlier}; {said}" if earlier else said
        moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self._clock()))
        return Entry(label, "train", drawn, predicted, person, moment, earlier)

    def _name(self, number: int) -> str:
        return self.classes[number] if number >= 0 else ""

    def _with(self, after: dict[int, Entry]) -> dict[int, Entry]:
        """Return all entries, the new ones last, so that rows are in the order of their clicks."""
        return {**{row: each for row, each in self._entries.items() if row not in after}, **after}

    def _store(self, entries: dict[int, Entry]) -> None:
        """Write the table, then use its entries. Files of the random sample are the test part."""
        found = {
            row: replace(entry, part="test" if self._draws.in_sample(row) else "train")
            for row, entry in entries.items()
        }
        self.table.write(found)
        self._entries = found
        self._version += 1
