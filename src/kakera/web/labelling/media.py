"""Pictures, spectrograms and sounds of the files, as the page shows them."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from kakera.commands.labelling.setup import OpenLabelling
from kakera.data.audio.wav import audible_wav
from kakera.data.dataset import Dataset
from kakera.data.images.resize import image_of
from kakera.errors import DataError, UnreadableFileError
from kakera.explain.activations import as_bytes
from kakera.explain.picture import png, upright
from kakera.frontend import FrontEnd
from kakera.training.preview import preview

SIDE = 1024  # pixels of the longer side at most
SECONDS = 60  # of a recording at most
COLOUR = 3


class Media:
    """The media of an open labelling. A file whose content has changed since its token is refused."""

    def __init__(self, opened: OpenLabelling) -> None:
        self._opened, self._inputs = opened, opened.encoder.encoder.inputs
        self._shown = _in_colour(opened.dataset)

    def picture(self, row: int) -> bytes:
        """Return a picture, or the spectrogram of a recording, as PNG.

        Raises UnreadableFileError, and DataError for a file that has changed.
        """
        self._require_same(row)
        if self._opened.dataset.sounds is not None:
            return self._spectrogram(row)
        values = np.asarray(self._shown.pictures.read(row))
        image = image_of(_visible(values.astype(np.uint8)))
        image.thumbnail((SIDE, SIDE), Image.Resampling.BICUBIC)
        return png(image)

    def sound(self, row: int) -> bytes:
        """Return the first minute of a recording as WAV.

        Raises UnreadableFileError, and DataError for a picture and for a file that has changed.
        """
        sounds = self._opened.dataset.sounds
        if sounds is None:
            raise DataError("sound", got="a picture", expected="a recording", do="ask for the picture")
        self._require_same(row)
        rate = sounds.spec.rate
        return audible_wav(sounds.piece(row, 0, min(sounds.length(row), SECONDS * rate)), rate)

    def _spectrogram(self, row: int) -> bytes:
        shown = preview(self._opened.dataset.take([row]), FrontEnd(self._inputs))
        if not len(shown):
            raise shown.batch.unreadable[0]
        with torch.inference_mode():
            values = as_bytes(self._inputs.to_unit(shown.pictures[:1])[0])
        return png(image_of(np.ascontiguousarray(upright(values[:, : shown.widths[0]], self._inputs))))

    def _require_same(self, row: int) -> None:
        if self._opened.changed(row):
            name, do = self._opened.dataset.pictures.name(row), "skip it, or start kakera label again"
            raise UnreadableFileError(
                name, f"got another content than at the start, expected the same file; {do}"
            )


def _in_colour(dataset: Dataset) -> Dataset:
    """Return pictures in colour where the encoder takes grey ones; people see more in colour."""
    if dataset.sounds is not None or dataset.channels != 1:
        return dataset
    return dataset.with_channels(COLOUR)


def _visible(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the first three channels, or the first of two."""
    return values[..., : COLOUR if values.shape[-1] >= COLOUR else 1]
