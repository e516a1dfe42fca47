"""Export to ONNX: one graph from stored values to probabilities, tokens or reconstructions."""

from __future__ import annotations

import copy
import importlib
import json
import logging
import warnings
from dataclasses import replace
from typing import Any

import torch

import kakera
from kakera.errors import missing_extra
from kakera.formats.bundle import Pretrained
from kakera.formats.checksum import digest
from kakera.formats.classes import describe_thresholds
from kakera.formats.license import card_license
from kakera.formats.onnx.graph import graph_of
from kakera.formats.onnx.inputs import input_of
from kakera.formats.rejection import FILE as REJECTION
from kakera.formats.rejection import rejection_bytes

FILE = "model.onnx"
WEIGHTS = "kakera.weights"  # metadata of a graph: the checksum of the weights that its distances belong to
TYPICAL = (
    "`typical` is the share of held-out training files that are at least as unusual as the input (for a "
    "recording: as this window). To reject inputs that are none of the classes, choose a rate of false "
    "alarms, such as 0.05, and reject those with `typical` at or below it."
)
NAMES_WHAT_IS_ABSENT = "torch.onnx._internal.exporter._registration"
"""The logger that lists all torchvision operators if torchvision is not installed; kakera needs none."""


def files(saved: Pretrained) -> dict[str, bytes]:
    """Return the content of each file of the folder. Raises MissingExtraError without ONNX."""
    weights = {} if saved.rejection is None else {"weights": _checksum(saved)}
    distances = {} if saved.rejection is None else {REJECTION: rejection_bytes(saved.rejection, **weights)}
    return {
        FILE: graph(saved),
        "config.json": _json(configuration(saved) | weights),
        "preprocessor_config.json": _json(input_of(saved.inputs).preprocessing()),
        "README.md": card(saved).encode(),
        **distances,
    }


def graph(saved: Pretrained) -> bytes:
    """Return the bytes of `model.onnx`, in float32. Raises MissingExtraError without ONNX."""
    require_packages()
    traced = graph_of(replace(saved, model=copy.deepcopy(saved.model).float().cpu())).eval()
    batch, example = torch.export.Dim("batch", min=1), traced.example()
    logging.getLogger(NAMES_WHAT_IS_ABSENT).setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # the exporter warns about its own internals
        program = torch.onnx.export(
            traced,
            example,
            dynamo=True,
            verbose=False,
            external_data=False,
            input_names=list(traced.input_names),
            output_names=list(traced.output_names),
            dynamic_shapes=(tuple({0: batch} for _ in example),),
        )
    assert program is not None
    content = program.model_proto
    if saved.rejection is not None:
        content.metadata_props.add(key=WEIGHTS, value=_checksum(saved))
    return content.SerializeToString()


def require_packages() -> None:
    """Check that the packages for writing and running ONNX are installed. Raises MissingExtraError."""
    for package in ("onnx", "onnxscript", "onnxruntime"):
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise missing_extra(package, "onnx") from error


def configuration(saved: Pretrained) -> dict[str, Any]:
    """Return `config.json`: the names of inputs and outputs, the input specification and the classes.

    Example:

        >>> from kakera.inputs import InputSpec
        >>> from kakera.model.vit import ViT
        >>> saved = Pretrained(ViT("nano", channels=1, image_size=8), InputSpec(1, 8, 8, (0.5,), (0.5,)))
        >>> configuration(saved)["input_names"], configuration(saved)["output_names"]
        (['pictures'], ['tokens'])
    """
    ports = graph_of(saved)
    content: dict[str, Any] = {
        "library": f"kakera {kakera.__version__}",
        "input_names": list(ports.input_names),
        "output_names": list(ports.output_names),
        "inputs": saved.inputs.to_json(),
        **ports.graph_input.configuration(),
    }
    if saved.model.classifies:
        content |= {"id2label": dict(enumerate(saved.classes)), "multi_label": saved.multi_label}
    return content | describe_thresholds(saved.thresholds)


def card(saved: Pretrained) -> str:
    """Return `README.md`, the model card.

    Example:

        >>> from kakera.inputs import InputSpec
        >>> from kakera.model.vit import ViT
        >>> saved = Pretrained(ViT("nano", channels=1, image_size=8), InputSpec(1, 8, 8, (0.5,), (0.5,)))
        >>> print(card(saved).splitlines()[7])
        From `pictures` to `tokens`, for any batch size.
    """
    ports = graph_of(saved)
    masked = (
        ["`hidden` is the mask: True for each hidden patch, row by row."]
        if "hidden" in ports.input_names
        else []
    )
    classes = [f"Classes: {', '.join(saved.classes)}."] if saved.classes else []
    classes += [TYPICAL] if "typical" in ports.output_names else []
    license, licence = card_license(saved.license)
    lines = [
        "---",
        "library_name: onnxruntime",
        "tags: [onnx, kakera]",
        *license,
        "---",
        "",
        f"# An ONNX graph, written by kakera {kakera.__version__}",
        "",
        f"From {', '.join(f'`{name}`' for name in ports.input_names)} to "
        f"{', '.join(f'`{name}`' for name in ports.output_names)}, for any batch size.",
        ports.graph_input.words(),
        *masked,
        *classes,
        "",
        licence,
        "",
    ]
    return "\n".join(lines)


def _checksum(saved: Pretrained) -> str:
    tensors = saved.model.state_dict().items()
    return digest({name: tensor.detach().cpu().contiguous() for name, tensor in tensors}, {})


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, indent=2, ensure_ascii=False).encode() + b"\n"
