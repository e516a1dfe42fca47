"""kakera's own format: weights in `model.safetensors`, everything else in `kakera.json`. No pickle."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kakera.data.sources.items import Files
from kakera.errors import RunError, sentence
from kakera.formats.about import about
from kakera.formats.build import fill, require_numbers, without_memory
from kakera.formats.checksum import read_sealed, sealed
from kakera.formats.classes import note_on_duplicates, unique_names
from kakera.formats.description import check
from kakera.formats.preparation import prepared
from kakera.formats.wrappers import unwrapped
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.configs import BlockConfig, DecoderConfig, ViTConfig
from kakera.model.mae import MAE
from kakera.model.positions import Resampling
from kakera.model.resnet import RESNETS, ResNet
from kakera.model.vit import ViT
from kakera.storage import write_atomically

WEIGHTS, DESCRIPTION = "model.safetensors", "kakera.json"
VERSION = 1
Model = MAE | Classifier | ViT | ResNet


@dataclass(frozen=True)
class Saved:
    """A model, what it takes in, and the names of the classes it tells apart (none for an autoencoder)."""

    model: Model
    inputs: InputSpec
    classes: tuple[str, ...] = ()
    several: bool = False
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
        if isinstance(self.model, ResNet):
            raise RunError(
                sentence("model", got="a CNN", expected="a Vision Transformer", do="choose another model")
            )
        return self.model if isinstance(self.model, ViT) else self.model.encoder

    @property
    def device(self) -> torch.device:
        """The device that the model is on."""
        return next(self.model.parameters()).device

    def prepare(self, files: Files) -> Float[Tensor, "b c H W"]:
        """Return files as the network takes them in, normalised, on its device: as evaluation does.

        A path, a folder or a built-in name; bytes, an image of Pillow, an array (H, W) or (H, W, C) of uint8
        or of floats from 0 to 1; of a model of recordings also (waveform, rate in hertz); or several of
        these. A picture is decoded upright, laid on white where it is transparent, cut to the middle, and
        resized; a recording becomes its windows one after another. Raises DataError for what can be no
        file, UnreadableFileError for the first that cannot be read.
        """
        return prepared(self.inputs, files, self.device)

    def to(self, device: str | torch.device) -> Saved:
        """Move the model to a device, and return this bundle."""
        self.model.to(device)
        return self

    def save(self, folder: str | Path) -> None:
        """Write `kakera.json` and `model.safetensors` into a folder. Raises StorageError."""
        save_model(Path(folder), self)

    def __repr__(self) -> str:
        return f"Saved({about(self)})"


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """A safetensors file with a checksum, written atomically."""
    write_atomically(path, sealed(tensors, metadata))


def save_model(folder: Path, saved: Saved) -> None:
    """Description and weights into a folder; the weights come last, and mark it as complete."""
    write_description(folder, saved)
    write_tensors(folder / WEIGHTS, dict(saved.model.state_dict()))


def write_description(folder: Path, saved: Saved) -> None:
    """Only the description: with it the checkpoints of a run can be opened before it is finished."""
    description = {"format": VERSION, **describe(saved)}
    write_atomically(folder / DESCRIPTION, json.dumps(description, indent=2).encode() + b"\n")


def describe(saved: Saved) -> dict[str, Any]:
    """What `kakera.json` says: enough to build the model anew."""
    common: dict[str, Any] = {"inputs": saved.inputs.to_json()}
    model = saved.model
    if isinstance(model, ResNet):
        name = next(name for name, shape in RESNETS.items() if shape == model.shape)
        return {"kind": "cnn", "shape": name, **_labels(saved), **common}
    inside = saved.encoder
    encoder = {"shape": asdict(inside.shape), "learned": inside.positions.requires_grad}
    if isinstance(model, ViT):
        return {"kind": "encoder", **encoder, **common}
    if isinstance(model, Classifier):
        head = {"pool": model.pool, "head_epsilon": model.head_epsilon}
        return {"kind": "classifier", **encoder, **head, **_labels(saved), **common}
    decoder = asdict(model.decoder.shape)
    target = {"normalised": model.norm_pix_loss, "gradients": model.hog_target}
    return {"kind": "mae", **encoder, "decoder": decoder, **target, **common}


def _labels(saved: Saved) -> dict[str, Any]:
    return {"classes": list(saved.classes), "several": saved.several}


def load_model(folder: str | Path) -> Saved:
    """The model of a folder, on the CPU, ready to predict. Raises RunError."""
    return assemble(Path(folder), lambda: read_sealed(Path(folder) / WEIGHTS)[0])


def assemble(folder: Path, read: Callable[[], dict[str, Tensor]]) -> Saved:
    """The model that the folder describes, with the weights that `read` gives. Raises RunError."""
    try:
        description = json.loads((folder / DESCRIPTION).read_text())
        weights = read()
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(
            sentence(
                str(folder),
                got=str(error).splitlines()[0],
                expected=f"a folder with {WEIGHTS} and {DESCRIPTION}",
                do="name a finished run",
            )
        ) from error
    source, fits = str(folder / DESCRIPTION), "a description that fits its weights"
    do = "copy both files from the same run"
    weights, notes = unwrapped(weights, str(folder / WEIGHTS))
    with without_memory(source, expected=fits, do=do):
        check(description, weights)
        saved = build(description)
        saved.model.load_state_dict({name: tensor.to("meta") for name, tensor in weights.items()})
    floats = {name for name, tensor in saved.model.state_dict().items() if tensor.is_floating_point()}
    require_numbers({name: weights[name] for name in sorted(floats)}, str(folder / WEIGHTS))
    fill(saved.model, {name: t.float() if name in floats else t for name, t in weights.items()})
    saved.model.eval()
    return replace(saved, notes=(*saved.notes, *notes))


def build(description: dict[str, Any]) -> Saved:
    """An untrained model from its description."""
    inputs = InputSpec.from_json(description["inputs"])
    classes = tuple(description.get("classes", ()))
    several = description.get("several", False)
    if description["kind"] == "cnn":
        model = ResNet(RESNETS[description["shape"]], channels=inputs.channels, classes=len(classes))
        return Saved(model, inputs, classes, several)
    shape = _vit(description["shape"])
    encoder = ViT(shape, channels=inputs.channels, size=inputs.size, learned=description["learned"])
    if description["kind"] == "encoder":
        return Saved(encoder, inputs)
    if description["kind"] == "classifier":
        head = description["pool"], description.get("head_epsilon")
        return Saved(Classifier(encoder, len(classes), *head), inputs, classes, several)
    decoder = _decoder(description["decoder"])
    target = {"norm_pix_loss": description["normalised"], "hog_target": description.get("gradients", False)}
    return Saved(MAE(encoder, decoder, **target), inputs)


def _vit(values: dict[str, Any]) -> ViTConfig:
    lists = {name: tuple(values[name]) for name in ("patch", "stride") if values.get(name)}
    return ViTConfig(**_kinds({**values, **lists, "decoder": _decoder(values["decoder"])}))


def _decoder(values: dict[str, Any]) -> DecoderConfig:
    return DecoderConfig(**_kinds(values))


def _kinds(values: dict[str, Any]) -> dict[str, Any]:
    # A description from before there were kinds has none: the plain one.
    return {**values, "kind": BlockConfig(**values.get("kind", {}))}


def generator(seed: int) -> torch.Generator:
    """Where initial weights come from."""
    return torch.Generator().manual_seed(seed)


def parameters(module: nn.Module) -> int:
    """How many numbers a model holds, frozen positions included."""
    return sum(parameter.numel() for parameter in module.parameters())
