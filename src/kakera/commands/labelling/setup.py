"""The setup of `kakera label`: encoder, files, the plan, the tokens of all readable files, and the table."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kakera import duration
from kakera.commands.curating.setup import CurateSetup, open_curate_setup, tokens_of
from kakera.commands.labelling.session import Labelling
from kakera.commands.labelling.table import LabelTable, places_of, require_label
from kakera.data.dataset import Dataset
from kakera.data.folders.media import Kind as MediaKind
from kakera.errors import OptionError, StorageError, UnreadableFileError
from kakera.formats.tokens.keys import Key, file_keys
from kakera.option_fields import AUTO, Auto
from kakera.training.stored_features import missing_files

MEASURED = 32  # files that measure the time of a token
FEW = 256  # missing tokens up to which nothing is measured


@dataclass(frozen=True, eq=False)
class LabelSetup:
    """The encoder, the files and the place of the table. See `open_label_setup`."""

    opened: CurateSetup
    out: Path
    classes: tuple[str, ...]
    absent: int
    """Number of files whose tokens are not in the cache."""

    def plan(self) -> str:
        """Return the plan in one line: files, tokens, time. The time is measured on a few files."""
        count, kind = len(self.opened.dataset), self.opened.dataset.kind
        tokens = f"tokens of {count - self.absent:,} in the cache"
        if self.absent > FEW:
            seconds = self.absent * self._seconds_per_file()
            tokens += f", {self.absent:,} to compute in about {duration.words(seconds)} (measured)"
        elif self.absent:
            tokens += f", {self.absent:,} to compute"
        return f"plan: label {count:,} {kind} -> {self.out}; {tokens}"

    def _seconds_per_file(self) -> float:
        from kakera.formats.features import each_features
        from kakera.training.device import moved_to_device

        saved, files = self.opened.encoder.load(), self.opened.dataset
        rows = np.unique(np.linspace(0, len(files) - 1, MEASURED).astype(int))
        with moved_to_device(saved, AUTO):
            for chosen in (rows[:4], rows):  # the first ones warm up
                began = time.perf_counter()
                for _ in each_features(saved, files.take(chosen), [-1], [self.opened.pool]):
                    pass
        return (time.perf_counter() - began) / len(rows)


@dataclass(frozen=True, eq=False)
class OpenLabelling:
    """A labelling with its readable files. See `start_labelling`."""

    labelling: Labelling
    dataset: Dataset
    keys: tuple[Key, ...]
    encoder: CurateSetup
    unreadable: tuple[UnreadableFileError, ...]

    def changed(self, row: int) -> bool:
        """Return True if the content of a file is not the one whose token was computed."""
        return file_keys(self.dataset.take([row]))[0] != self.keys[row]


def open_label_setup(
    data: str | Path | Dataset,
    init_from: str | Path,
    out: str | Path,
    *,
    classes: Sequence[str] = (),
    pool: str = AUTO,
    kind: MediaKind = "any",
) -> LabelSetup:
    """Open encoder and data, and look for their tokens. The options are as in `label`.

    Raises DataError, OptionError, RunError and StorageError.
    """
    table, names = require_table(out, data), tuple(map(require_label, classes))
    opened = open_curate_setup(data, init_from, pool=pool, mirrored=False, kind=kind)
    places_of(opened.dataset, table)  # before tokens are computed
    known = opened.dataset.classes if not opened.dataset.regression else ()
    absent = missing_files(opened.encoder, opened.dataset, [(-1, opened.pool)], opened.keys)
    return LabelSetup(opened, table, names or known, len(absent))


def require_table(out: str | Path, data: str | Path | Dataset) -> Path:
    """Return the path of the table.

    Raises OptionError for another suffix, a folder, or the data set itself, and StorageError for a folder
    that cannot be written.

    Example:

        >>> require_table("labels.csv", "pictures").name
        'labels.csv'
    """
    found = Path(out)
    if found.suffix.lower() != ".csv" or found.is_dir():
        raise OptionError("out", got=out, expected="a .csv file", do="choose another name")
    if not isinstance(data, Dataset) and found.exists() and found.resolve() == Path(data).resolve():
        raise OptionError(
            "out", got="the data set itself", expected="another table", do="choose another name"
        )
    folder = found.absolute().parent
    while not folder.exists():
        folder = folder.parent
    if not os.access(folder, os.W_OK) or not folder.is_dir():
        got, do = "a place that cannot be written", "choose another --out, or allow kakera to write there"
        raise StorageError(str(folder), got=got, expected="a folder to write in", do=do)
    return found


def start_labelling(
    setup: LabelSetup,
    *,
    batch: int = 10,
    seed: int = 0,
    workers: int | Auto = AUTO,
    device: str = AUTO,
) -> OpenLabelling:
    """Compute the missing tokens, read the table if it exists, and return the labelling.

    Raises DataError for fewer than two readable files, OptionError and StorageError.
    """
    LabelTable(setup.out, ()).read()  # before tokens are computed: a table of another program is refused
    found = tokens_of(setup.opened, workers=workers, device=device)
    dataset = found.setup.dataset
    table = LabelTable(setup.out, places_of(dataset, setup.out))
    labelling = Labelling(found.tokens, found.setup.keys, table, setup.classes, batch=batch, seed=seed)
    return OpenLabelling(labelling, dataset, found.setup.keys, found.setup, found.unreadable)
