"""Everything that can be passed instead of a file: paths, names, bytes, images, arrays, and lists of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from numbers import Real
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from kakera.data.audio.source import Content
from kakera.data.dataset import Dataset
from kakera.data.images.decode import from_image
from kakera.data.images.value_range import Ranges
from kakera.data.sources.arrays import pixels, waveform
from kakera.errors import DataError, UnreadableFileError

Waveform: TypeAlias = tuple["NDArray[Any] | Tensor", int]
"""Samples and their rate in hertz: (samples,) or (samples, channels); for tensors (channels, samples)."""
Item: TypeAlias = "str | os.PathLike[str] | bytes | Image.Image | NDArray[Any] | Tensor | Waveform"
"""A path, a folder or a name; the bytes of a file; a Pillow image; a waveform with its rate; or pixels.

Pixels are an array (H, W) or (H, W, C), or a tensor (C, H, W), or several with one more axis in front.
"""
Files: TypeAlias = "Item | Iterable[Item] | Dataset"

Picture: TypeAlias = "NDArray[np.uint8] | Content | UnreadableFileError"


def items(files: Files) -> Iterator[Any]:
    """Yield the items one by one: each is str, Path, bytes, Content, Image, array, or (array, rate).

    A string is one path, not a list of letters. Raises DataError for a value that cannot be a file.

    Example:

        >>> [*items(["a.png", ("b.png", "c.png")])]
        ['a.png', 'b.png', 'c.png']
        >>> [one.shape for one in items(np.zeros((2, 8, 8, 3), np.uint8))]
        [(8, 8, 3), (8, 8, 3)]
    """
    if isinstance(files, str | bytes | Image.Image):
        yield files
    elif isinstance(files, os.PathLike):
        yield Path(files)
    elif isinstance(files, bytearray | memoryview):
        yield bytes(files)
    elif isinstance(files, Tensor):
        yield from items(_channels_last(files))
    elif isinstance(files, np.ndarray):
        yield from _arrays(files)
    elif _is_waveform(files):
        yield _in_order(files)
    elif hasattr(files, "read"):
        yield _content(files)
    elif isinstance(files, Iterable) and not isinstance(files, Mapping | Dataset):
        for one in files:
            yield from items(cast(Any, one))
    else:
        raise DataError(
            "files",
            got=f"a value of type {type(files).__name__}",
            expected="paths, bytes, images, arrays, waveforms with their rate, or a list of them",
            do="pass one of these",
        )


def picture(item: Any, channels: int, name: str, ranges: Ranges = ()) -> tuple[Picture, str]:
    """Return a picture in memory and its name: its pixels, its bytes, or the reason why it is unreadable.

    Bytes are decoded later. Raises DataError for a recording, and for an array that cannot be a picture.

    Example:

        >>> pixels_of_one, name = picture(np.zeros((8, 6), np.uint8), 3, "picture[0]")
        >>> pixels_of_one.shape, name
        ((8, 6, 3), 'picture[0]')
    """
    if isinstance(item, Content):
        return item, item.name
    if isinstance(item, bytes):
        return Content(item, name), name
    if isinstance(item, tuple):
        raise _other(name, "a waveform", "pictures")
    if isinstance(item, np.ndarray):
        return pixels(item, channels, name, ranges), name
    assert isinstance(item, Image.Image)
    name = os.fspath(getattr(item, "filename", "")) or name
    try:
        return from_image(item, channels, name, ranges), name
    except UnreadableFileError as error:
        return error, name


def recording(item: Any, name: str) -> Content:
    """Return a recording in memory.

    Raises DataError for a picture, and for a waveform without its sample rate.

    Example:

        >>> recording((np.zeros(16_000, np.float32), 16_000), "silence").name
        'silence'
    """
    if isinstance(item, Content):
        return item
    if isinstance(item, bytes):
        return Content(item, name)
    if isinstance(item, tuple):
        samples, rate = cast("tuple[NDArray[Any], int]", item)
        return Content(waveform(samples, rate, name), name)
    if isinstance(item, np.ndarray):
        raise DataError(
            name,
            got=f"an array of shape {item.shape} without a sample rate",
            expected="a pair (waveform, sample rate in hertz)",
            do="pass the sample rate too",
        )
    raise _other(name, "a picture", "recordings")


def _arrays(values: NDArray[Any]) -> Iterator[Any]:
    if values.dtype.kind in "OUST":  # names of files
        for one in values.reshape(-1).tolist():
            yield from items(one)
    elif values.ndim == 4:
        yield from values
    else:
        yield values


def _channels_last(tensor: Tensor) -> NDArray[Any]:
    """Return (…, C, H, W) as (…, H, W, C), and (H, W) unchanged."""
    tensor = tensor.detach().cpu()
    tensor = tensor.float() if tensor.is_floating_point() else tensor
    if tensor.ndim >= 3:
        tensor = tensor.movedim(-3, -1)
    return tensor.numpy()


def _is_waveform(value: Any) -> bool:
    """Return True for (samples, rate), and for (rate, samples), which is SciPy's order."""
    if not isinstance(value, tuple) or len(value) != 2:
        return False
    numbers = [isinstance(one, Real) for one in value]
    arrays = [isinstance(one, np.ndarray | Tensor) and one.ndim > 0 for one in value]
    return sorted(numbers) == sorted(arrays) == [False, True]


def _in_order(value: Any) -> tuple[NDArray[Any], int]:
    samples, rate = value if isinstance(value[1], Real) else value[::-1]
    if isinstance(samples, Tensor):
        samples = samples.detach().cpu().float() if samples.is_floating_point() else samples.cpu()
        samples = (samples.T if samples.ndim == 2 else samples).numpy()
    return samples, int(rate) if float(rate).is_integer() else 0


def _content(file: Any) -> Content:
    name = getattr(file, "name", "")
    again = file.tell() if hasattr(file, "seekable") and file.seekable() else None
    content = file.read()
    if again is not None:
        file.seek(again)  # a second call, such as transform after fit, reads the same
    if not isinstance(content, bytes):
        got, expected = "a file opened in text mode", "a file opened in binary mode"
        raise DataError(str(name) or "file", got=got, expected=expected, do='open the file with "rb"')
    return Content(content, name if isinstance(name, str) and name else "file")


def _other(name: str, got: str, expected: str) -> DataError:
    return DataError(name, got=got, expected=f"{expected}, which the model reads", do="pass other files")
