"""A classifier as a graph of ONNX, opened again to predict with: in float32, or in int8."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from kakera.errors import RunError, missing_extra, sentence
from kakera.formats.int8 import Given
from kakera.formats.judge import session_of
from kakera.formats.onnx import FILE
from kakera.inputs import InputSpec
from kakera.out_of_memory import raise_lack

CONFIG = "config.json"


@dataclass(frozen=True, eq=False)
class OnnxModel:
    """What ONNX Runtime computes, and what belongs to it."""

    session: Any
    inputs: InputSpec
    classes: tuple[str, ...]
    several: bool

    def probabilities(self, given: Given) -> Float[Tensor, "b classes"]:
        """Of what `entering` makes of files."""
        return torch.from_numpy(self.session.run(["probabilities"], given)[0])


def entering(values: Tensor, lengths: Tensor | None) -> Given:
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
        description = json.loads((file.parent / CONFIG).read_text())
        inputs = InputSpec.from_json(description["inputs"])
        found = description["found"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _unfit(
            file.parent / CONFIG, error, "the description that kakera writes beside a graph"
        ) from error
    if "probabilities" not in found:
        got, expected = f"a graph of {', '.join(found)}", "one of a classifier's probabilities"
        raise RunError(
            sentence(str(file), got=got, expected=expected, do="fine-tune a model and convert that")
        )
    try:
        session = session_of(file)
    except ImportError as error:
        raise missing_extra("onnxruntime", "onnx") from error
    except Exception as error:  # ONNX Runtime raises kinds of its own
        raise_lack(error)
        raise _unfit(file, error, "a graph of ONNX") from error
    names = description.get("id2label", {})
    classes = tuple(names[str(number)] for number in range(len(names)))
    return OnnxModel(session, inputs, classes, bool(description.get("several", False)))


def _unfit(path: Path, error: Exception, expected: str) -> RunError:
    got = (str(error) or type(error).__name__).splitlines()[0]
    return RunError(sentence(str(path), got=got, expected=expected, do="convert the model again"))
