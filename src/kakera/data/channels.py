"""Grey pictures as colour ones, and the other way round."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from kakera.data.blocks import Blocks
from kakera.data.dataset import ArrayPictures, Dataset, FilePictures, choose
from kakera.data.images.decode import GREY_OR_COLOUR, with_depth
from kakera.data.preload.kept import KeptPictures
from kakera.data.shards.reader import ShardPictures
from kakera.errors import DataError, sentence


def with_channels(dataset: Dataset, channels: int) -> Dataset:
    """The same pictures with 1 (grey) or 3 (colour) channels. Raises DataError where either has others."""
    if channels == dataset.channels:
        return dataset
    if dataset.sounds is not None:
        raise DataError(
            sentence(dataset.name, got=f"recordings and {channels} channels", expected="1", do="leave it out")
        )
    if channels not in GREY_OR_COLOUR or dataset.channels not in GREY_OR_COLOUR:
        got = f"pictures of {dataset.channels} channel{'' if dataset.channels == 1 else 's'}"
        do = "name others, or leave out --channels"
        raise DataError(sentence(dataset.name, got=got, expected=channels, do=do))
    pictures = dataset.pictures
    if isinstance(pictures, FilePictures):
        return replace(
            dataset, pictures=FilePictures(pictures.paths, channels, pictures.ranges), channels=channels
        )
    if isinstance(pictures, ShardPictures):
        return replace(dataset, pictures=pictures.converted(channels), channels=channels)
    if isinstance(pictures, KeptPictures):  # what is kept has the other number of channels
        files = choose(pictures.source, pictures.rows)
        return with_channels(replace(dataset, pictures=files), channels)
    assert isinstance(pictures, ArrayPictures)
    arrays = pictures.arrays
    if isinstance(arrays, Blocks):
        converted = arrays.converted(channels)
    elif isinstance(arrays, np.ndarray):
        converted = with_depth(arrays, channels)
    else:
        converted = [with_depth(array, channels) for array in arrays]
    return replace(
        dataset, pictures=ArrayPictures(converted, pictures.names, pictures.rows), channels=channels
    )
