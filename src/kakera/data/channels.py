"""Grey pictures as colour ones, and the other way round."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from kakera.data.dataset import ArrayPictures, Dataset, FilePictures
from kakera.errors import DataError, sentence

_WEIGHTS = np.array([299, 587, 114], dtype=np.uint32)  # of red, green, blue: ITU-R BT.601


def with_channels(dataset: Dataset, channels: int) -> Dataset:
    """The same pictures with 1 (grey) or 3 (colour) channels. Raises DataError for other numbers."""
    if channels == dataset.channels:
        return dataset
    if dataset.sounds is not None:
        raise DataError(
            sentence(dataset.name, got=f"recordings and {channels} channels", expected="1", do="leave it out")
        )
    if channels not in (1, 3):
        raise DataError(
            sentence("channels", got=channels, expected="1 (grey) or 3 (colour)", do="choose one of these")
        )
    pictures = dataset.pictures
    if isinstance(pictures, FilePictures):
        return replace(dataset, pictures=FilePictures(pictures.paths, channels), channels=channels)
    assert isinstance(pictures, ArrayPictures)
    block = pictures.block
    converted = (
        _convert(block, channels)
        if block is not None
        else [_convert(array, channels) for array in pictures.arrays]
    )
    return replace(
        dataset, pictures=ArrayPictures(converted, pictures.names, pictures.rows), channels=channels
    )


def _convert(values: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    if channels == 3:
        return np.repeat(values, 3, axis=-1)
    grey = (values.astype(np.uint32) @ _WEIGHTS + 500) // 1000
    return grey.astype(np.uint8)[..., None]
