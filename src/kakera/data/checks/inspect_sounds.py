"""Inspect a data set of recordings before a training: durations, sample rates, classes, and problems."""

from __future__ import annotations

import hashlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.data.checks.findings import (
    Pairs,
    class_lines,
    classes_of,
    equals,
    finding_lines,
    folders_without_files,
    listed,
    none_notes,
)
from kakera.data.checks.warnings import data_warnings
from kakera.data.dataset import PARTS, Dataset
from kakera.data.folders.tree import left_lines
from kakera.data.sounds import Header, Sounds
from kakera.errors import DataError, UnreadableFileError
from kakera.progress import with_progress

SILENT = 1e-3  # root mean square below which a stretch is silent: −60 dB of full scale
STRETCH = 0.025  # seconds over which the root mean square is computed
FULL = 0.999  # absolute value from which on a sample is at full scale
RUN = 3  # samples in a row at full scale that count as clipped
CANCELLED = 1e-3  # share of the channels' mean power left in their mean, below which they cancel


@dataclass(frozen=True)
class SoundInspection:
    """The result of inspecting recordings: counts of readable recordings, their properties, and problems.

    See `kakera.data.checks.inspect.inspect_dataset`.
    """

    name: str
    parts: dict[str, int]
    kinds: dict[str, int]
    rates: dict[int, int]
    """How many recordings have each sample rate, in hertz."""
    channels: dict[int, int]
    seconds: tuple[float, float, float]
    """The shortest, the median and the longest duration, in seconds."""
    total_seconds: float
    silence: float
    """Share of the time, from 0 to 1, below −60 dB of full scale."""
    silent: tuple[str, ...]
    """Recordings that contain only silence."""
    cancelled: tuple[str, ...]
    """Recordings whose channels cancel each other: the mean of all channels is silent, but no channel is."""
    noted: Pairs
    """Readable recordings with an unusual file, and a description of it."""
    clipped: tuple[tuple[str, int], ...]
    """Recordings with three or more samples in a row at full scale, and the number of these samples."""
    classes: dict[str, dict[str, int]]
    unlabelled: int
    unreadable: Pairs
    duplicates: Pairs
    leaks: Pairs
    contradictions: Pairs
    overlaps: Pairs = ()
    """Spans of one file that overlap in time and are in different parts, which is a leak too."""
    left_out: tuple[tuple[str, str], ...] = ()
    """Skipped files, and the reason."""
    emptied: tuple[str, ...] = ()
    """Folders and classes without a readable file."""
    notes: tuple[str, ...] = ()
    """Decisions about classes and parts."""
    warnings: tuple[str, ...] = ()
    """Problems that spoil a training or its evaluation, one sentence each."""

    def to_json(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    def lines(self) -> list[str]:
        """Return the lines of a report, one fact per line."""
        shortest, median, longest = self.seconds
        return [
            f"{self.name}: {sum(self.parts.values())} recordings, {self.total_seconds / 3600:.2f} hours",
            "parts: " + ", ".join(f"{name} {count}" for name, count in self.parts.items() if count),
            f"seconds: {shortest:.2f} to {longest:.2f}, median {median:.2f}",
            "kinds: " + _counted(self.kinds),
            "sample rates: " + _counted(self.rates, " Hz"),
            "channels: " + _counted(self.channels),
            f"silence: {100 * self.silence:.1f} % of the time",
            *listed("silent recordings", self.silent),
            *listed("channels cancel each other (choose one: --sound ast,channel=left)", self.cancelled),
            *listed("read, but unusual", [f"{name}: {note}" for name, note in self.noted]),
            *listed("clipped recordings", [f"{name}: {n} samples" for name, n in self.clipped]),
            *(f"note: {note}" for note in self.notes),
            *left_lines(self.left_out, self.emptied),
            *class_lines(self.classes, self.parts, self.unlabelled, "recordings"),
            *finding_lines(self.unreadable, self.duplicates, self.leaks, self.contradictions, "recordings"),
            *listed("overlapping spans in different parts", [" and ".join(pair) for pair in self.overlaps]),
            *(f"warning: {text}" for text in self.warnings),
        ]


@dataclass
class _Facts:
    """The facts of one recording, which is read piece by piece."""

    header: Header
    digest: bytes = b""
    clipped: int = 0
    stretches: int = 0
    silent: int = 0
    power: float = 0.0
    mixed: float = 0.0
    """Sum of squares of the mean of all channels; `power` is that of all channels."""

    @property
    def cancelled(self) -> bool:
        """True if the mean of the channels has almost no power while the channels do."""
        together = self.power / self.header.channels
        return self.silent < self.stretches and self.mixed < CANCELLED * together and self.header.channels > 1


def inspect_sounds(dataset: Dataset) -> SoundInspection:
    """Read every recording once, piece by piece, and return counts and problems.

    Raises DataError if no recording is readable.

    Example:

        >>> from kakera.data.sources.files import open_recordings
        >>> from kakera.sound.spec import SoundSpec
        >>> second = np.full(8000, 0.1, np.float32), 8000
        >>> result = inspect_sounds(open_recordings(second, SoundSpec()))
        >>> result.rates, result.seconds, result.silence
        ({8000: 1}, (1.0, 1.0, 1.0), 0.0)
    """
    sounds = dataset.sounds
    assert sounds is not None

    def listen(index: int) -> _Facts | UnreadableFileError:
        try:
            sounds.length(index)  # raises for a recording shorter than a frame
            return _listen(sounds, index)
        except UnreadableFileError as error:
            return error

    with ThreadPoolExecutor() as pool:
        listening = pool.map(listen, range(len(dataset)))
        found = list(with_progress(listening, "inspect", total=len(dataset), kind=dataset.kind))
    readable = {i: facts for i, facts in enumerate(found) if isinstance(facts, _Facts)}
    broken = [error for error in found if isinstance(error, UnreadableFileError)]
    if not readable:
        raise DataError(
            dataset.name, got="no readable recording", expected="at least one", do="check the files"
        )
    kept = dataset.take(list(readable))
    seconds = np.array([facts.header.seconds for facts in readable.values()])
    duplicates, leaks, contradictions = equals(dataset, {i: facts.digest for i, facts in readable.items()})
    return SoundInspection(
        name=dataset.name,
        parts={part: int((kept.split == part).sum()) for part in PARTS},
        kinds=dict(Counter(facts.header.kind for facts in readable.values())),
        rates=dict(Counter(facts.header.rate for facts in readable.values())),
        channels=dict(Counter(facts.header.channels for facts in readable.values())),
        seconds=(float(seconds.min()), float(np.median(seconds)), float(seconds.max())),
        total_seconds=float(seconds.sum()),
        silence=sum(e.silent for e in readable.values()) / sum(e.stretches for e in readable.values()),
        silent=tuple(sounds.name(i) for i, facts in readable.items() if facts.silent == facts.stretches),
        cancelled=tuple(sounds.name(i) for i, facts in readable.items() if facts.cancelled),
        noted=tuple(
            (sounds.name(i), facts.header.note) for i, facts in readable.items() if facts.header.note
        ),
        clipped=tuple((sounds.name(i), facts.clipped) for i, facts in readable.items() if facts.clipped),
        classes=classes_of(kept),
        unlabelled=len(kept) - len(kept.labelled),
        unreadable=tuple((error.path, error.reason) for error in (*dataset.unreadable, *broken)),
        duplicates=duplicates,
        leaks=leaks,
        contradictions=contradictions,
        overlaps=overlaps(kept),
        left_out=dataset.left_out,
        emptied=folders_without_files(dataset, kept),
        notes=(*dataset.notes, *none_notes(kept)),
        warnings=tuple(data_warnings(kept)),
    )


def overlaps(dataset: Dataset) -> Pairs:
    """Return pairs of names of spans of one file that overlap in time and are in different parts.

    Example:

        >>> from pathlib import Path
        >>> from kakera.data.audio.recordings import FileSounds
        >>> from kakera.sound.spec import SoundSpec
        >>> sounds = FileSounds([Path("a.wav")] * 2, SoundSpec(), [(0, 2), (1, 3)])
        >>> overlaps(Dataset("birds", sounds, 1, np.array(["train", "test"])))
        (('a.wav[0–2 s]', 'a.wav[1–3 s]'),)
    """
    sounds = dataset.sounds
    if sounds is None:
        return ()
    spans: dict[object, list[tuple[float, float, int]]] = {}
    for index, (source, (start, end)) in enumerate(zip(sounds.paths, sounds.spans, strict=True)):
        spans.setdefault(source, []).append((start, end, index))
    found: list[tuple[str, str]] = []
    for of_file in spans.values():
        latest: dict[str, tuple[float, int]] = {}  # of each part the span that ends last: (end, row)
        for start, end, index in sorted(of_file):
            part = str(dataset.split[index])
            others = [(until, other) for name, (until, other) in latest.items() if name != part]
            if others and max(others)[0] > start:
                found.append((sounds.name(max(others)[1]), sounds.name(index)))
            latest[part] = max(latest.get(part, (end, index)), (end, index))
    return tuple(found)


def _listen(sounds: Sounds, index: int) -> _Facts:
    facts = _Facts(sounds.header(index))
    digest = hashlib.blake2b(f"{facts.header.rate} {facts.header.channels}".encode(), digest_size=16)
    length = max(1, int(facts.header.rate * STRETCH))
    for block in sounds.blocks(index):
        digest.update(block.tobytes())
        facts.clipped += clipped(block)
        if block.shape[1] > 1:
            facts.power += float(np.square(block, dtype=np.float64).sum())
            facts.mixed += float(np.square(block.mean(axis=1), dtype=np.float64).sum())
        for first in range(0, len(block), length):
            facts.stretches += 1
            stretch = block[first : first + length]
            facts.silent += float(np.square(stretch).mean()) ** 0.5 < SILENT
    facts.digest = digest.digest()
    return facts


def clipped(block: NDArray[np.float32]) -> int:
    """Return how many samples of a block (n, channels) are at full scale, in runs of at least three.

    Example:

        >>> clipped(np.array([[0.0], [1.0], [1.0], [1.0], [0.5], [-1.0]], np.float32))
        3
    """
    full = np.abs(block) >= FULL
    run = full[2:] & full[1:-1] & full[:-2]
    inside = np.zeros_like(full)
    for shift in range(RUN):
        inside[shift : len(full) - (RUN - 1 - shift)] |= run
    return int(inside.sum())


def _counted(counts: dict[Any, int], unit: str = "") -> str:
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    more = f" and {len(most) - 5} others" if len(most) > 5 else ""
    return ", ".join(f"{name}{unit} ({count})" for name, count in most[:5]) + more
