"""Files of pictures or of recordings: which are there, and which of both a data set is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from kakera.data.audio import decode
from kakera.data.audio.recordings import FileSounds
from kakera.data.folders.ordered import in_order
from kakera.data.folders.tree import Tree, suffix_of, tree
from kakera.data.holders import FilePictures
from kakera.data.images import decode as images
from kakera.data.images.kinds import why_left
from kakera.data.names import Names, Paths, natural
from kakera.data.pictures import Pictures
from kakera.data.sounds import Span
from kakera.errors import DataError, UnreadableFileError, printable
from kakera.sound.spec import SoundSpec

TIFF = (".tif", ".tiff")
SUFFIXES = images.SUFFIXES | decode.SUFFIXES

_INSTEAD = {  # what may be meant by files that lie among others
    **dict.fromkeys((".csv", ".tsv"), "a table is read where it is named as the data"),
    ".npz": "arrays are read where they are named as the data",
    ".tar": "shards are read where they are named as the data",
}

Kind: TypeAlias = Literal["any", "pictures", "recordings"]
"""What a data set is made of; any: what most of its files are."""


def files_below(root: Path, suffixes: Collection[str]) -> Paths:
    """Files with one of the suffixes, below `root`, in natural order; hidden ones are passed over."""
    names = in_order(tree(root)).names
    return Paths(root, names.take(np.flatnonzero(names.with_suffix(suffixes))))


def kind_of(names: Sequence[str], asked: Kind) -> Kind:
    """The kind that is asked for; of any the one that most files are, by their names."""
    if asked != "any":
        return asked
    if isinstance(names, Names):
        sounds = int(names.with_suffix(decode.SUFFIXES).sum())
    else:
        sounds = sum(suffix_of(name) in decode.SUFFIXES for name in names)
    return "recordings" if 2 * sounds > len(names) else "pictures"


def kind_suffixes(kind: Kind) -> frozenset[str]:
    """Of the files of a kind."""
    return decode.SUFFIXES if kind == "recordings" else images.SUFFIXES


def other_kind(names: Iterable[str], kind: Kind) -> list[tuple[str, str]]:
    """(name, why) of those of these pictures and recordings that are not of the kind that is taken."""
    other: Kind = "pictures" if kind == "recordings" else "recordings"
    found = [name for name in names if suffix_of(name) in kind_suffixes(other)]
    return [(name, f"--kind {other} takes these") for name in sorted(found, key=natural)]


def left_below(root: Path | Tree, rest: Iterable[str] | None = None) -> list[tuple[str, str]]:
    """(path, why) of what is below a folder and is neither a picture nor a recording.

    "" is why for files of any other kind. `rest` are the names of such files, where they are known.
    """
    below = root if isinstance(root, Tree) else tree(root)
    if rest is None:
        rest = sorted((name for name in below.names if suffix_of(name) not in SUFFIXES), key=natural)
    found = [
        (f"{below.root}/{name}", _INSTEAD.get(suffix_of(name)) or why_left(suffix_of(name))) for name in rest
    ]
    return [(printable(path), why) for path, why in (*found, *below.left())]


def alike(classes: Sequence[str]) -> list[str]:
    """Return a sentence on classes whose names differ in case or blanks alone."""
    folded = Counter("".join(name.casefold().split()) for name in classes)
    same = [name for name in classes if folded["".join(name.casefold().split())] > 1]
    return [f"classes whose names differ in case or blanks alone: {', '.join(same)}"] if same else []


def is_sound(paths: Sequence[Path]) -> bool:
    """Whether most of the files are recordings, by their names."""
    return kind_of([path.name for path in paths], "any") == "recordings"


def opened(
    paths: Sequence[Path], channels: int | None, spans: Sequence[Span] = (), kind: Kind = "any"
) -> tuple[Pictures, int]:
    """Pictures or recordings, and how many channels they have; `spans` are of recordings, in seconds."""
    if kind == "recordings" or (kind == "any" and is_sound(paths)):
        return FileSounds(paths, SoundSpec(), spans), 1
    pictures = FilePictures(paths, channels or 3)
    chosen = channels or channels_of(pictures, _tiffs(paths))
    return pictures.with_channels(chosen), chosen


def _tiffs(paths: Sequence[Path], most: int = 4096) -> list[int]:
    """Rows of TIFFs, so many at even distances: of these alone one may have any number of channels."""
    if isinstance(paths, Paths):
        rows = np.flatnonzero(paths.names.with_suffix(TIFF)).tolist()
    else:
        rows = [row for row, path in enumerate(paths) if path.suffix.lower() in TIFF]
    return rows[:: max(1, len(rows) // most)]


def channels_of(pictures: Pictures, tiffs: Sequence[int] | None = None, most: int = 32) -> int:
    """1 where a sample is all grey, else 3; of TIFFs of another number of channels that.

    `tiffs` are rows to look at as well; none tells that there are no TIFFs, None that nobody knows. Raises
    DataError, which names a picture, where there are other numbers beside that.
    """
    found: dict[int, str] = {}
    for row in (*range(0, len(pictures), max(1, len(pictures) // most)), *(tiffs or ())):
        if 3 in found and tiffs is not None and not tiffs:
            return 3
        with suppress(UnreadableFileError):
            found.setdefault(pictures.depth(row), pictures.name(row))
    return _one_number(found) if found else 1


def _one_number(found: Mapping[int, str]) -> int:
    """The channels of a data set in which these occur, each in a file that is named. Raises DataError."""
    many = next((one for one in found if one not in images.GREY_OR_COLOUR), 0)
    if not many:
        return max(found)
    other = next((one for one in found if one != many), 0)
    if other:
        got = f"{other} channel{'' if other == 1 else 's'}"
        expected = f"{many}, as {printable(found[many])} has"
        do = "put files of one number of channels into a folder"
        raise DataError(printable(found[other]), got=got, expected=expected, do=do)
    return many
