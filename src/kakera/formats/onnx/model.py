"""Prediction with a classifier in an ONNX graph, in float32 or int8."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from kakera.errors import RunError, missing_extra
from kakera.formats.build import UNFIT
from kakera.formats.classes import require_thresholds, unique_names
from kakera.formats.description import inputs_of, thresholds_of
from kakera.formats.fields import flag, mapping, words
from kakera.formats.old_names import current
from kakera.formats.onnx.export import FILE, WEIGHTS
from kakera.formats.onnx.inputs import Axes, input_of
from kakera.formats.onnx.int8 import Feeds
from kakera.formats.rejection import Rejection, read_rejection
from kakera.formats.verify import session_of
from kakera.inputs import InputSpec
from kakera.out_of_memory import raise_out_of_memory

CONFIG = "config.json"


@dataclass(frozen=True, eq=False)
class OnnxModel:
    """An ONNX classifier: a session of ONNX Runtime, its input specification and its classes.

    See `open_onnx`.
    """

    session: Any
    inputs: InputSpec
    classes: tuple[str, ...]
    multi_label: bool
    thresholds: tuple[float, ...] = ()
    folder: Path | None = None
    """The folder of a graph that has distances from its training files, for `rejection`; else None."""
    weights: str = ""
    """The checksum of its weights, for the same graphs."""

    @cached_property
    def rejection(self) -> Rejection | None:
        """The rejection of the run, see `Pretrained`; None for a graph without `pooled`. Raises RunError."""
        return None if self.folder is None else read_rejection(self.folder, self.weights)

    def probabilities(self, values: Tensor, lengths: Tensor | None = None) -> Float[Tensor, "b classes"]:
        """Return the probabilities (b, classes) of stored pictures, or of waveforms and their `lengths`."""
        inputs = feeds(values, lengths)
        return torch.from_numpy(self.session.run(["probabilities"], inputs)[0])


def feeds(values: Tensor, lengths: Tensor | None) -> Feeds:
    """Return the inputs of a graph by name: stored pictures, or waveforms and their `lengths` in samples.

    Example:

        >>> feeds(torch.zeros(2, 1, 8, 8), None)["pictures"].shape
        (2, 1, 8, 8)
    """
    floats: NDArray[np.float32] = values.numpy().astype(np.float32)
    if lengths is None:
        return {"pictures": floats}
    return {"waveforms": floats, "lengths": lengths.numpy().astype(np.int64)}


def is_onnx(source: str | Path) -> bool:
    """Return True if a path is an `.onnx` file, or a folder with `model.onnx`.

    Example:

        >>> Path("model.onnx").touch()
        >>> is_onnx("model.onnx"), is_onnx("model.pth")
        (True, False)
    """
    path = Path(source)
    return path.is_file() if path.suffix == ".onnx" else (path / FILE).is_file()


def open_onnx(source: str | Path) -> OnnxModel:
    """Open the ONNX classifier of a folder written by kakera, or of the `.onnx` file in it.

    Raises RunError for a graph without description, a graph that is no classifier, and a damaged graph;
    MissingExtraError if ONNX Runtime is not installed.
    """
    file = Path(source) if Path(source).suffix == ".onnx" else Path(source) / FILE
    try:
        description = mapping("description", current(json.loads((file.parent / CONFIG).read_text())))
        inputs, multi_label = (
            inputs_of(description["inputs"]),
            flag("multi_label", description.get("multi_label", False)),
        )
        outputs = words("output_names", description["output_names"])
        names = mapping("id2label", description.get("id2label", {}))
        classes = unique_names(words("id2label", [names[str(number)] for number in range(len(names))]))
        thresholds = thresholds_of(description)
        require_thresholds(thresholds, len(classes), multi_label=multi_label)
        weights = str(description.get("weights", ""))
    except (OSError, *UNFIT, RecursionError) as error:
        raise _unfit(
            file.parent / CONFIG, error, "the description that kakera writes beside a graph"
        ) from error
    if "probabilities" not in outputs:
        got, expected = f"a graph with the outputs {', '.join(outputs)}", "a classifier with probabilities"
        raise RunError(str(file), got=got, expected=expected, do="fine-tune a model and convert it")
    try:
        session = session_of(file)
    except ImportError as error:
        raise missing_extra("onnxruntime", "onnx") from error
    except Exception as error:  # ONNX Runtime raises its own error types
        raise_out_of_memory(error)
        raise _unfit(file, error, "an ONNX graph") from error
    if weights and session.get_modelmeta().custom_metadata_map.get(WEIGHTS) != weights:
        got, do = "a graph of other weights", "copy model.onnx and config.json from the same folder"
        raise RunError(str(file), got=got, expected=f"that of {CONFIG}", do=do)
    _require_fit(file, session, inputs, {"probabilities": (None, len(classes))})
    measured = (file.parent, weights) if weights else (None, "")
    return OnnxModel(session, inputs, classes, multi_label, thresholds, *measured)


def _require_fit(file: Path, session: Any, inputs: InputSpec, required: Mapping[str, Axes]) -> None:
    """Check that inputs and outputs of a graph match its description. Raises RunError otherwise."""
    entering = input_of(inputs).axes
    inputs_of_graph = {port.name: tuple(port.shape) for port in session.get_inputs()}
    leaving = {port.name: tuple(port.shape) for port in session.get_outputs()}
    outputs = {name: shape for name, shape in leaving.items() if name in required}
    for got, expected in ((inputs_of_graph, entering), (outputs, required)):
        same = got.keys() == expected.keys() and all(_alike(got[name], expected[name]) for name in got)
        if not same:
            do = "copy model.onnx and config.json from the same folder"
            raise RunError(
                str(file), got=_shapes(got), expected=f"{_shapes(expected)}, as in {CONFIG}", do=do
            )


def _alike(got: tuple[object, ...], expected: Axes) -> bool:
    """Return True if two shapes are equal wherever both have a number."""
    pairs = zip(got, expected, strict=False)
    both = [(n, m) for n, m in pairs if isinstance(n, int) and m is not None]
    return len(got) == len(expected) and all(n == m for n, m in both)


def _shapes(ports: Mapping[str, tuple[object, ...]]) -> str:
    axes = (" x ".join(str(n) if isinstance(n, int) else "any" for n in each) for each in ports.values())
    return " and ".join(f"{name} of {shape}" for name, shape in zip(ports, axes, strict=True)) or "nothing"


def _unfit(path: Path, error: Exception, expected: str) -> RunError:
    got = (str(error) or type(error).__name__).splitlines()[0]
    return RunError(str(path), got=got, expected=expected, do="convert the model again")
