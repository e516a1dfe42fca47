"""kakera's own format: weights in `model.safetensors`, everything else in `kakera.json`. No pickle."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from kakera.errors import RunError
from kakera.formats.build import fill, require_numbers, without_memory
from kakera.formats.bundle import Pretrained
from kakera.formats.checksum import read_sealed, sealed
from kakera.formats.description import check
from kakera.formats.old_names import current
from kakera.formats.wrappers import unwrapped
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.configs import RESNETS, BlockConfig, DecoderConfig, ViTConfig
from kakera.model.mae import MAE
from kakera.model.resnet import ResNet
from kakera.model.vit import ViT
from kakera.storage import write_atomically

WEIGHTS, DESCRIPTION = "model.safetensors", "kakera.json"
VERSION = 2  # 1: the names of kakera 0.1.0, see `old_names`


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """A safetensors file with a checksum, written atomically."""
    write_atomically(path, sealed(tensors, metadata))


def save_model(folder: Path, saved: Pretrained) -> None:
    """Description and weights into a folder; the weights come last, and mark it as complete."""
    write_description(folder, saved)
    write_tensors(folder / WEIGHTS, dict(saved.model.state_dict()))


def write_description(folder: Path, saved: Pretrained) -> None:
    """Only the description: with it the checkpoints of a run can be opened before it is finished."""
    description = {"format": VERSION, **describe(saved)}
    write_atomically(folder / DESCRIPTION, json.dumps(description, indent=2).encode() + b"\n")


def describe(saved: Pretrained) -> dict[str, Any]:
    """What `kakera.json` says: enough to build the model anew."""
    labels = (
        {"classes": list(saved.classes), "multi_label": saved.multi_label} if saved.model.classifies else {}
    )
    return {**saved.model.describe(), **labels, "inputs": saved.inputs.to_json()}


def load_model(folder: str | Path) -> Pretrained:
    """The model of a folder, on the CPU, ready to predict. Raises RunError."""
    return assemble(Path(folder), lambda: read_sealed(Path(folder) / WEIGHTS)[0])


def assemble(folder: Path, read: Callable[[], dict[str, Tensor]]) -> Pretrained:
    """The model that the folder describes, with the weights that `read` gives. Raises RunError."""
    try:
        description = current(json.loads((folder / DESCRIPTION).read_text()))
        weights = read()
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(
            str(folder),
            got=str(error).splitlines()[0],
            expected=f"a folder with {WEIGHTS} and {DESCRIPTION}",
            do="name a finished run",
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


def build(description: dict[str, Any]) -> Pretrained:
    """An untrained model from its description."""
    inputs = InputSpec.from_json(description["inputs"])
    classes = tuple(description.get("classes", ()))
    multi_label = description.get("multi_label", False)
    if description["kind"] == "cnn":
        model = ResNet(RESNETS[description["config"]], channels=inputs.channels, classes=len(classes))
        return Pretrained(model, inputs, classes, multi_label)
    config = _vit(description["config"])
    encoder = ViT(
        config,
        channels=inputs.channels,
        image_size=inputs.size,
        learned=description["learned_positions"],
    )
    if description["kind"] == "encoder":
        return Pretrained(encoder, inputs)
    if description["kind"] == "classifier":
        head = description["pool"], description.get("head_epsilon")
        return Pretrained(Classifier(encoder, len(classes), *head), inputs, classes, multi_label)
    decoder = _decoder(description["decoder"])
    target = {name: description.get(name, False) for name in ("norm_pix_loss", "hog_target")}
    return Pretrained(MAE(encoder, decoder, **target), inputs)


def _vit(values: dict[str, Any]) -> ViTConfig:
    lists = {name: tuple(values[name]) for name in ("patch", "stride") if values.get(name)}
    return ViTConfig(**_with_block({**values, **lists, "decoder": _decoder(values["decoder"])}))


def _decoder(values: dict[str, Any]) -> DecoderConfig:
    return DecoderConfig(**_with_block(values))


def _with_block(values: dict[str, Any]) -> dict[str, Any]:
    # The first descriptions have no `block`: it is the default one.
    return {**values, "block": BlockConfig(**values.get("block", {}))}


def seeded_generator(seed: int) -> torch.Generator:
    """Where initial weights come from."""
    return torch.Generator().manual_seed(seed)


def count_parameters(module: nn.Module) -> int:
    """How many numbers a model holds, frozen positions included."""
    return sum(parameter.numel() for parameter in module.parameters())
