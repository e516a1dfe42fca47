"""Artificial labels, names, data sets and files of any number, in classes of kakera."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from kakera.data.dataset import Dataset

ROWS = 8192  # names made at a time


def labels_of(files: int, classes: int) -> NDArray[np.int64]:
    """Return labels class by class, in the order of folders."""
    return np.arange(files) * min(files, classes) // files


def blocks(files: int, classes: int) -> Iterator[tuple[int, list[str]]]:
    """Yield names such as n00017/n00017_00123456.JPEG, and the number of the first of them."""
    for first in range(0, files, ROWS):
        numbers = range(first, min(first + ROWS, files))
        used = min(files, classes)
        yield first, [f"n{n * used // files:05}/n{n * used // files:05}_{n:08}.JPEG" for n in numbers]


def dataset(files: int, classes: int) -> Dataset:
    """Return a data set of labelled pictures whose files do not exist; a fifth of them is the test part."""
    from kakera.data.dataset import PARTS, Dataset
    from kakera.data.holders import FilePictures
    from kakera.data.names import NamesBuilder, Paths

    names = NamesBuilder()
    for _, block in blocks(files, classes):
        names.extend(block)
    pictures = FilePictures(Paths(Path("/not/there"), names.names()), 3)
    parts = np.array(PARTS)[np.where(np.arange(files) % 5 == 0, 2, 0)]
    known = tuple(f"n{number:05}" for number in range(classes))
    return Dataset("made up", pictures, 3, parts, known, labels_of(files, classes))


def place(scratch: Path, files: int, classes: int) -> Path:
    return scratch / f"{files}-{classes}" / "files"


def tree(scratch: Path, files: int, classes: int) -> Path:
    """Create a folder of files once: sparse files of zeros, each with another size."""
    folder = place(scratch, files, classes)
    whole = folder.parent / "whole"
    if whole.exists():
        return folder
    made = ""
    for first, names in blocks(files, classes):
        for size, name in enumerate(names, first + 1):
            if name[:6] != made:
                made = name[:6]
                (folder / made).mkdir(parents=True, exist_ok=True)
            file = os.open(f"{folder}/{name}", os.O_WRONLY | os.O_CREAT)
            os.ftruncate(file, size)
            os.close(file)
    whole.touch()
    return folder
