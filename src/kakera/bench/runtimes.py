"""ONNX graphs of kakera in the installed runtimes, with the same number of threads as torch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kakera.bench.contest import OURS, Contender
from kakera.bench.foreign import library
from kakera.formats.bundle import Pretrained
from kakera.formats.onnx import export
from kakera.formats.onnx.int8 import quantise
from kakera.formats.verify import session_of

INT8 = f"{OURS}, int8"


def onnxruntime(file: Path, given: dict[str, Any]) -> Callable[[], object]:
    """Return a function that runs the graph in ONNX Runtime on the CPU."""
    session = session_of(file, threads=torch.get_num_threads())
    return lambda: session.run(["logits"], given)


def openvino(file: Path, given: dict[str, Any]) -> Callable[[], object]:
    """Return a function that runs the graph in OpenVINO on the CPU, in float32, not in bfloat16."""
    runtime = library("openvino")
    options = {
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
    }
    model = runtime.Core().compile_model(str(file), "CPU", options)
    return lambda: model(given)


RUNTIMES: dict[str, Callable[[Path, dict[str, Any]], Callable[[], object]]] = {
    "onnxruntime": onnxruntime,
    "openvino": openvino,
}


def graphs(saved: Pretrained, place: Path, pictures: Tensor, available: list[str]) -> list[Contender]:
    """Return the classifier in each available runtime, and in int8 in ONNX Runtime.

    The input are stored values (0 … scale). Without ONNX Runtime (`kakera[onnx]`) the list is empty.
    """
    if "onnxruntime" not in available:
        return []
    given: dict[str, Any] = {"pictures": pictures.numpy()}
    content = export.graph(saved)
    files = {name: place / f"{name}.onnx" for name in ("float32", "int8")}
    files["float32"].write_bytes(content)
    files["int8"].write_bytes(quantise(content, [given]))
    found = [Contender(name, RUNTIMES[name](files["float32"], given)) for name in available]
    return [Contender(INT8, onnxruntime(files["int8"], given)), *found]
