"""Arrays of pictures, one for each part, joined into one data set."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from kakera.data.blocks import Block, Blocks
from kakera.data.dataset import ArrayPictures, Dataset
from kakera.errors import DataError, sentence

Piece = tuple[str, str, Block, NDArray[np.int64] | None]


def join_parts(name: str, pieces: Sequence[Piece], classes: tuple[str, ...] = ()) -> tuple[Dataset, bool]:
    """One data set from (part, title, images (n, H, W, C), labels (n,) or None) pieces; no image is copied.

    A part of "" means train, and that the data are not split yet: the second value is False then.
    Raises DataError where grey and colour are mixed.
    """
    channels = sorted({images.shape[-1] for _, _, images, _ in pieces})
    if len(channels) > 1:
        raise DataError(
            sentence(
                name,
                got=f"parts of {' and '.join(map(str, channels))} channels",
                expected="grey or colour pictures alone",
                do="convert one of the parts",
            )
        )
    names = [f"{title}[{i}]" for _, title, images, _ in pieces for i in range(len(images))]
    blocks = [images for _, _, images, _ in pieces]
    arrays = blocks[0] if len(blocks) == 1 and isinstance(blocks[0], np.ndarray) else Blocks(blocks)
    split = np.concatenate([np.full(len(images), part or "train", "<U5") for part, _, images, _ in pieces])
    labels = None
    if any(given is not None for _, _, _, given in pieces):
        labels = np.concatenate(
            [np.full(len(images), -1) if given is None else given for _, _, images, given in pieces]
        )
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
