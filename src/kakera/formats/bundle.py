"""A network with all that belongs to it: what it takes in, its classes, where it came from."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Generic, TypeAlias, cast

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from typing_extensions import TypeVar

from kakera.data.sources.items import Files
from kakera.errors import OptionError, RunError, UnreadableFileError
from kakera.formats.classes import note_on_duplicates, unique_names
from kakera.formats.preparation import prepare
from kakera.frontend import FrontEnd
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier, Pooling
from kakera.model.mae import MAE
from kakera.model.network import Network
from kakera.model.positions import Resampling
from kakera.model.resnet import ResNet
from kakera.model.vit import ViT

WithHead: TypeAlias = Classifier | ResNet
"""A network with a head."""
M_co = TypeVar("M_co", bound=Network, default=Network, covariant=True)


@dataclass(frozen=True)
class Pretrained(Generic[M_co]):
    """A network, what it takes in, and the names of the classes it tells apart (none without a head).

    `multi_label` says that a picture may show more than one of them.
    """

    model: M_co
    inputs: InputSpec
    classes: tuple[str, ...] = ()
    multi_label: bool = False
    notes: tuple[str, ...] = field(default=(), compare=False)
    """Of weights from elsewhere: what was found, and what had to be assumed."""
    resampling: Resampling = field(default="bicubic", compare=False)
    """How the library that they come from resizes positions."""

    def __post_init__(self) -> None:
        # A class is a position: names that stand for several get a number, and a note.
        object.__setattr__(self, "notes", (*self.notes, *note_on_duplicates(self.classes)))
        object.__setattr__(self, "classes", unique_names(self.classes))

    @property
    def encoder(self) -> ViT:
        """The Vision Transformer inside. Raises RunError for a CNN."""
        found = self.model.backbone
        if found is None:
            raise RunError("model", got="a CNN", expected="a Vision Transformer", do="choose another model")
        return found

    @property
    def device(self) -> torch.device:
        """The device that the network is on."""
        return next(self.model.parameters()).device

    @cached_property
    def front_end(self) -> FrontEnd:
        """What makes the network's pixels of stored pictures and of waveforms."""
        return FrontEnd.of(self.model, self.inputs)

    def prepare(self, files: Files) -> Float[Tensor, "b c H W"]:
        """Return files as the network takes them in, normalised, on its device: as evaluation does.

        A path, a folder or a built-in name; bytes, an image of Pillow, an array (H, W) or (H, W, C) of uint8
        or of floats from 0 to 1; of a model of recordings also (waveform, rate in hertz); or several of
        these. A picture is decoded upright, laid on white where it is transparent, cut to the middle, and
        resized; a recording becomes its windows one after another. Raises DataError for what can be no
        file, UnreadableFileError for the first that cannot be read.
        """
        return prepare(self.front_end, files, self.device)

    def probabilities(self, values: Tensor, lengths: Tensor | None = None) -> Float[Tensor, "b classes"]:
        """Return probabilities, on the CPU, of stored pictures, or of waveforms that end after `lengths`.

        Raises OptionError for a network without a head.
        """
        from kakera.formats.inference import probabilities

        return probabilities(self, *self.front_end(values.to(self.device), lengths)).cpu()

    def predict_proba(self, files: Files) -> NDArray[np.float32]:
        """Return the probabilities (n, classes) of files, in the order given; of a recording their mean.

        `files` are as in `prepare`. Each row sums to 1, unless `multi_label` labels may hold at once. Raises
        OptionError for a network without a head, and as `prepare` does.
        """
        from kakera.data.sources.files import open_files
        from kakera.formats.inference import predict_proba

        require_classifier(self)
        found, _, broken = predict_proba(self, open_files(files, self.inputs))
        return _whole(found, broken)

    def embed(self, files: Files, *, pool: Pooling | None = None, layer: int = -1) -> NDArray[np.float32]:
        """Return one vector a file, (n, d), of the frozen encoder, in the order given.

        `pool` is "class", "mean" or "class and mean": without one what the head reads, or the class token.
        `layer` counts from 0, before the first, to the depth; −1 is the last. Raises OptionError for the
        layer, RunError for a CNN, and as `prepare` does.
        """
        from kakera.data.sources.files import open_files
        from kakera.formats.inference import features

        read, broken = pool or self.model.pool or "class", list[UnreadableFileError]()
        found, _ = features(self, open_files(files, self.inputs), [layer], [read], unreadable=broken)
        return _whole(found[layer, read], broken)

    def reconstruct(self, files: Files, *, mask_ratio: float = 0.75, seed: int = 0) -> NDArray[np.uint8]:
        """Return (n, 3, H, W, c): each picture, with hidden patches grey, and with them predicted.

        A share `mask_ratio` of the patches is hidden at random, as `seed` draws them. `files` are as in
        `prepare`. Raises RunError for a network without a decoder, OptionError for the ratio.
        """
        from kakera.formats.looking import reconstruct

        return reconstruct(require_mae(self), files, mask_ratio, seed)

    def attention(self, files: Files, *, layer: int = -1) -> list[NDArray[np.floating]]:
        """Return (heads, 1 + N, 1 + N) for each picture or window: how much each token looks at each.

        Token 0 is the class token; rows sum to 1; N counts the patches that are not padding. `layer` counts
        from 1, −1 is the last. Raises OptionError for the layer, RunError for a CNN, and as `prepare` does.
        """
        from kakera.formats.looking import attention

        return attention(self, files, layer)

    def to(self, device: str | torch.device) -> Pretrained[M_co]:
        """Move the network to a device, in place as `torch.nn.Module.to` does, and return this bundle."""
        self.model.to(device)
        return self

    def save(self, folder: str | Path) -> None:
        """Write `kakera.json` and `model.safetensors` into a folder. Raises StorageError."""
        from kakera.formats.native import save_model

        save_model(Path(folder), self)

    def about(self) -> str:
        """Return kind, size, inputs, and what it gives, in one line."""
        inputs = self.inputs
        channels = "1 channel" if inputs.channels == 1 else f"{inputs.channels} channels"
        return self.model.about(f"{channels} of {inputs.height} × {inputs.width}")

    def __repr__(self) -> str:
        return f"Pretrained({self.about()})"


def require_classifier(saved: Pretrained) -> Pretrained[WithHead]:
    """Return the bundle itself, as one of a network with a head. Raises OptionError for another."""
    if not saved.model.classifies:
        got = "an autoencoder" if saved.model.reconstructs else "an encoder without a head"
        raise OptionError("model", got=got, expected="a classifier", do="fine-tune it first")
    return cast("Pretrained[WithHead]", saved)


def require_token_classifier(saved: Pretrained) -> Pretrained[Classifier]:
    """Return the bundle itself, as one of a Transformer with a head. Raises OptionError for another."""
    if not (saved.model.classifies and saved.model.has_attention):
        raise OptionError("model", got="no classifier of tokens", expected="one", do="name a fine-tuned run")
    return cast("Pretrained[Classifier]", saved)


def require_mae(saved: Pretrained) -> Pretrained[MAE]:
    """Return the bundle itself, as one of a masked autoencoder. Raises RunError for one without a decoder."""
    if not saved.model.reconstructs:
        raise RunError(
            "model",
            got="an encoder only",
            expected="a masked autoencoder",
            do="name the pretraining run: its decoder draws",
        )
    return cast("Pretrained[MAE]", saved)


def _whole(
    rows: NDArray[np.float32], broken: list[UnreadableFileError] | tuple[UnreadableFileError, ...]
) -> NDArray[np.float32]:
    """Raises UnreadableFileError for the first that could not be read."""
    for error in broken:
        raise error
    return rows
