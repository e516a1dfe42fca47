"""The engine of `kakera predict` and `kakera.embed`: a given one, or the fastest that answers alike."""

from __future__ import annotations

import sys
from typing import Literal, TypeAlias, cast

from kakera.data.dataset import Dataset
from kakera.errors import OptionError
from kakera.formats.bundle import Pretrained
from kakera.formats.engines.builders import EXACT, Engine, build
from kakera.formats.engines.choice import TIMED, choose, sample_of
from kakera.formats.onnx.model import OnnxModel
from kakera.formats.regression import require_classes
from kakera.option_fields import AUTO, Auto
from kakera.progress import is_follower

ForVectors: TypeAlias = Literal["torch", "bf16", "int8"]
"""The engines that compute embeddings."""


def in_engine(
    saved: Pretrained | OnnxModel, dataset: Dataset, engine: Engine | Auto
) -> Pretrained | OnnxModel:
    """Return a classifier in an engine; with "auto" print which one was chosen to stderr.

    Raises OptionError for an unknown engine, an ONNX model or a regression model, RunError for an engine that
    is not available.

    Example:

        >>> import numpy as np
        >>> from kakera import Classifier, InputSpec
        >>> from kakera.data.sources.files import open_files
        >>> network = Classifier("nano", 2, channels=1, image_size=28)
        >>> saved = Pretrained(network.eval(), InputSpec(1, 28, 28, (0.5,), (0.5,)), ("cat", "dog"))
        >>> files = open_files(np.zeros((3, 28, 28, 1), np.uint8), saved.inputs)
        >>> in_engine(saved, files, "torch") is saved
        True
    """
    if engine == EXACT:
        return saved
    if isinstance(saved, OnnxModel):
        raise OptionError(
            "engine", got=f"{engine} for an ONNX model", expected=EXACT, do="pass the run folder instead"
        )
    require_classes(saved, "use --engine torch, which predicts numbers")
    if engine != AUTO:
        return build(saved, engine, sample_of(saved, dataset, TIMED))
    model, choice = choose(saved, dataset)
    if not is_follower():
        print(f"kakera: {choice.line()}", file=sys.stderr, flush=True)
    return model


def encoder_in_engine(saved: Pretrained, dataset: Dataset, engine: ForVectors) -> Pretrained:
    """Return the encoder of a model in an engine, for embeddings. Raises OptionError for another engine.

    Example:

        >>> import numpy as np
        >>> from kakera import Classifier, InputSpec
        >>> from kakera.data.sources.files import open_files
        >>> network = Classifier("nano", 2, channels=1, image_size=28)
        >>> saved = Pretrained(network.eval(), InputSpec(1, 28, 28, (0.5,), (0.5,)), ("cat", "dog"))
        >>> files = open_files(np.zeros((3, 28, 28, 1), np.uint8), saved.inputs)
        >>> encoder_in_engine(saved, files, "torch") is saved
        True
    """
    if engine == EXACT:
        return saved
    if engine not in ("bf16", "int8"):
        raise OptionError("engine", got=engine, expected="torch, bf16 or int8", do="choose one of these")
    encoder = Pretrained(saved.encoder, saved.inputs)
    return cast("Pretrained", build(encoder, engine, sample_of(saved, dataset, TIMED)))
