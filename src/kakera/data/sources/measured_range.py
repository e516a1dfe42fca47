"""The range of values of a data set, measured on a sample of its deep pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kakera.data.dataset import Dataset
from kakera.data.images.decode import extremes, header
from kakera.data.images.value_range import Extremes, Ranges, choose_ranges
from kakera.errors import UnreadableFileError

DEEP = (".png", ".tif", ".tiff", ".pfm", ".apng", ".jxl")  # suffixes of files whose values may be deep
LOOKED = 4096  # files whose suffix is looked at
HEADERS = 256  # of which so many are looked into
PIXELS = 1 << 26  # that are decoded for their extremes, and LEAST pictures in any case
LEAST = 8


def measured(dataset: Dataset) -> Ranges:
    """The range of each kind of deep values, from evenly spaced pictures; none where all have 8 bits."""
    return choose_ranges(_sample(dataset))


def completed(dataset: Dataset, ranges: Ranges) -> Ranges:
    """These ranges, and those of the other kinds as they are measured; 16 bits alone need no measuring.

    What is measured of a few files to look at says nothing of how many bits a model was trained with.
    """
    known = {kind for kind, *_ in ranges}
    if {"int32", "float"} <= known:
        return ranges
    more = (one for one in dataset.ranges or measured(dataset) if one[0] != "uint16" and one[0] not in known)
    return (*ranges, *more)


def doubts(dataset: Dataset, ranges: Ranges) -> list[str]:
    """A line where 16-bit files seem to hold fewer bits, and no range of them is known."""
    if any(kind == "uint16" for kind, *_ in ranges):
        return []
    return [
        f"16-bit files hold values up to about {white:g} and are taken as 0 to 65535, nearly black; "
        f"--bits {round(np.log2(white + 1))} says so"
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
        yield pictures.paths[row] if pictures.paths else pictures.content(row)
