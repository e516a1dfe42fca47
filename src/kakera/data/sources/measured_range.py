"""The range of values of a data set, measured on a sample of its deep pictures (more than 8 bits)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from kakera.data.dataset import Dataset
from kakera.data.images.decode import extremes, header
from kakera.data.images.value_range import Extremes, Ranges, choose_ranges
from kakera.errors import UnreadableFileError

DEEP = (".png", ".tif", ".tiff", ".pfm", ".apng", ".jxl")  # suffixes of files whose values may be deep
LOOKED = 4096  # files whose suffix is checked
HEADERS = 256  # of these, files whose header is read
PIXELS = 1 << 26  # pixels decoded to find their extremes; at least LEAST pictures
LEAST = 8


def measured(dataset: Dataset) -> Ranges:
    """Return the range of each kind of deep values, from evenly spaced pictures; empty if all have 8 bits.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> measured(open_dataset("demo"))
        ()
    """
    return choose_ranges(_sample(dataset))


def with_missing_ranges(dataset: Dataset, ranges: Ranges) -> Ranges:
    """Return `ranges` and the measured ranges of the other kinds, except of 16-bit values.

    A few files do not show how many bits the pictures of the training had.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> with_missing_ranges(open_dataset("demo"), (("uint16", 0.0, 4095.0),))
        (('uint16', 0.0, 4095.0),)
    """
    known = {kind for kind, *_ in ranges}
    if {"int32", "float"} <= known:
        return ranges
    more = (one for one in dataset.ranges or measured(dataset) if one[0] != "uint16" and one[0] not in known)
    return (*ranges, *more)


def range_warnings(dataset: Dataset, ranges: Ranges) -> list[str]:
    """Return a sentence if 16-bit files seem to use fewer bits and `ranges` has no range for them.

    Example:

        >>> from PIL import Image
        >>> from kakera.data.sources.files import open_pictures
        >>> Image.fromarray(np.full((4, 4), 4000, np.uint16)).save("dark.png")
        >>> range_warnings(open_pictures("dark.png", 1), ())[0].split(", but")[0]
        '16-bit files have values up to about 4095'
    """
    if any(kind == "uint16" for kind, *_ in ranges):
        return []
    return [
        f"16-bit files have values up to about {white:g}, but are read as 0 to 65535: nearly black; "
        f"--bits {round(np.log2(white + 1))} corrects this"
        for kind, _, white in measured(dataset)
        if kind == "uint16" and white < 65535
    ]


def _sample(dataset: Dataset) -> Iterator[Extremes]:
    pixels = 0
    for number, source in enumerate(_sources(dataset)):
        try:
            found = extremes(source)
            height, width, _ = header(source) if found is not None else (0, 0, 0)
        except UnreadableFileError:
            continue
        if found is not None:
            yield found
        pixels += height * width
        if number >= LEAST and pixels > PIXELS:
            return


def _sources(dataset: Dataset) -> Iterator[Path | bytes]:
    pictures = dataset.pictures
    every = np.unique(np.linspace(0, max(len(dataset) - 1, 0), LOOKED).astype(int))[: len(dataset)]
    rows = [row for row in every.tolist() if pictures.has_file(row)]
    if pictures.paths:
        rows = [row for row in rows if pictures.paths[row].suffix.lower() in DEEP]
    for number in np.unique(np.linspace(0, max(len(rows) - 1, 0), HEADERS).astype(int))[: len(rows)]:
        row = rows[int(number)]
        with suppress(UnreadableFileError):
            yield pictures.paths[row] if pictures.paths else pictures.content(row)
