"""ONNX: one graph from a file's values to labels, tokens or a reconstruction, for ONNX Runtime."""

from __future__ import annotations

import copy
import importlib
import json
import logging
import warnings
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

import kakera
from kakera.errors import missing_extra
from kakera.formats.native import Saved
from kakera.formats.onnx.graph import Graph
from kakera.model.classifier import Classifier
from kakera.model.mae import MAE
from kakera.model.resnet import ResNet
from kakera.model.vit import ViT

FILE = "model.onnx"
NAMES_WHAT_IS_ABSENT = "torch.onnx._internal.exporter._registration"
"""A logger: each of torchvision's operators, where that is not installed. None of ours needs it."""


@dataclass(frozen=True)
class Ports:
    """What enters and leaves a graph; the first axis of each is the number of pictures, which is free."""

    given: tuple[str, ...]
    found: tuple[str, ...]

    @classmethod
    def of(cls, saved: Saved) -> Ports:
        """By what is read and what is asked for."""
        given = ("waveforms", "lengths") if saved.inputs.sound else ("pictures",)
        if isinstance(saved.model, MAE):
            return cls((*given, "hidden"), ("reconstructions",))
        return cls(given, ("tokens",) if isinstance(saved.model, ViT) else ("logits", "probabilities"))


def files(saved: Saved) -> dict[str, bytes]:
    """The content of each file of the folder. Raises MissingExtraError."""
    return {
        FILE: graph(saved),
        "config.json": _json(configuration(saved)),
        "preprocessor_config.json": _json(preprocessing(saved)),
        "README.md": card(saved).encode(),
    }


def graph(saved: Saved) -> bytes:
    """`model.onnx`, in float32. Raises MissingExtraError."""
    require_packages()
    ports, model = Ports.of(saved), copy.deepcopy(saved.model).float().cpu().eval()
    batch = torch.export.Dim("batch", min=1)
    given = example(saved)
    logging.getLogger(NAMES_WHAT_IS_ABSENT).setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the exporter, about itself
        program = torch.onnx.export(
            Graph(replace(saved, model=model)).eval(),
            given,
            dynamo=True,
            verbose=False,
            external_data=False,
            input_names=list(ports.given),
            output_names=list(ports.found),
            dynamic_shapes=(tuple({0: batch} for _ in given),),
        )
    assert program is not None
    return program.model_proto.SerializeToString()


def example(saved: Saved, count: int = 2, seed: int = 0) -> tuple[Tensor, ...]:
    """Something to enter the graph: noise, of recordings the last one half as long; half is hidden."""
    draws, inputs = torch.Generator().manual_seed(seed), saved.inputs
    given: tuple[Tensor, ...]
    if inputs.sound is not None:
        samples = inputs.sound.samples(inputs.width)
        lengths = torch.full((count,), samples)
        lengths[-1] = samples // 2
        waveforms = torch.randn(count, samples, generator=draws) / 10
        given = (waveforms * (torch.arange(samples) < lengths.unsqueeze(1)), lengths)
    else:
        pictures = torch.rand(count, inputs.channels, *inputs.size, generator=draws)
        given = (pictures * inputs.scale,)
    if isinstance(saved.model, MAE):
        noise = torch.rand(count, saved.encoder.grid.count, generator=draws)
        given = (*given, noise > noise.median(dim=1, keepdim=True).values)
    return given


def require_packages() -> None:
    """Raises MissingExtraError where ONNX cannot be written or run."""
    for package in ("onnx", "onnxscript", "onnxruntime"):
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise missing_extra(package, "onnx") from error


def configuration(saved: Saved) -> dict[str, Any]:
    """`config.json`: what enters, what leaves, what the numbers of the classes mean."""
    ports, inputs = Ports.of(saved), saved.inputs
    found: dict[str, Any] = {
        "library": f"kakera {kakera.__version__}",
        "given": list(ports.given),
        "found": list(ports.found),
        "inputs": inputs.to_json(),
    }
    if inputs.sound is not None:
        found["samples"] = inputs.sound.samples(inputs.width)
    if isinstance(saved.model, Classifier | ResNet):
        found |= {"id2label": dict(enumerate(saved.classes)), "several": saved.several}
    return found


def preprocessing(saved: Saved) -> dict[str, Any]:
    """What is left to do before the graph: it normalises, and hears, by itself."""
    inputs = saved.inputs
    if inputs.sound is not None:
        return {"sampling_rate": inputs.sound.rate, "padding_value": 0.0, "feature_size": 1}
    return {
        "do_resize": True,
        "size": {"height": inputs.height, "width": inputs.width},
        "resample": 3,  # bicubic
        "do_rescale": False,
        "do_normalize": False,
    }


def card(saved: Saved) -> str:
    """`README.md`."""
    ports, inputs = Ports.of(saved), saved.inputs
    what = (
        f"`waveforms` are mono at {inputs.sound.rate} Hz, filled up with zeros to "
        f"{inputs.sound.samples(inputs.width)} samples; `lengths` says how many of them are recorded."
        if inputs.sound is not None
        else f"`pictures` are float32 of {inputs.channels} × {inputs.height} × {inputs.width}, "
        f"0 … {inputs.scale:g}: the graph normalises them."
    )
    masked = ["`hidden` is true where a patch is hidden, row by row."] if "hidden" in ports.given else []
    classes = [f"Classes: {', '.join(saved.classes)}."] if saved.classes else []
    lines = [
        "---",
        "library_name: onnxruntime",
        "tags: [onnx, kakera]",
        "---",
        "",
        f"# An ONNX graph, written by kakera {kakera.__version__}",
        "",
        f"From {', '.join(f'`{name}`' for name in ports.given)} to "
        f"{', '.join(f'`{name}`' for name in ports.found)}, any number at once.",
        what,
        *masked,
        *classes,
        "",
        "Its licence is that of the data and weights it was made from.",
        "",
    ]
    return "\n".join(lines)


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, indent=2, ensure_ascii=False).encode() + b"\n"
