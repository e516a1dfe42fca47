"""The sample pictures or recordings of the explorer."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from kakera.data.audio.recordings import FileSounds
from kakera.data.dataset import Dataset
from kakera.data.holders import FilePictures
from kakera.data.sources.files import open_pictures, open_recordings
from kakera.errors import DataError, KakeraError, UnreadableFileError
from kakera.sound.spec import SoundSpec

MOST = 12
COLOUR = 3  # channels; for a grey model the pictures are converted to grey


def open_samples(
    pictures: str, runs: Sequence[str | Path], spec: SoundSpec | None = None, channels: int = COLOUR
) -> Dataset:
    """Return up to MOST readable pictures from `pictures`, else from the runs' training data, else the demo.

    With a `spec` these are recordings at its settings. The result may be empty for recordings, and for
    pictures with other than 3 `channels`, because kakera includes no such files. If `pictures` has more than
    MOST files, one line on stderr names the number. Raises DataError if `pictures` has no readable file.
    """
    if pictures:
        found, count = _some(pictures, spec, channels)
        if not len(found):
            kind = "picture" if spec is None else "recording"
            raise DataError(
                pictures, got=f"no readable {kind}", expected="at least one", do="choose another folder"
            )
        if count > len(found):
            print(f"kakera: {pictures}: showing {len(found)} of {count:,} {found.kind}", file=sys.stderr)
        return found
    for source in dict.fromkeys(_learned_from(runs)):
        with suppress(KakeraError):
            found, _ = _some(source, spec, channels)
            if len(found):
                return found
    if spec is None and channels == COLOUR:
        return _some("demo", spec, channels)[0]
    if spec is None:
        return Dataset("pictures", FilePictures([], channels), channels, np.empty(0, "<U5"))
    return Dataset("recordings", FileSounds([], spec), 1, np.empty(0, "<U5"))


def _learned_from(runs: Sequence[str | Path]) -> Iterator[str]:
    for run in runs:
        with suppress(OSError, ValueError, KeyError, TypeError):
            yield str(json.loads((Path(run) / "config.json").read_text())["data"])


def _some(source: str, spec: SoundSpec | None, channels: int) -> tuple[Dataset, int]:
    """Return evenly spaced readable samples, and the number of files."""
    dataset = open_pictures([source], channels) if spec is None else open_recordings([source], spec)
    order = np.unique(np.linspace(0, len(dataset) - 1, min(len(dataset), 4 * MOST)).astype(int))
    readable = [int(number) for number in order if _reads(dataset, int(number))]
    step = max(1, len(readable) // MOST)
    return dataset.take(readable[::step][:MOST]), len(dataset)


def _reads(dataset: Dataset, number: int) -> bool:
    try:
        if dataset.sounds is None:
            dataset.pictures.read(number)
        else:
            dataset.sounds.piece(number, 0, dataset.sounds.length(number) and dataset.sounds.spec.rate)
    except UnreadableFileError:
        return False
    return True
