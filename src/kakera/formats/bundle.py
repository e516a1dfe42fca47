"""A model together with its input specification, its classes and notes on its origin."""

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
from kakera.formats.classes import note_on_duplicates, require_thresholds, unique_names
from kakera.formats.preparation import prepare
from kakera.formats.rejection import Rejection
from kakera.formats.target_scale import TargetScale
from kakera.frontend import FrontEnd
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier, Pooling, default_pool
from kakera.model.mae import MAE
from kakera.model.network import Network
from kakera.model.positions import Resampling
from kakera.model.resnet import ResNet
from kakera.model.vit import ViT

WithHead: TypeAlias = Classifier | ResNet
"""A model with a classification head."""
M_co = TypeVar("M_co", bound=Network, default=Network, covariant=True)


@dataclass(frozen=True)
class Pretrained(Generic[M_co]):
    """A model with its input specification and its class names.

    `model` is the network, `inputs` describes its inputs (size, channels, normalisation). `classes` are the
    class names in the order of the logits; a model without a head has none. `multi_label` is True if a
    picture may have several labels; then each class has its own sigmoid. With `targets` the model predicts
    numbers (regression), and `classes` are the names of the targets. Raises OptionError for wrong
    `thresholds`.

    Example:

        >>> from kakera.model.classifier import Classifier
        >>> encoder = ViT("nano", channels=1, image_size=8, seed=0)
        >>> inputs = InputSpec(1, 8, 8, (0.5,), (0.5,))
        >>> saved = Pretrained(Classifier(encoder, 2, "class"), inputs, ("cat", "dog"))
        >>> pictures = np.zeros((3, 8, 8), np.uint8)  # three black pictures
        >>> saved.predict_proba(list(pictures)).shape
        (3, 2)
        >>> saved.embed(list(pictures)).shape
        (3, 64)
    """

    model: M_co
    inputs: InputSpec
    classes: tuple[str, ...] = ()
    multi_label: bool = False
    notes: tuple[str, ...] = field(default=(), compare=False)
    """Notes on weights of another library: detected properties and assumptions."""
    resampling: Resampling = field(default="bicubic", compare=False)
    """The method by which the library of the weights resizes position embeddings."""
    thresholds: tuple[float, ...] = ()
    """The least probability of each class that a multi-label model predicts; empty: 0.5 for each."""
    targets: TargetScale | None = None
    """Mean and standard deviation of the targets of a regression model; None for other models."""
    license: str = field(default="", compare=False)
    """Licence of the weights that this model was made from, if their card states one; empty: unknown."""
    rejection: Rejection | None = field(default=None, compare=False)
    """How far files are from the training files of this model, for `predict` with `reject`; None: unknown."""

    def __post_init__(self) -> None:
        # A class is an index, so names must be unique: repeated names get a number, and a note tells so.
        object.__setattr__(self, "notes", (*self.notes, *note_on_duplicates(self.classes)))
        object.__setattr__(self, "classes", unique_names(self.classes))
        require_thresholds(self.thresholds, len(self.classes), multi_label=self.multi_label)

    @property
    def regression(self) -> bool:
        """True if the model predicts numbers instead of classes."""
        return self.targets is not None

    @property
    def encoder(self) -> ViT:
        """The Vision Transformer of the model, without its head or decoder. Raises RunError for a CNN."""
        encoder = self.model.backbone
        if encoder is None:
            raise RunError("model", got="a CNN", expected="a Vision Transformer", do="choose another model")
        return encoder

    @property
    def device(self) -> torch.device:
        """The device of the model's weights."""
        return next(self.model.parameters()).device

    @cached_property
    def front_end(self) -> FrontEnd:
        """The front end, which turns stored pictures or waveforms into input pixels of the model."""
        return FrontEnd.of(self.model, self.inputs)

    def prepare(self, files: Files) -> Float[Tensor, "b c H W"]:
        """Return files as input pixels of the model, (b, c, H, W), as in evaluation.

        `files` is a path, a folder or a built-in name; or bytes, a Pillow image, an array (H, W) or (H, W, C)
        of uint8 or of floats from 0 to 1; a model of recordings also accepts (waveform, sample rate in
        hertz). A list of these is accepted too. A picture is decoded, turned upright, put on white where it
        is transparent, centre-cropped and resized. A recording becomes its windows in order, one row each.
        The result is normalised and on the model's device. Raises DataError for an object that is no file,
        and UnreadableFileError for the first unreadable file.
        """
        return prepare(self.front_end, files, self.device)

    def probabilities(self, values: Tensor, lengths: Tensor | None = None) -> Float[Tensor, "b classes"]:
        """Return the probabilities (b, classes) of stored pictures or of waveforms, on the CPU.

        A regression model returns its predicted numbers (b, targets). `values` are stored pictures (b, c, H,
        W) or waveforms (b, samples). `lengths` (b,) are the recorded samples of each waveform; the rest is
        padding. Raises OptionError for a model without a head.
        """
        from kakera.formats.inference import probabilities

        return probabilities(self, *self.front_end(values.to(self.device), lengths)).cpu()

    def predict_proba(self, files: Files) -> NDArray[np.float32]:
        """Return the probabilities (n, classes) of files, float32, in the order of `files`.

        `files` are as in `prepare`. A recording gets the mean over its windows. Each row sums to 1, except in
        a multi-label model. Raises OptionError for a model without classes, and the errors of `prepare`.
        """
        from kakera.formats.regression import require_classes, values_of_files

        return values_of_files(require_classes(self), files)

    def predict_values(self, files: Files) -> NDArray[np.float32]:
        """Return the numbers (n, targets) that a regression model predicts for files, in their units.

        `files` are as in `prepare`; the rows are in their order. A recording gets the mean over its windows.
        Raises OptionError for a model of classes, and the errors of `prepare`.
        """
        from kakera.formats.regression import require_targets, values_of_files

        return values_of_files(require_targets(self), files)

    def embed(self, files: Files, *, pool: Pooling | None = None, layer: int = -1) -> NDArray[np.float32]:
        """Return one embedding of the frozen encoder for each file, (n, d), float32, in the order of `files`.

        `pool` is as in `Classifier`; by default the pooling of the head, or `default_pool` of the encoder.
        `layer` is 0 (before the first layer) to the depth (after the last); −1 is the last. Raises
        OptionError for another layer, RunError for a CNN, and the errors of `prepare`.
        """
        from kakera.data.sources.files import open_files
        from kakera.formats.features import features
        from kakera.formats.inference import whole

        pooling, broken = (
            pool or self.model.pool or default_pool(self.encoder.config),
            list[UnreadableFileError](),
        )
        rows, _ = features(self, open_files(files, self.inputs), [layer], [pooling], unreadable=broken)
        return whole(rows[layer, pooling], broken)

    def reconstruct(self, files: Files, *, mask_ratio: float = 0.75, seed: int = 0) -> NDArray[np.uint8]:
        """Return three versions of each picture, (n, 3, H, W, c), uint8: original, masked, reconstructed.

        In the masked version hidden patches are grey; in the reconstructed one the model predicts them.
        `mask_ratio` is the share of patches that are hidden at random; `seed` chooses them. `files` are as
        in `prepare`. Raises RunError for a model without a decoder, and OptionError for a wrong ratio.
        """
        from kakera.formats.looking import reconstruct

        return reconstruct(require_mae(self), files, mask_ratio, seed)

    def attention(self, files: Files, *, layer: int = -1) -> list[NDArray[np.floating]]:
        """Return the attention weights of a layer, (heads, 1 + N, 1 + N), for each picture or window.

        Row i is the attention of token i to every token, and sums to 1. Token 0 is the class token; N is the
        number of patches that are not padding. `layer` counts from 1; −1 is the last. Raises OptionError for
        another layer, RunError for a CNN, and the errors of `prepare`.
        """
        from kakera.formats.looking import attention

        return attention(self, files, layer)

    def to(self, device: str | torch.device) -> Pretrained[M_co]:
        """Move the model to a device, in place like `torch.nn.Module.to`, and return this object."""
        self.model.to(device)
        return self

    def save(self, folder: str | Path) -> None:
        """Write `kakera.json` and `model.safetensors` into a folder; `kakera.load` reads it.

        Raises StorageError if the disk is full or refuses the files.
        """
        from kakera.formats.native import save_model

        save_model(Path(folder), self)

    def about(self) -> str:
        """Return the kind, size, inputs and outputs of the model in one line."""
        inputs = self.inputs
        channels = "1 channel" if inputs.channels == 1 else f"{inputs.channels} channels"
        found = self.model.about(f"{channels} of {inputs.height} × {inputs.width}")
        return found.replace(" classes from ", " numbers from ") if self.regression else found

    def __repr__(self) -> str:
        return f"Pretrained({self.about()})"


def require_classifier(saved: Pretrained) -> Pretrained[WithHead]:
    """Return `saved` itself, typed as a classifier. Raises OptionError for a model without a head.

    Example:

        >>> encoder = ViT("nano", channels=1, image_size=8)
        >>> try:
        ...     require_classifier(Pretrained(encoder, InputSpec(1, 8, 8, (0.5,), (0.5,))))
        ... except OptionError as error:
        ...     print(error)
        model: got an encoder without a head, expected a classifier; fine-tune it first
    """
    if not saved.model.classifies:
        got = "an autoencoder" if saved.model.reconstructs else "an encoder without a head"
        raise OptionError("model", got=got, expected="a classifier", do="fine-tune it first")
    return cast("Pretrained[WithHead]", saved)


def require_token_classifier(saved: Pretrained) -> Pretrained[Classifier]:
    """Return `saved` itself, typed as a Vision Transformer with a head. Raises OptionError for another model.

    Example:

        >>> from kakera.model.classifier import Classifier
        >>> model = Classifier(ViT("nano", channels=1, image_size=8), 2, "class")
        >>> saved = Pretrained(model, InputSpec(1, 8, 8, (0.5,), (0.5,)), ("cat", "dog"))
        >>> require_token_classifier(saved) is saved
        True
    """
    if not (saved.model.classifies and saved.model.has_attention):
        raise OptionError(
            "model", got="no Vision Transformer with a head", expected="one", do="name a fine-tuned run"
        )
    return cast("Pretrained[Classifier]", saved)


def require_mae(saved: Pretrained) -> Pretrained[MAE]:
    """Return `saved` itself, typed as a masked autoencoder. Raises RunError for a model without a decoder.

    Example:

        >>> saved = Pretrained(MAE(ViT("nano", channels=1, image_size=8)), InputSpec(1, 8, 8, (0.5,), (0.5,)))
        >>> require_mae(saved).model.reconstructs
        True
    """
    if not saved.model.reconstructs:
        raise RunError(
            "model",
            got="an encoder only",
            expected="a masked autoencoder",
            do="name the pretraining run, which has a decoder",
        )
    return cast("Pretrained[MAE]", saved)
