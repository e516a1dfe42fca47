"""Predictions that may be "none of these": the rejection of a model, and the model with its tokens."""

from __future__ import annotations

from pathlib import Path

from kakera.errors import OptionError
from kakera.formats.bundle import Pretrained, require_token_classifier
from kakera.formats.inference import Predictor
from kakera.formats.onnx.model import OnnxModel, is_onnx
from kakera.formats.onnx.rejecting import OnnxWithTokens
from kakera.formats.rejection import FILE, Rejection, read_rejection
from kakera.formats.with_tokens import WithTokens

DO = "fit one with kakera fit, or leave out --reject"


def rejection_for(
    model: object, saved: Pretrained | OnnxModel, rate: float, engine: str = "torch"
) -> Rejection:
    """Return the rejection of `model`, a folder or a loaded model, for a rate of false alarms.

    `saved` is the loaded model. Raises OptionError for a rate that its held-out files do not allow, another
    engine than torch, and a model of numbers; RunError for a model without rejection.

    Example:

        >>> try:
        ...     rejection_for("no-run", None, 0.05, "int8")
        ... except OptionError as error:
        ...     print(error)
        reject: got the engine int8, expected torch; leave out --engine
    """
    if engine != "torch":
        got, do = f"the engine {engine}", "leave out --engine"
        raise OptionError("reject", got=got, expected="torch", do=do)
    if isinstance(saved, OnnxModel):
        found = saved.rejection
        if found is None:
            got = "an ONNX graph without distances from its training files"
            expected = "a float32 graph that kakera convert made from a run of kakera fit"
            raise OptionError("reject", got=got, expected=expected, do=DO)
    else:
        if saved.regression:
            got, do = "a model of numbers", "leave it out"
            raise OptionError("reject", got=got, expected="a model of classes", do=do)
        found = saved.rejection
        if found is None and isinstance(model, str | Path):
            found = read_rejection(model)  # raises, and tells why
        if found is None:
            got, expected = "a model without distances from its training files", "a run of kakera fit"
            raise OptionError("reject", got=got, expected=expected, do=DO)
        require_token_classifier(saved)
    found.require_rate(rate)
    return found


def require_distances(model: object, rate: float) -> None:
    """Check the distances in a run folder before its model is loaded, for a `rate` above 0. Raises RunError.

    A model, an ONNX folder and a run without distances are left to `rejection_for`.

    Example:

        >>> require_distances("no-run", 0.05)
    """
    if rate and isinstance(model, str | Path) and not is_onnx(model) and (Path(model) / FILE).is_file():
        read_rejection(model)


def with_tokens(saved: Pretrained | OnnxModel) -> Predictor:
    """Return the model whose rows are probabilities, then the pooled tokens. Raises OptionError for a CNN."""
    if isinstance(saved, OnnxModel):
        return OnnxWithTokens(saved)
    return WithTokens(require_token_classifier(saved))
