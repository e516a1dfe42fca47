"""Arrays as data: pixels, waveforms, and whole sets of pictures, in the form that files are decoded to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kakera.data.audio.wav import wav
from kakera.data.blocks import Block, Blocks
from kakera.data.dataset import Dataset
from kakera.data.holders import ArrayPictures
from kakera.data.images.decode import from_image
from kakera.data.images.value_range import Ranges, eight_bits
from kakera.errors import DataError

CHANNELS = (1, 3, 4)  # grey, colour, colour with transparency
LOUDEST = 16.0  # largest float, where 1 is full scale: larger values were never divided by full scale
Piece = tuple[str, str, Block, NDArray[np.int64] | None]
FULL_SCALE = {"uint8": 128.0, "int16": 2.0**15, "int32": 2.0**31}


def pixels(values: NDArray[Any], channels: int, name: str, ranges: Ranges = ()) -> NDArray[np.uint8]:
    """Return a picture as `decode` returns a file: uint8 (H, W, channels), 0 to 255.

    `values` is (H, W) or (H, W, C): uint8, uint16 (65535 is white), bool, or floats from 0 to 1. For other
    ranges, `ranges` gives the values of black and white. A fourth channel is opacity, and the picture is then
    drawn on white; with `channels=4` the fourth channel is read as a value. `name` is for messages. Raises
    DataError for other shapes and values, and UnreadableFileError.

    Example:

        >>> pixels(np.array([[0.0, 0.5, 1.0]]), 1, "ramp").tolist()
        [[[0], [128], [255]]]
        >>> pixels(np.zeros((8, 6, 3), np.uint8), 3, "black").shape
        (8, 6, 3)
    """
    if values.ndim == 3 and values.size and values.shape[2] == channels not in (1, 3):
        return _eight_bits(values, name, ranges)
    if values.ndim not in (2, 3) or not values.size or (values.ndim == 3 and values.shape[2] not in CHANNELS):
        first = values.ndim == 3 and values.shape[0] in CHANNELS
        raise DataError(
            name,
            got=f"an array of shape {values.shape}",
            expected="(H, W) or (H, W, C) with 1, 3 or 4 channels",
            do="move the channels to the end" if first else "pass the pictures one by one, in a list",
        )
    eight = _eight_bits(values, name, ranges)
    image = Image.fromarray(eight.reshape(eight.shape[:2]) if eight[0, 0].size == 1 else eight)
    return from_image(image, channels, name)


def _eight_bits(values: NDArray[Any], name: str, ranges: Ranges) -> NDArray[np.uint8]:
    if values.dtype == np.uint8:
        return np.ascontiguousarray(values)
    if values.dtype == bool:
        return values.astype(np.uint8) * 255
    kind = "uint16" if values.dtype == np.uint16 else "float" if values.dtype.kind == "f" else "int32"
    known = any(name == kind for name, *_ in ranges) and values.dtype.kind in "fiu"
    if known and np.isfinite(values).all():
        return eight_bits(values, kind, ranges)[0]
    if values.dtype == np.uint16:
        return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    low, high = values.min(), values.max()
    if values.dtype.kind == "f" and 0 <= low <= high <= 1:
        return (values.astype(np.float32) * 255 + 0.5).astype(np.uint8)
    raise DataError(
        name,
        got=f"{values.dtype} values from {low} to {high}",
        expected="uint8, uint16, bool, or floats from 0 to 1",
        do="convert them to uint8",
    )


def waveform(values: NDArray[Any], rate: int, name: str) -> bytes:
    """Return a recording as the bytes of a WAV file with 32-bit floats.

    `values` is (samples,) or (samples, channels): floats, where 1 is full scale, or integers as WAV files
    store them (uint8, int16, int32). `rate` is the sample rate in hertz, `name` is for messages. Raises
    DataError for other shapes and values.

    Example:

        >>> content = waveform(np.zeros(16_000, np.float32), 16_000, "silence")
        >>> content[:4], content[8:12]
        (b'RIFF', b'WAVE')
    """
    columns = values[:, None] if values.ndim == 1 else values
    if columns.ndim != 2 or columns.shape[0] < columns.shape[1] or rate < 1:
        raise DataError(
            name,
            got=f"a waveform of shape {values.shape} at {rate} Hz",
            expected="(samples,) or (samples, channels), and a sample rate in hertz",
            do="transpose the array, or correct the sample rate",
        )
    kind = str(values.dtype)
    if kind in FULL_SCALE:
        middle = 128 if kind == "uint8" else 0
        floats = (columns.astype(np.float64) - middle) / FULL_SCALE[kind]
    elif values.dtype.kind == "f" and not np.abs(columns).max(initial=0) > LOUDEST:
        floats = columns
    else:
        raise DataError(
            name,
            got=f"{values.dtype} values up to {np.abs(columns).max(initial=0)}",
            expected="floats from −1 to 1, or uint8, int16 or int32",
            do="divide the values by the largest value of their type",
        )
    return wav(floats.astype(np.float32), rate, "FLOAT")


def join_parts(
    name: str, pieces: Sequence[Piece], classes: tuple[str, ...] = (), names: Sequence[str] = ()
) -> tuple[Dataset, bool]:
    """Return one data set made of several pieces, without copying a picture; and True if it has a split.

    Each of the `pieces` is (part, title, images (n, H, W, C), labels (n,) or None). A part of "" means train
    and no split: the second value is False then. Floating-point labels (n, targets) are numbers to predict.
    Without `names`, a picture is called by the title and its number. `classes` names the labels; without it,
    numbers do. Raises DataError if the pieces mix grey and colour.

    Example:

        >>> images, labels = np.zeros((3, 8, 8, 1), np.uint8), np.array([0, 1, 1])
        >>> dataset, has_split = join_parts("tiny", [("train", "x", images, labels)])
        >>> len(dataset), dataset.classes, has_split
        (3, ('0', '1'), True)
    """
    channels = sorted({images.shape[-1] for _, _, images, _ in pieces})
    if len(channels) > 1:
        raise DataError(
            name,
            got=f"parts of {' and '.join(map(str, channels))} channels",
            expected="only grey or only colour pictures",
            do="convert one of the parts",
        )
    names = names or [f"{title}[{i}]" for _, title, images, _ in pieces for i in range(len(images))]
    blocks = [images for _, _, images, _ in pieces]
    arrays = blocks[0] if len(blocks) == 1 and isinstance(blocks[0], np.ndarray) else Blocks(blocks)
    split = np.concatenate([np.full(len(images), part or "train", "<U5") for part, _, images, _ in pieces])
    labels = None
    if any(given is not None for _, _, _, given in pieces):
        labels = _joined_labels(name, [(len(images), given) for _, _, images, given in pieces])
    if labels is not None and labels.dtype.kind != "f":
        count = int(labels.max()) + 1
        classes = classes if len(classes) >= count else tuple(str(number) for number in range(count))
    dataset = Dataset(
        name,
        ArrayPictures(arrays, names),
        channels=channels[0],
        split=split,
        classes=classes if labels is not None else (),
        labels=labels,
    )
    return dataset, all(part for part, *_ in pieces)


def _joined_labels(name: str, pieces: Sequence[tuple[int, NDArray[Any] | None]]) -> NDArray[Any]:
    """Return the labels of all pieces; a piece without labels has −1, or NaN. Raises DataError."""
    kinds = {given.shape[1:] for _, given in pieces if given is not None}
    if len(kinds) > 1:
        got = "parts with different labels"
        raise DataError(name, got=got, expected="the same kind in all parts", do="save the file again")
    (shape,) = kinds
    missing = np.nan if shape else -1
    return np.concatenate(
        [np.full((count, *shape), missing) if given is None else given for count, given in pieces]
    )
