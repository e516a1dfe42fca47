"""Files of pictures or of recordings: which are there, and which of both a data set is made of."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np

from kakera.data.audio import decode
from kakera.data.audio.decode import Span
from kakera.data.audio.recordings import FileSounds
from kakera.data.dataset import FilePictures, Pictures
from kakera.data.images import decode as images
from kakera.data.images.kinds import why_left
from kakera.data.names import Names, Paths
from kakera.data.sources.natural import natural
from kakera.data.sources.ordered import in_order
from kakera.data.sources.tree import Tree, suffix_of, tree
from kakera.errors import DataError, UnreadableFileError, printable, sentence
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


def is_sound(paths: Sequence[Path]) -> bool:
    """Whether most of the files are recordings, by their names."""
    return kind_of([path.name for path in paths], "any") == "recordings"


def opened(
    paths: Sequence[Path], channels: int | None, spans: Sequence[Span] = (), kind: Kind = "any"
) -> tuple[Pictures, int]:
    """Pictures or recordings, and how many channels they have; `spans` are of recordings, in seconds."""
    if kind == "recordings" or (kind == "any" and is_sound(paths)):
        return FileSounds(paths, SoundSpec(), spans), 1
    chosen = channels or channels_of(paths)
    return FilePictures(paths, chosen), chosen


def channels_of(paths: Sequence[Path], most: int = 32, tiffs: int = 4096) -> int:
    """1 where a sample of the files is all grey, else 3; of TIFFs of another number of channels that.

    So many TIFFs are looked at. Raises DataError, which names a file, where there are other numbers beside
    that.
    """
    if isinstance(paths, Paths):
        names = paths.take(np.flatnonzero(paths.names.with_suffix(TIFF)))
    else:
        names = [path for path in paths if path.suffix.lower() in TIFF]
    sample = [*paths[:: max(1, len(paths) // most)], *names[:: max(1, len(names) // tiffs)]]
    found: dict[int, Path] = {}
    for path in sample:
        if 3 in found and not names:
            return 3
        with suppress(UnreadableFileError):
            found.setdefault(images.header(path)[2], path)
    return one_number(found) if found else 1


def one_number(found: Mapping[int, object]) -> int:
    """The channels of a data set in which these occur, each in a file that is named. Raises DataError."""
    many = next((one for one in found if one not in images.GREY_OR_COLOUR), 0)
    if not many:
        return max(found)
    other = next((one for one in found if one != many), 0)
    if other:
        got = f"{other} channel{'' if other == 1 else 's'}"
        expected = f"{many}, as {printable(str(found[many]))} has"
        do = "put files of one number of channels into a folder"
        raise DataError(sentence(printable(str(found[other])), got=got, expected=expected, do=do))
    return many
