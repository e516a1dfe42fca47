"""The samples of an estimator: one file each, as paths, bytes, images, arrays or waveforms."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np
from PIL import Image
from torch import Tensor

from kakera.data.audio.recordings import FileSounds
from kakera.data.dataset import Dataset
from kakera.data.holders import FilePictures
from kakera.data.sources.files import open_files
from kakera.errors import DataError, UnreadableFileError
from kakera.inputs import InputSpec

Samples: TypeAlias = Any
"""A list, a column or an array of samples. See `samples_of`."""
EXPECTED = "a list of files: paths, bytes, images, arrays (H, W[, C]), or pairs (waveform, rate)"
KNOWN = (bytes, bytearray, memoryview, Image.Image, np.ndarray, Tensor, tuple)  # beside paths
WHOLE = (str, bytes, os.PathLike, Image.Image, Dataset)  # one thing, which is no list


def samples_of(X: Samples) -> list[Any]:  # noqa: N803  # scikit-learn's name
    """Return the samples of X, one by one.

    X is a sequence of files; a column of paths (an array, a Series, or a DataFrame of one column); or stacked
    pictures: an array (n, H, W) or (n, H, W, C), or a tensor (n, C, H, W). Raises DataError for other values,
    and without a sample.

    Example:

        >>> samples_of(np.array([["a.png"], ["b.png"]]))
        ['a.png', 'b.png']
        >>> [one.shape for one in samples_of(np.zeros((2, 8, 6), np.uint8))]
        [(8, 6), (8, 6)]
    """
    found = _listed(X)
    if not found:
        raise DataError("X", got="0 samples", expected="at least one", do="pass files")
    return found


def _listed(values: Samples) -> list[Any]:
    if isinstance(values, WHOLE) or (isinstance(values, Tensor) and values.ndim not in (3, 4)):
        raise _wrong(f"a single {type(values).__name__}")
    if isinstance(values, Tensor):
        return list(values)
    if not isinstance(values, np.ndarray) and hasattr(values, "to_numpy"):  # pandas, polars, pyarrow
        values = np.asarray(values.to_numpy())
    if isinstance(values, np.ndarray):
        return _rows(values)
    if not isinstance(values, Sequence) or isinstance(values, tuple):
        return _sequence(values)
    return list(cast("Sequence[Any]", values))


def _rows(values: np.ndarray) -> list[Any]:
    texts = values.dtype.kind in "OUST"
    if values.ndim == 2 and values.shape[1] == 1 and texts:
        values = values[:, 0]
    if values.ndim == 1 and texts:
        return values.tolist()
    if values.ndim in (3, 4) and not texts:
        return list(values)
    raise _wrong(f"an array of shape {values.shape} and type {values.dtype}")


def _sequence(values: Samples) -> list[Any]:
    """Return the items of a tuple; a pair of samples and rate is one recording, not two."""
    if isinstance(values, tuple) and not any(isinstance(one, int | float) for one in values):
        return list(cast("tuple[Any, ...]", values))
    raise _wrong("a single waveform" if isinstance(values, tuple) else f"a {type(values).__name__}")


def _wrong(got: str) -> DataError:
    return DataError("X", got=got, expected=EXPECTED, do="pass one sample for each file")


def open_samples(samples: Sequence[Any], inputs: InputSpec) -> Dataset:
    """Return the samples as a data set of the kind that an encoder reads, one file for each.

    Raises DataError for a folder, a tar file, or an item that is no file.

    Example:

        >>> opened = open_samples([np.zeros((8, 6), np.uint8)], InputSpec(1, 8, 8, (0.5,), (0.5,)))
        >>> len(opened), opened.kind
        (1, 'pictures')
    """
    found = [_checked(one, number) for number, one in enumerate(samples)]
    if not all(isinstance(one, Path) for one in found):
        return open_files(found, inputs)
    split = np.full(len(found), "test")
    if inputs.sound is not None:
        return Dataset("X", FileSounds(found, inputs.sound), 1, split)
    return Dataset("X", FilePictures(found, inputs.channels, inputs.values), inputs.channels, split)


def _checked(sample: Any, number: int) -> Any:
    if isinstance(sample, str | os.PathLike):
        path = Path(cast("str | os.PathLike[str]", sample))
        if path.is_dir() or path.suffix.lower() == ".tar":
            got, do = "a folder or an archive", "list its files"
            raise DataError(str(path), got=got, expected="one file for each sample", do=do)
        return path
    if not isinstance(sample, KNOWN) and not hasattr(sample, "read"):
        raise DataError(f"X[{number}]", got=f"a {type(sample).__name__}", expected="a file", do="correct it")
    if isinstance(sample, np.ndarray | Tensor) and sample.ndim not in (2, 3):
        got = f"an array of shape {tuple(sample.shape)}"
        raise DataError(f"X[{number}]", got=got, expected="(H, W) or (H, W, C)", do="correct it")
    return sample


def require_readable(broken: Sequence[UnreadableFileError]) -> None:
    """Raise DataError, which names the first of the unreadable files, if there are any.

    Example:

        >>> require_readable([UnreadableFileError("a.png", "empty")])
        Traceback (most recent call last):
        kakera.errors.DataError: X: got 1 unreadable file, expected readable files; leave out a.png (empty)
    """
    if broken:
        many = len({error.path for error in broken})
        got = f"{many} unreadable file{'s' if many > 1 else ''}"
        do = f"leave out {broken[0].path} ({broken[0].reason})" + (" and the others" if many > 1 else "")
        raise DataError("X", got=got, expected="readable files", do=do)
