"""`kakera.embed`: one embedding vector for each picture or recording."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kakera.commands.engine import ForVectors, encoder_in_engine
from kakera.commands.prediction import readers
from kakera.data.sources.files import open_files
from kakera.data.sources.items import Files
from kakera.errors import UnreadableFileError
from kakera.formats.bundle import Pretrained
from kakera.formats.features import features
from kakera.formats.load import load
from kakera.model.classifier import Pooling, default_pool
from kakera.option_fields import Auto
from kakera.training.device import moved_to_device
from kakera.training.notes import noted


@dataclass(frozen=True, eq=False)
class Embeddings:
    """One embedding vector for each file, in the order of the files. See `embed`."""

    names: tuple[str, ...]
    """Name of each file: its path, or picture[0] with its position for an input without a path."""
    vectors: NDArray[np.float32] = field(repr=False)
    """The vectors (n, d), float32."""
    unreadable: tuple[UnreadableFileError, ...] = ()
    """Errors of the unreadable files, which have no vector."""

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
    engine: ForVectors = "torch",
) -> Embeddings:
    """Compute one embedding vector for each file, with a frozen encoder.

    `model` is a run folder or a loaded model: a classifier, a masked autoencoder, or an encoder alone.
    `files`, `workers` and `device` are as in `predict`. `pool` is as in `probe`; the default is the pool of
    the classifier, or `default_pool` for a model without one. `layer` is a number from 0 (tokens before the
    first layer) to the depth; −1 is the last layer. The final norm is applied. For a recording the vector is
    the mean over its windows. `engine` is "torch" (float32), "bf16" or "int8", see docs/inference.md.

    Return the vectors (n, d) with their names. Raises OptionError for a wrong layer, RunError for the model
    or the device, and DataError as `predict` does.

    Example:

        >>> from kakera import Classifier, InputSpec
        >>> from kakera.formats.bundle import Pretrained
        >>> network = Classifier("nano", 2, channels=1, image_size=28)
        >>> inputs = InputSpec(1, 28, 28, mean=(0.5,), std=(0.5,))
        >>> model = Pretrained(network.eval(), inputs, ("left", "right"))
        >>> embed(model, np.zeros((3, 28, 28, 1), np.uint8)).vectors.shape
        (3, 64)
    """
    saved = model if isinstance(model, Pretrained) else noted(load(model), model)
    chosen: Pooling = pool or saved.model.pool or default_pool(saved.encoder.config)
    dataset, broken = open_files(files, saved.inputs), list[UnreadableFileError]()
    with moved_to_device(saved, device):
        found, numbers = features(
            encoder_in_engine(saved, dataset, engine),
            dataset,
            [layer],
            [chosen],
            workers=readers(dataset, workers),
            progress="embed",
            unreadable=broken,
        )
    names = tuple(dataset.pictures.name(number) for number in numbers.tolist())
    return Embeddings(names, found[layer, chosen], tuple({error.path: error for error in broken}.values()))
