"""kakera's own format: weights in `model.safetensors`, everything else in `kakera.json`, no pickle."""

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
from kakera.formats.checksum import digest, read_sealed, sealed
from kakera.formats.classes import describe_thresholds
from kakera.formats.description import check, targets_of, thresholds_of
from kakera.formats.old_names import current
from kakera.formats.rejection import FILE, stored_rejection, write_rejection
from kakera.formats.wrappers import unwrapped
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.configs import RESNETS, BlockConfig, DecoderConfig, ViTConfig
from kakera.model.mae import MAE
from kakera.model.resnet import ResNet
from kakera.model.vit import ViT
from kakera.storage import write_atomically

WEIGHTS, DESCRIPTION = "model.safetensors", "kakera.json"
PAIRS = ("patch", "stride", "convolution", "relative")  # fields of a configuration with two numbers
VERSION = 2  # 1 had the names of kakera 0.1.0, see `old_names`


def write_tensors(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> None:
    """Write a safetensors file with a checksum, atomically. Raises StorageError.

    Example:

        >>> write_tensors(Path("weights.safetensors"), {"bias": torch.zeros(2)})
        >>> read_sealed(Path("weights.safetensors"))
        ({'bias': tensor([0., 0.])}, {})
    """
    write_atomically(path, sealed(tensors, metadata))


def save_model(folder: Path, saved: Pretrained) -> None:
    """Write description and weights into a folder. Raises StorageError.

    The weights are written last: a folder with weights is complete.

    Example:

        >>> encoder = ViT("nano", channels=1, image_size=8)
        >>> save_model(Path("run"), Pretrained(encoder, InputSpec(1, 8, 8, (0.5,), (0.5,))))
        >>> sorted(path.name for path in Path("run").iterdir())
        ['kakera.json', 'model.safetensors']
    """
    write_description(folder, saved)
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in saved.model.state_dict().items()}
    if saved.rejection is None:
        (folder / FILE).unlink(missing_ok=True)
    else:
        write_rejection(folder, saved.rejection, digest(weights, {}))
    write_tensors(folder / WEIGHTS, weights)


def write_description(folder: Path, saved: Pretrained) -> None:
    """Write only `kakera.json`. With it the checkpoints of an unfinished run can be opened.

    Example:

        >>> saved = Pretrained(ViT("nano", channels=1, image_size=8), InputSpec(1, 8, 8, (0.5,), (0.5,)))
        >>> write_description(Path("unfinished"), saved)
        >>> json.loads(Path("unfinished/kakera.json").read_text())["kind"]
        'encoder'
    """
    description = {"format": VERSION, **describe(saved)}
    write_atomically(folder / DESCRIPTION, json.dumps(description, indent=2).encode() + b"\n")


def describe(saved: Pretrained) -> dict[str, Any]:
    """Return the content of `kakera.json`, from which `build` makes the model again.

    Example:

        >>> saved = Pretrained(ViT("nano", channels=1, image_size=8), InputSpec(1, 8, 8, (0.5,), (0.5,)))
        >>> describe(saved)["config"]["width"]
        64
    """
    labels: dict[str, Any] = (
        {"classes": list(saved.classes), "multi_label": saved.multi_label} if saved.model.classifies else {}
    )
    labels |= describe_thresholds(saved.thresholds)
    if saved.targets is not None:
        labels |= {"targets": {"mean": list(saved.targets.mean), "std": list(saved.targets.std)}}
    more = {"license": saved.license} if saved.license else {}
    more |= {"resampling": saved.resampling} if saved.resampling != "bicubic" else {}
    return {**saved.model.describe(), **labels, **more, "inputs": saved.inputs.to_json()}


def load_model(folder: str | Path) -> Pretrained:
    """Load the model of a folder, on the CPU, in evaluation mode.

    Raises RunError if the folder is incomplete, damaged or inconsistent.

    Example:

        >>> encoder = ViT("nano", channels=1, image_size=8)
        >>> save_model(Path("model"), Pretrained(encoder, InputSpec(1, 8, 8, (0.5,), (0.5,))))
        >>> load_model("model").inputs.size
        (8, 8)
    """
    saved = assemble(Path(folder), lambda: read_sealed(Path(folder) / WEIGHTS)[0])
    rejection, notes = stored_rejection(Path(folder))
    return replace(saved, rejection=rejection, notes=(*saved.notes, *notes))


def assemble(folder: Path, read: Callable[[], dict[str, Tensor]]) -> Pretrained:
    """Build the model that a folder describes and fill it with the weights that `read` returns.

    Raises RunError if description and weights cannot be read or do not match.

    Example:

        >>> saved = Pretrained(ViT("nano", channels=1, image_size=8), InputSpec(1, 8, 8, (0.5,), (0.5,)))
        >>> write_description(Path("described"), saved)
        >>> assemble(Path("described"), lambda: dict(saved.model.state_dict())).model.kind
        'encoder'
    """
    try:
        description = current(json.loads((folder / DESCRIPTION).read_text()))
        weights = read()
    except (OSError, ValueError, RecursionError) as error:
        absent = next((name for name in (DESCRIPTION, WEIGHTS) if not (folder / name).exists()), "")
        raise RunError(
            str(folder),
            got=f"no {absent}" if absent else str(error).splitlines()[0],
            expected=f"a folder with {WEIGHTS} and {DESCRIPTION}",
            do="name a finished run",
        ) from error
    source, fits = str(folder / DESCRIPTION), "a description that matches its weights"
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
    license, resampling = description.get("license", ""), description.get("resampling", "bicubic")
    return replace(saved, notes=(*saved.notes, *notes), license=license, resampling=resampling)


def build(description: dict[str, Any]) -> Pretrained:
    """Build an untrained model from its description.

    Example:

        >>> saved = Pretrained(ViT("nano", channels=1, image_size=8), InputSpec(1, 8, 8, (0.5,), (0.5,)))
        >>> build(describe(saved)).encoder.grid.count
        4
    """
    inputs = InputSpec.from_json(description["inputs"])
    classes = tuple(description.get("classes", ()))
    multi_label = description.get("multi_label", False)
    thresholds, targets = thresholds_of(description), targets_of(description.get("targets"), len(classes))
    if description["kind"] == "cnn":
        model = ResNet(RESNETS[description["config"]], channels=inputs.channels, classes=len(classes))
        return Pretrained(model, inputs, classes, multi_label, thresholds=thresholds, targets=targets)
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
        model = Classifier(encoder, len(classes), *head)
        return Pretrained(model, inputs, classes, multi_label, thresholds=thresholds, targets=targets)
    decoder = _decoder(description["decoder"])
    target = {name: description.get(name, False) for name in ("norm_pix_loss", "hog_target")}
    target |= {"global_target": description.get("global_target", 0)}
    target |= {"token_target": description.get("token_target", 0.0)}
    return Pretrained(MAE(encoder, decoder, **target), inputs)


def _vit(values: dict[str, Any]) -> ViTConfig:
    lists = {name: tuple(values[name]) for name in PAIRS if values.get(name)}
    return ViTConfig(**_with_block({**values, **lists, "decoder": _decoder(values["decoder"])}))


def _decoder(values: dict[str, Any]) -> DecoderConfig:
    return DecoderConfig(**_with_block(values))


def _with_block(values: dict[str, Any]) -> dict[str, Any]:
    # The first descriptions have no `block`; it is the default one.
    return {**values, "block": BlockConfig(**values.get("block", {}))}


def seeded_generator(seed: int) -> torch.Generator:
    """Return the random number generator that draws initial weights.

    Example:

        >>> seeded_generator(3).initial_seed()
        3
    """
    return torch.Generator().manual_seed(seed)


def count_parameters(module: nn.Module) -> int:
    """Return the number of parameters of a model, frozen position embeddings included.

    Example:

        >>> count_parameters(nn.Linear(3, 2))
        8
    """
    return sum(parameter.numel() for parameter in module.parameters())
