"""Static quantisation of ONNX graphs to int8 weights and activations, for CPUs, calibrated on real inputs.

Matrix products with weights are computed in int8, everything else in float32. Weights have one scale for each
column, activations one for each tensor, from the smallest and largest calibration value (Nagel et al. 2021,
Sec. 2 and 3). Weights have 7 bits: a graph goes to other machines, and on a CPU without VNNI the sums of
8-bit products saturate in ONNX Runtime 1.32 (its documentation, "Quantize ONNX models", `reduce_range`). The
front end of a model of recordings stays in float32: energies span ten powers of ten, and a single scale would
keep only the loudest.
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
    """An iterator over calibration inputs, in the form that ONNX Runtime needs.

    Example:

        >>> reader = Reader([{"pictures": np.zeros((1, 1, 8, 8))}])
        >>> reader.get_next()["pictures"].shape
        (1, 1, 8, 8)
        >>> reader.get_next() is None
        True
    """

    def __init__(self, batches: Iterable[Feeds]) -> None:
        self.batches: Iterator[Feeds] = iter(batches)
        self.count = 0

    def get_next(self) -> Feeds | None:
        """Return the next batch, by the names of the graph's inputs; None after the last."""
        batch = next(self.batches, None)
        self.count += batch is not None
        return batch


def quantise(graph: bytes, batches: Iterable[Feeds], *, convolutions: bool = False) -> bytes:
    """Return the graph in int8, calibrated on batches of its inputs.

    `convolutions` is True for a CNN: its convolutions are quantised too. Raises DataError without any batch,
    and MissingExtraError without ONNX.
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
        excluded = front_end(importlib.import_module("onnx").load(shaped))
        try:
            tools.quantize_static(
                shaped,
                end,
                reader,
                quant_format=tools.QuantFormat.QDQ,
                op_types_to_quantize=operations,
                nodes_to_exclude=excluded,
                per_channel=True,
                activation_type=tools.QuantType.QUInt8,
                weight_type=tools.QuantType.QInt8,
                calibrate_method=tools.CalibrationMethod.MinMax,
                # Products of two activations and the outputs of products stay in float32.
                reduce_range=True,
                extra_options={"MatMulConstBOnly": True, "OpTypesToExcludeOutputQuantization": operations},
            )
        except ValueError as error:
            if reader.count:
                raise
            raise DataError(
                "calibration", got="no inputs", expected="at least one input", do="choose other data"
            ) from error
        return Path(end).read_bytes()


def front_end(model: Any) -> list[str]:
    """Return the names of the nodes of a graph that lead to the logarithm of a log-mel spectrogram.

    No other part of a graph has a logarithm, so a graph of pictures has no such node.
    """
    makers = {name: node for node in model.graph.node for name in node.output}
    waiting = [node for node in model.graph.node if node.op_type == "Log"]
    names: dict[str, None] = {}
    while waiting:
        node = waiting.pop()
        if node.name not in names:
            names[node.name] = None
            waiting += [makers[name] for name in node.input if name in makers]
    return list(names)


@contextmanager
def _quiet() -> Generator[None]:
    """Silence the advice that ONNX Runtime's tool writes to the root logger."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)
