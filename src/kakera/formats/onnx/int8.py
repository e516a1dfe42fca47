"""A graph with 8-bit weights and activations, for CPUs: static quantisation, calibrated on real inputs.

Matrix products with weights are computed in int8, all else in float32: weights have one scale a column,
activations one a tensor, from the smallest and largest value seen (Nagel et al. 2021, Sec. 2 and 3).
The front end of a model of recordings stays in float32: energies span ten powers of ten, and one scale for
all of them would leave only the loudest.
"""

from __future__ import annotations

import importlib
import logging
import tempfile
import warnings
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.errors import DataError
from kakera.formats.onnx.export import require_packages

PRODUCTS, CONVOLUTION = ["MatMul", "Gemm"], "Conv"
Feeds = dict[str, NDArray[np.generic]]


class Reader:
    """What ONNX Runtime asks for calibration inputs."""

    def __init__(self, batches: Iterable[Feeds]) -> None:
        self.batches: Iterator[Feeds] = iter(batches)
        self.count = 0

    def get_next(self) -> Feeds | None:
        """The next batch by the names of the graph's inputs; None after the last."""
        batch = next(self.batches, None)
        self.count += batch is not None
        return batch


def quantise(graph: bytes, batches: Iterable[Feeds], *, convolutions: bool = False) -> bytes:
    """The graph in int8, calibrated on batches of its inputs; of a CNN its `convolutions` too.

    Raises DataError where there is no batch, MissingExtraError.
    """
    require_packages()
    tools: Any = importlib.import_module("onnxruntime.quantization")
    shapes: Any = importlib.import_module("onnxruntime.quantization.shape_inference")
    reader, operations = Reader(batches), PRODUCTS + [CONVOLUTION] * convolutions
    with tempfile.TemporaryDirectory() as place, warnings.catch_warnings(), _quiet():
        warnings.simplefilter("ignore")
        start, shaped, end = (str(Path(place) / f"{name}.onnx") for name in ("start", "shaped", "end"))
        Path(start).write_bytes(graph)
        shapes.quant_pre_process(start, shaped, skip_symbolic_shape=True)
        kept = front_end(importlib.import_module("onnx").load(shaped))
        try:
            tools.quantize_static(
                shaped,
                end,
                reader,
                quant_format=tools.QuantFormat.QDQ,
                op_types_to_quantize=operations,
                nodes_to_exclude=kept,
                per_channel=True,
                activation_type=tools.QuantType.QUInt8,
                weight_type=tools.QuantType.QInt8,
                calibrate_method=tools.CalibrationMethod.MinMax,
                # Products of two activations stay in float32, and so does what leaves a product.
                extra_options={"MatMulConstBOnly": True, "OpTypesToExcludeOutputQuantization": operations},
            )
        except ValueError as error:
            if reader.count:
                raise
            raise DataError(
                "calibration", got="no inputs", expected="at least one", do="name other data"
            ) from error
        return Path(end).read_bytes()


def front_end(model: Any) -> list[str]:
    """Return the names of the nodes of a graph that lead to the logarithm of a log-mel spectrogram.

    No other part of a graph has a logarithm: of a model of pictures there are none.
    """
    makers = {name: node for node in model.graph.node for name in node.output}
    waiting = [node for node in model.graph.node if node.op_type == "Log"]
    found: dict[str, None] = {}
    while waiting:
        node = waiting.pop()
        if node.name not in found:
            found[node.name] = None
            waiting += [makers[name] for name in node.input if name in makers]
    return list(found)


@contextmanager
def _quiet() -> Generator[None]:
    """The tool's advice goes to the root logger."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)
