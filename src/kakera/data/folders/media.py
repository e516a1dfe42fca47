"""Files of pictures and recordings: how to recognise them, and which of the two a data set contains."""

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

_INSTEAD = {  # how to read files that are skipped inside a folder
    **dict.fromkeys((".csv", ".tsv"), "pass the table itself as the data to read it"),
    ".npz": "pass the .npz file itself as the data to read it",
    ".tar": "pass the .tar file itself as the data to read it",
}

Kind: TypeAlias = Literal["any", "pictures", "recordings"]
"""The content of a data set; any: the kind of most of its files."""


def files_below(root: Path, suffixes: Collection[str]) -> Paths:
    """Return the files below `root` with one of the suffixes, in natural order, without hidden files.

    Example:

        >>> _ = Path("2.png").touch(), Path("10.png").touch(), Path("notes.txt").touch()
        >>> [path.name for path in files_below(Path("."), {".png"})]
        ['2.png', '10.png']
    """
    names = in_order(tree(root)).names
    return Paths(root, names.take(np.flatnonzero(names.with_suffix(suffixes))))


def kind_of(names: Sequence[str], asked: Kind) -> Kind:
    """Return the requested kind; for "any" the kind of most files, by their suffixes.

    Example:

        >>> kind_of(["a.wav", "b.flac", "c.png"], "any")
        'recordings'
    """
    if asked != "any":
        return asked
    if isinstance(names, Names):
        sounds = int(names.with_suffix(decode.SUFFIXES).sum())
    else:
        sounds = sum(suffix_of(name) in decode.SUFFIXES for name in names)
    return "recordings" if 2 * sounds > len(names) else "pictures"


def kind_suffixes(kind: Kind) -> frozenset[str]:
    """Return the suffixes of the files of a kind.

    Example:

        >>> ".wav" in kind_suffixes("recordings"), ".wav" in kind_suffixes("pictures")
        (True, False)
    """
    return decode.SUFFIXES if kind == "recordings" else images.SUFFIXES


def other_kind(names: Iterable[str], kind: Kind) -> list[tuple[str, str]]:
    """Return (name, reason) of the pictures and recordings that are not of this kind.

    Example:

        >>> other_kind(["a.wav", "c.png"], "pictures")
        [('a.wav', 'use --kind recordings to read these')]
    """
    other: Kind = "pictures" if kind == "recordings" else "recordings"
    found = [name for name in names if suffix_of(name) in kind_suffixes(other)]
    return [(name, f"use --kind {other} to read these") for name in sorted(found, key=natural)]


def left_below(root: Path | Tree, rest: Iterable[str] | None = None) -> list[tuple[str, str]]:
    """Return (path, reason) of everything below a folder that is neither a picture nor a recording.

    The reason is "" for files of any other kind. `rest` lists the names of such files, if they are known.

    Example:

        >>> _ = Path("birds.csv").touch(), Path("notes.txt").touch()
        >>> left_below(Path("."))
        [('./birds.csv', 'pass the table itself as the data to read it'), ('./notes.txt', '')]
    """
    below = root if isinstance(root, Tree) else tree(root)
    if rest is None:
        rest = sorted((name for name in below.names if suffix_of(name) not in SUFFIXES), key=natural)
    found = [
        (f"{below.root}/{name}", _INSTEAD.get(suffix_of(name)) or why_left(suffix_of(name))) for name in rest
    ]
    return [(printable(path), why) for path, why in (*found, *below.left())]


def alike(classes: Sequence[str]) -> list[str]:
    """Return a sentence about class names that differ only in case or spaces, in a list; or an empty list.

    Example:

        >>> alike(["cat", "Cat", "dog"])
        ['class names that differ only in case or spaces: cat, Cat']
    """
    folded = Counter("".join(name.casefold().split()) for name in classes)
    same = [name for name in classes if folded["".join(name.casefold().split())] > 1]
    return [f"class names that differ only in case or spaces: {', '.join(same)}"] if same else []


def is_sound(paths: Sequence[Path]) -> bool:
    """Return True if most of the files are recordings, by their suffixes.

    Example:

        >>> is_sound([Path("a.wav"), Path("b.wav"), Path("c.png")])
        True
    """
    return kind_of([path.name for path in paths], "any") == "recordings"


def opened(
    paths: Sequence[Path], channels: int | None, spans: Sequence[Span] = (), kind: Kind = "any"
) -> tuple[Pictures, int]:
    """Return pictures or recordings, and their number of channels.

    `channels` None detects the number. `spans` are (start, end) of each recording in seconds.

    Example:

        >>> from PIL import Image
        >>> Image.new("RGB", (8, 6)).save("a.png")
        >>> pictures, channels = opened([Path("a.png")], None)
        >>> pictures.read(0).shape, channels
        ((6, 8, 3), 3)
    """
    if kind == "recordings" or (kind == "any" and is_sound(paths)):
        return FileSounds(paths, SoundSpec(), spans), 1
    pictures = FilePictures(paths, channels or 3)
    chosen = channels or channels_of(pictures, _tiffs(paths))
    return pictures.with_channels(chosen), chosen


def _tiffs(paths: Sequence[Path], most: int = 4096) -> list[int]:
    """Return the rows of evenly spaced TIFFs, about `most`; only TIFFs may have more than 3 channels."""
    if isinstance(paths, Paths):
        rows = np.flatnonzero(paths.names.with_suffix(TIFF)).tolist()
    else:
        rows = [row for row, path in enumerate(paths) if path.suffix.lower() in TIFF]
    return rows[:: max(1, len(rows) // most)]


def channels_of(pictures: Pictures, tiffs: Sequence[int] | None = None, most: int = 32) -> int:
    """Return 1 if about `most` sampled pictures are all grey, else 3; the number of channels for other TIFFs.

    `tiffs` are more rows to check: empty if there are no TIFFs, None if that is unknown. Raises DataError,
    which names a picture, if other numbers of channels occur together.

    Example:

        >>> from PIL import Image
        >>> Image.new("L", (4, 4)).save("grey.bmp")
        >>> Image.new("RGB", (4, 4)).save("colour.bmp")
        >>> pictures = FilePictures([Path("grey.bmp"), Path("colour.bmp")], 3)
        >>> channels_of(pictures), channels_of(pictures.take(np.array([0])))
        (3, 1)
    """
    found: dict[int, str] = {}
    for row in (*range(0, len(pictures), max(1, len(pictures) // most)), *(tiffs or ())):
        if 3 in found and tiffs is not None and not tiffs:
            return 3
        with suppress(UnreadableFileError):
            found.setdefault(pictures.depth(row), pictures.name(row))
    return _one_number(found) if found else 1


def _one_number(found: Mapping[int, str]) -> int:
    """Return the channels of a data set from those of its files. Raises DataError if they do not fit."""
    many = next((one for one in found if one not in images.GREY_OR_COLOUR), 0)
    if not many:
        return max(found)
    other = next((one for one in found if one != many), 0)
    if other:
        got = f"{other} channel{'' if other == 1 else 's'}"
        expected = f"{many}, as in {printable(found[many])}"
        do = "put them into separate folders"
        raise DataError(printable(found[other]), got=got, expected=expected, do=do)
    return many
