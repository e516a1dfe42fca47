"""Files of pictures or of recordings: which are there, and which of both a data set is made of."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from pathlib import Path

from kakera.data import audio, images
from kakera.data.audio import Span
from kakera.data.dataset import FilePictures, Pictures
from kakera.data.kinds import why_left
from kakera.data.sounds import FileSounds
from kakera.errors import UnreadableFileError
from kakera.sound.spec import SoundSpec

SUFFIXES = images.SUFFIXES | audio.SUFFIXES


def files_below(root: Path, suffixes: Collection[str]) -> list[Path]:
    """Files with one of the suffixes, below `root`, in natural order; hidden ones are passed over."""
    found = [
        path
        for path in root.rglob("*")
        if path.suffix.lower() in suffixes
        and not path.is_dir()
        and not any(word.startswith(".") for word in path.relative_to(root).parts)
    ]
    return sorted(found, key=lambda path: natural(path.as_posix()))


def left_below(root: Path) -> list[tuple[str, str]]:
    """(path, why) of files below `root` that are neither pictures nor recordings that can be read here.

    "" is why for files that are no pictures; hidden ones are passed over.
    """
    found: list[tuple[str, str]] = []
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122  # as many as there are files
            if not name.startswith(".") and suffix not in SUFFIXES:
                found.append((f"{folder}{os.sep}{name}", why_left(suffix)))
    return found


def natural(text: str) -> list[tuple[int, str]]:
    """Sorts picture2 before picture10."""
    return [(int(w), "") if w.isdigit() else (-1, w) for w in re.split(r"([0-9]+)", text)]


def is_sound(paths: Sequence[Path]) -> bool:
    """Whether most of the files are recordings, by their names."""
    return 2 * sum(path.suffix.lower() in audio.SUFFIXES for path in paths) > len(paths)


def of_one_kind(paths: Sequence[Path]) -> list[Path]:
    """The files of the kind that most are of: a cover beside songs is no part of the data."""
    sound = is_sound(paths)
    return [path for path in paths if (path.suffix.lower() in audio.SUFFIXES) == sound]


def opened(paths: Sequence[Path], channels: int | None, spans: Sequence[Span] = ()) -> tuple[Pictures, int]:
    """Pictures or recordings, and how many channels they have; `spans` are of recordings, in seconds."""
    if is_sound(paths):
        return FileSounds(paths, SoundSpec(), spans), 1
    chosen = channels or grey_or_colour(paths)
    return FilePictures(paths, chosen), chosen


def grey_or_colour(paths: Sequence[Path], most: int = 32) -> int:
    """1 where a sample of the files is all grey, else 3."""
    every = max(1, len(paths) // most)
    for path in paths[::every]:
        try:
            if images.header(path)[2] == 3:
                return 3
        except UnreadableFileError:
            continue
    return 1
