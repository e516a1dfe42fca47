"""ONNX: one graph from a file's values to labels, tokens or a reconstruction, for ONNX Runtime."""

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
from kakera.formats.onnx.graph import graph_of
from kakera.formats.onnx.inputs import input_of

FILE = "model.onnx"
NAMES_WHAT_IS_ABSENT = "torch.onnx._internal.exporter._registration"
"""A logger: each of torchvision's operators, where that is not installed. None of ours needs it."""


def files(saved: Pretrained) -> dict[str, bytes]:
    """The content of each file of the folder. Raises MissingExtraError."""
    return {
        FILE: graph(saved),
        "config.json": _json(configuration(saved)),
        "preprocessor_config.json": _json(input_of(saved.inputs).preprocessing()),
        "README.md": card(saved).encode(),
    }


def graph(saved: Pretrained) -> bytes:
    """`model.onnx`, in float32. Raises MissingExtraError."""
    require_packages()
    traced = graph_of(replace(saved, model=copy.deepcopy(saved.model).float().cpu())).eval()
    batch, given = torch.export.Dim("batch", min=1), traced.example()
    logging.getLogger(NAMES_WHAT_IS_ABSENT).setLevel(logging.ERROR)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of the exporter, about itself
        program = torch.onnx.export(
            traced,
            given,
            dynamo=True,
            verbose=False,
            external_data=False,
            input_names=list(traced.input_names),
            output_names=list(traced.output_names),
            dynamic_shapes=(tuple({0: batch} for _ in given),),
        )
    assert program is not None
    return program.model_proto.SerializeToString()


def require_packages() -> None:
    """Raises MissingExtraError where ONNX cannot be written or run."""
    for package in ("onnx", "onnxscript", "onnxruntime"):
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise missing_extra(package, "onnx") from error


def configuration(saved: Pretrained) -> dict[str, Any]:
    """`config.json`: what enters, what leaves, what the numbers of the classes mean."""
    ports = graph_of(saved)
    found: dict[str, Any] = {
        "library": f"kakera {kakera.__version__}",
        "input_names": list(ports.input_names),
        "output_names": list(ports.output_names),
        "inputs": saved.inputs.to_json(),
        **ports.graph_input.configuration(),
    }
    if saved.model.classifies:
        found |= {"id2label": dict(enumerate(saved.classes)), "multi_label": saved.multi_label}
    return found


def card(saved: Pretrained) -> str:
    """`README.md`."""
    ports = graph_of(saved)
    masked = (
        ["`hidden` is true where a patch is hidden, row by row."] if "hidden" in ports.input_names else []
    )
    classes = [f"Classes: {', '.join(saved.classes)}."] if saved.classes else []
    lines = [
        "---",
        "library_name: onnxruntime",
        "tags: [onnx, kakera]",
        "---",
        "",
        f"# An ONNX graph, written by kakera {kakera.__version__}",
        "",
        f"From {', '.join(f'`{name}`' for name in ports.input_names)} to "
        f"{', '.join(f'`{name}`' for name in ports.output_names)}, any number at once.",
        ports.graph_input.words(),
        *masked,
        *classes,
        "",
        "Its licence is that of the data and weights it was made from.",
        "",
    ]
    return "\n".join(lines)


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, indent=2, ensure_ascii=False).encode() + b"\n"
