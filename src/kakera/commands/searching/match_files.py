"""The files of an index at the time of a search: which are still there, and as they were embedded."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from kakera.data.audio.recordings import FileSounds
from kakera.data.dataset import Dataset
from kakera.data.sources.files import open_files
from kakera.data.sources.open import open_dataset
from kakera.errors import KakeraError
from kakera.formats.tokens.keys import file_keys
from kakera.retrieval.index import Index

CHANGED, GONE = "changed since it was embedded", "no longer there"


class MatchFiles:
    """The files of an index, opened one by one when they are asked for.

    Example:

        >>> from kakera.retrieval.index import IndexInfo, empty_rows
        >>> inputs = {"channels": 1, "height": 8, "width": 8, "mean": [0.5], "std": [0.5]}
        >>> info = IndexInfo("0f", "runs/mae", "nowhere", "/", "pictures", "mean", False, inputs, (2, 2))
        >>> rows = empty_rows(1) | {"file": np.array(["a.png"])}
        >>> MatchFiles(Index(info, rows, np.ones((1, 8), np.float32))).state(0)
        'no longer there'
    """

    def __init__(self, index: Index, dataset: Dataset | None = None) -> None:
        self.index, self.spec = index, index.info.spec
        self._states: dict[str, str] = {}
        self._whole: Dataset | None = dataset
        self._numbers: dict[str, int] | None = None

    def state(self, row: int) -> str:
        """Return "" if the file of a row is as it was embedded, else what happened to it."""
        name = str(self.index.rows["file"][row])
        if name not in self._states:
            found = self._file(name)
            if found is None:
                self._states[name] = GONE if self.index.info.data else ""  # data in memory: unknown
            else:
                same = file_keys(found)[0] == self.index.rows["key"][row].tobytes()
                self._states[name] = "" if same else CHANGED
        return self._states[name]

    def open(self, row: int, windows: int = 32) -> Dataset | None:
        """Return a data set of the picture, recording or window of a row; None if it is no longer there.

        A recording ends after so many windows.
        """
        found = self._file(str(self.index.rows["file"][row]))
        if found is None or found.sounds is None or self.spec.sound is None or not found.sounds.paths:
            return found
        start, end = (float(self.index.rows[name][row]) for name in ("start", "end"))
        most = windows * self.spec.sound.samples(self.spec.width) / self.spec.sound.rate
        span = (start, min(end, start + most))
        return replace(found, pictures=FileSounds([found.sounds.paths[0]], self.spec.sound, [span]))

    def _file(self, name: str) -> Dataset | None:
        path = Path(self.index.info.folder, name)
        try:
            if path.is_file():
                return open_files([path], self.spec)
            return self._of_data(name)
        except KakeraError:
            return None

    def _of_data(self, name: str) -> Dataset | None:
        """Return a member of shards, of arrays or of a table, which has no file of its own."""
        info = self.index.info
        if not info.data and self._whole is None:
            return None
        place = Path(info.folder, info.data)
        source = info.data if not place.exists() or Path.cwd() == Path(info.folder) else str(place)
        if self._numbers is None:
            channels = None if self.spec.sound else self.spec.channels
            whole = self._whole or open_dataset(source, channels=channels, ranges=self.spec.values)
            if whole.sounds is not None and self.spec.sound is not None:
                whole = replace(whole, pictures=whole.sounds.with_spec(self.spec.sound))
            elif whole.sounds is None and self.spec.sound is None:
                whole = whole.with_channels(self.spec.channels)
            names = whole.pictures.names_between(0, len(whole))
            self._whole = whole
            self._numbers = {os.path.abspath(each): number for number, each in enumerate(names)}  # noqa: PTH100  # a Path costs several times the call
            self._numbers |= {each: number for number, each in enumerate(names)}
        placed = os.path.normpath(
            Path(info.folder, name)
        )  # the names of a table start from the working folder
        number = self._numbers.get(name, self._numbers.get(placed))
        return None if number is None or self._whole is None else self._whole.take(np.array([number]))
