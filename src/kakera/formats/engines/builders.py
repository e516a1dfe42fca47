"""Engines: ways to compute the predictions of one classifier, exactly in float32 or faster with small errors.

An engine returns a model with the same `probabilities` as the original one. Engines work on a copy; the
original model stays as it is.
"""

from __future__ import annotations

import copy
import importlib
import importlib.util
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import torch

from kakera.data.batch import Batch
from kakera.errors import OptionError, RunError
from kakera.formats.bundle import Pretrained
from kakera.formats.onnx import export
from kakera.formats.onnx.int8 import quantise
from kakera.formats.onnx.model import OnnxModel, feeds
from kakera.formats.verify import session_of
from kakera.matrix_rate import is_bf16_supported
from kakera.model.classifier import Classifier
from kakera.model.int8 import HAS_INT8, quantised
from kakera.model.network import Network
from kakera.model.trace import Trace
from kakera.model.vit import ViT

Engine: TypeAlias = Literal[
    "torch", "bf16", "int8", "merging", "bf16 merging", "int8 merging", "onnxruntime int8", "openvino"
]
"""The name of an engine; "torch" is the original model in float32."""
Model: TypeAlias = Pretrained | OnnxModel
ENGINES: tuple[Engine, ...] = get_args(Engine)
EXACT: Engine = "torch"
GRAPHS: tuple[Engine, ...] = ("onnxruntime int8", "openvino")
MERGING = (1 / 6, 1 / 3, 1 / 2)  # the layers that merge, as shares of the depth


def available(saved: Pretrained) -> tuple[Engine, ...]:
    """Return the names of the engines that this machine has for a model, "torch" first.

    Example:

        >>> from kakera.inputs import InputSpec
        >>> model = Classifier("nano", 2, channels=1, image_size=28)
        >>> available(Pretrained(model, InputSpec(1, 28, 28, (0.5,), (0.5,)), ("cat", "dog")))[:2]
        ('torch', 'bf16')
    """
    tokens, here = isinstance(saved.model, Classifier | ViT), saved.device.type == "cpu"
    merging = isinstance(saved.model, Classifier) and saved.inputs.sound is None  # recordings have padding
    shape = saved.encoder.config
    merging = merging and not (shape.attention_pool or shape.rotary or shape.relative)
    graph = here and saved.model.classifies and _installed("onnx", "onnxscript")
    if saved.inputs.any_shape:  # a graph has one size, and merging counts the patches of one
        graph = merging = False
    kept: dict[Engine, bool] = {
        "torch": True,
        "bf16": True,
        "int8": HAS_INT8 and here and tokens,
        "merging": merging,
        "bf16 merging": merging,
        "int8 merging": HAS_INT8 and here and merging,
        "onnxruntime int8": graph and _installed("onnxruntime"),
        "openvino": graph and saved.inputs.sound is None and _installed("openvino"),
    }
    return tuple(name for name in ENGINES if kept[name])


def build(saved: Pretrained, engine: Engine, batch: Batch) -> Model:
    """Return the model in an engine. `batch` has stored pictures, which calibrate int8.

    Raises OptionError for an unknown engine, and RunError for one that this machine or model does not have.

    Example:

        >>> from kakera.inputs import InputSpec
        >>> model = Classifier("nano", 2, channels=1, image_size=28)
        >>> saved = Pretrained(model, InputSpec(1, 28, 28, (0.5,), (0.5,)), ("cat", "dog"))
        >>> batch = Batch(torch.zeros(1, 1, 28, 28), None, torch.arange(1), 0, 0)
        >>> next(build(saved, "bf16", batch).model.parameters()).dtype
        torch.bfloat16
    """
    if engine not in ENGINES:
        raise OptionError(
            "engine", got=engine, expected=", ".join(("auto", *ENGINES)), do="choose one of these"
        )
    if engine not in available(saved):
        got = f"{engine}, which this model or machine does not have"
        raise RunError("engine", got=got, expected=" or ".join(available(saved)), do="choose one of these")
    return _BUILDERS[engine](saved, batch)


def merged_per_layer(model: Classifier) -> tuple[int, ...]:
    """Return the number of pairs that each layer merges: in three layers a third of the patches.

    Example:

        >>> merged_per_layer(Classifier("base", 2, channels=3, image_size=224))
        (0, 65, 0, 43, 0, 29, 0, 0, 0, 0, 0, 0)
    """
    depth, patches = model.encoder.config.depth, model.encoder.grid.count
    where = {max(1, round(share * depth)) for share in MERGING}
    counts: list[int] = []
    for number in range(1, depth + 1):
        counts.append(patches // 3 if number in where else 0)
        patches -= counts[-1]
    return tuple(counts)


def _installed(*names: str) -> bool:
    return all(importlib.util.find_spec(name) is not None for name in names)


def _float32(saved: Pretrained, batch: Batch) -> Pretrained:
    return replace(saved, model=copy.deepcopy(saved.model))


def _bf16(saved: Pretrained, batch: Batch) -> Pretrained:
    return replace(saved, model=copy.deepcopy(saved.model).bfloat16())


def _int8(saved: Pretrained, batch: Batch) -> Pretrained:
    pixels, padding = saved.front_end(batch.pictures, batch.lengths)
    # A trace lets the last layer compute all tokens, as calibration needs.
    model: Network = quantised(saved.model, lambda: saved.model(pixels, padding_mask=padding, trace=Trace()))
    return replace(saved, model=model.bfloat16() if is_bf16_supported() else model)


def _merging(make: Callable[[Pretrained, Batch], Pretrained]) -> Callable[[Pretrained, Batch], Pretrained]:
    def build_merging(saved: Pretrained, batch: Batch) -> Pretrained:
        made = make(saved, batch)
        assert isinstance(made.model, Classifier)
        made.model.merge = merged_per_layer(made.model)
        return made

    return build_merging


def _onnxruntime(saved: Pretrained, batch: Batch) -> OnnxModel:
    graph = quantise(export.graph(_plain(saved)), [feeds(batch.pictures, batch.lengths)])
    return _graph(saved, graph, lambda file: session_of(file, threads=torch.get_num_threads()))


def _openvino(saved: Pretrained, batch: Batch) -> OnnxModel:
    return _graph(saved, export.graph(_plain(saved)), OpenvinoSession)


def _plain(saved: Pretrained) -> Pretrained:
    return replace(saved, rejection=None)  # a graph of the probabilities alone


def _graph(saved: Pretrained, graph: bytes, start: Callable[[Path], Any]) -> OnnxModel:
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / export.FILE
        file.write_bytes(graph)
        return OnnxModel(start(file), saved.inputs, saved.classes, saved.multi_label, saved.thresholds)


class OpenvinoSession:
    """A graph in OpenVINO on the CPU, in the precision that OpenVINO prefers there (bf16 with AMX)."""

    def __init__(self, file: Path) -> None:
        library: Any = importlib.import_module("openvino")
        options = {"INFERENCE_NUM_THREADS": torch.get_num_threads(), "PERFORMANCE_HINT": "LATENCY"}
        self.model = library.Core().compile_model(str(file), "CPU", options)

    def run(self, outputs: list[str], inputs: Mapping[str, Any]) -> list[Any]:
        """Return the outputs with these names, as ONNX Runtime's session does."""
        found = self.model(dict(inputs))
        return [found[name] for name in outputs]


_BUILDERS: dict[Engine, Callable[[Pretrained, Batch], Model]] = {
    "torch": lambda saved, batch: saved,
    "bf16": _bf16,
    "int8": _int8,
    "merging": _merging(_float32),
    "bf16 merging": _merging(_bf16),
    "int8 merging": _merging(_int8),
    "onnxruntime int8": _onnxruntime,
    "openvino": _openvino,
}
