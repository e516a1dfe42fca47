"""A classifier as a graph of ONNX, opened again to predict with: in float32, or in int8."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from kakera.errors import RunError, missing_extra
from kakera.formats.build import UNFIT
from kakera.formats.classes import unique_names
from kakera.formats.description import inputs_of
from kakera.formats.fields import flag, mapping, words
from kakera.formats.old_names import current
from kakera.formats.onnx.export import FILE
from kakera.formats.onnx.inputs import Axes, input_of
from kakera.formats.onnx.int8 import Feeds
from kakera.formats.verify import session_of
from kakera.inputs import InputSpec
from kakera.out_of_memory import raise_lack

CONFIG = "config.json"


@dataclass(frozen=True, eq=False)
class OnnxModel:
    """What ONNX Runtime computes, and what belongs to it."""

    session: Any
    inputs: InputSpec
    classes: tuple[str, ...]
    multi_label: bool

    def probabilities(self, values: Tensor, lengths: Tensor | None = None) -> Float[Tensor, "b classes"]:
        """Return probabilities of stored pictures, or of waveforms that end after `lengths`."""
        given = feeds(values, lengths)
        return torch.from_numpy(self.session.run(["probabilities"], given)[0])


def feeds(values: Tensor, lengths: Tensor | None) -> Feeds:
    """What a graph is given of pictures, or of waveforms that end after `lengths`: stored values."""
    floats: NDArray[np.float32] = values.numpy().astype(np.float32)
    if lengths is None:
        return {"pictures": floats}
    return {"waveforms": floats, "lengths": lengths.numpy().astype(np.int64)}


def is_onnx(source: str | Path) -> bool:
    """Whether a path is such a file, or the folder of one."""
    path = Path(source)
    return path.is_file() if path.suffix == ".onnx" else (path / FILE).is_file()


def open_onnx(source: str | Path) -> OnnxModel:
    """The classifier of a folder that kakera wrote, or of the file inside.

    Raises RunError for a graph without its description, for one without classes, and for a damaged one;
    MissingExtraError where ONNX Runtime is not installed.
    """
    file = Path(source) if Path(source).suffix == ".onnx" else Path(source) / FILE
    try:
        description = mapping("description", current(json.loads((file.parent / CONFIG).read_text())))
        inputs, multi_label = (
            inputs_of(description["inputs"]),
            flag("multi_label", description.get("multi_label", False)),
        )
        found = words("output_names", description["output_names"])
        names = mapping("id2label", description.get("id2label", {}))
        classes = unique_names(words("id2label", [names[str(number)] for number in range(len(names))]))
    except (OSError, *UNFIT, RecursionError) as error:
        raise _unfit(
            file.parent / CONFIG, error, "the description that kakera writes beside a graph"
        ) from error
    if "probabilities" not in found:
        got, expected = f"a graph of {', '.join(found)}", "one of a classifier's probabilities"
        raise RunError(str(file), got=got, expected=expected, do="fine-tune a model and convert that")
    try:
        session = session_of(file)
    except ImportError as error:
        raise missing_extra("onnxruntime", "onnx") from error
    except Exception as error:  # ONNX Runtime raises kinds of its own
        raise_lack(error)
        raise _unfit(file, error, "a graph of ONNX") from error
    _require_fit(file, session, inputs, len(classes))
    return OnnxModel(session, inputs, classes, multi_label)


def _require_fit(file: Path, session: Any, inputs: InputSpec, classes: int) -> None:
    """Raises RunError for a graph whose inputs or outputs are not those of its description."""
    entering = input_of(inputs).axes
    given = {port.name: tuple(port.shape) for port in session.get_inputs()}
    leaving = {port.name: tuple(port.shape) for port in session.get_outputs()}
    asked: dict[str, Axes] = {"probabilities": (None, classes)}
    there = {name: shape for name, shape in leaving.items() if name in asked}
    for got, expected in ((given, entering), (there, asked)):
        same = got.keys() == expected.keys() and all(_alike(got[name], expected[name]) for name in got)
        if not same:
            do = "copy model.onnx and config.json from the same folder"
            raise RunError(
                str(file), got=_shapes(got), expected=f"{_shapes(expected)}, as {CONFIG} says", do=do
            )


def _alike(got: tuple[object, ...], expected: Axes) -> bool:
    """Whether two shapes agree wherever both have a number."""
    pairs = zip(got, expected, strict=False)
    both = [(one, other) for one, other in pairs if isinstance(one, int) and other is not None]
    return len(got) == len(expected) and all(one == other for one, other in both)


def _shapes(ports: Mapping[str, tuple[object, ...]]) -> str:
    axes = (" x ".join(str(n) if isinstance(n, int) else "any" for n in each) for each in ports.values())
    return " and ".join(f"{name} of {shape}" for name, shape in zip(ports, axes, strict=True)) or "nothing"


def _unfit(path: Path, error: Exception, expected: str) -> RunError:
    got = (str(error) or type(error).__name__).splitlines()[0]
    return RunError(str(path), got=got, expected=expected, do="convert the model again")
