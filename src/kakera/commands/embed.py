"""`kakera.embed`: what an encoder makes of pictures and recordings, as one vector each."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kakera.commands.predict import readers
from kakera.data.sources.files import open_files
from kakera.data.sources.items import Files
from kakera.errors import UnreadableFileError
from kakera.formats.bundle import Pretrained
from kakera.formats.inference import features
from kakera.formats.load import load
from kakera.model.classifier import Pooling
from kakera.option_fields import Auto
from kakera.training.device import moved_to_device
from kakera.training.notes import noted


@dataclass(frozen=True, eq=False)
class Embeddings:
    """One vector a file, in the order given."""

    names: tuple[str, ...]
    """What each vector is of: a path, or picture[0] by its place for what has no name."""
    vectors: NDArray[np.float32] = field(repr=False)
    """(n, d)."""
    unreadable: tuple[UnreadableFileError, ...] = ()
    """Files that have no vector, with the reason."""

    def __len__(self) -> int:
        return len(self.names)


def embed(
    model: str | Path | Pretrained,
    files: Files,
    *,
    pool: Pooling | None = None,
    layer: int = -1,
    workers: int | Auto = "auto",
    device: str = "auto",
) -> Embeddings:
    """Embed files with a frozen encoder: of a classifier, a masked autoencoder, or an encoder alone.

    `files`, `workers` and `device` are as in `predict`. `pool` is "class", "mean" or "class and mean", as in
    `probe`; without one it is the pool of the classifier, and "class" where there is none. `layer` counts
    from 0, the tokens before the first layer, to the depth; −1 is the last. The final norm follows. Of a
    recording the mean over its windows is taken. Raises OptionError for the layer, RunError for the model
    or the device, DataError as `predict` does.
    """
    saved = model if isinstance(model, Pretrained) else noted(load(model), model)
    chosen: Pooling = pool or saved.model.pool or "class"
    dataset, broken = open_files(files, saved.inputs), list[UnreadableFileError]()
    with moved_to_device(saved, device):
        found, numbers = features(
            saved,
            dataset,
            [layer],
            [chosen],
            workers=readers(dataset, workers),
            progress="embed",
            unreadable=broken,
        )
    names = tuple(dataset.pictures.name(number) for number in numbers.tolist())
    return Embeddings(names, found[layer, chosen], tuple({error.path: error for error in broken}.values()))
