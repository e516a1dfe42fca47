"""A model is built without memory, compared with the tensors of a file, and only then filled."""

from __future__ import annotations

import math
from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from kakera.errors import OptionError, RunError

UNFIT = (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError, RuntimeError)
"""What building a model from wrong numbers may raise."""


@contextmanager
def without_memory(source: str, *, expected: str, do: str) -> Generator[None]:
    """Build on the meta device, where a size costs nothing. Raises RunError in place of what goes wrong."""
    try:
        with torch.device("meta"):
            yield
    except RunError:
        raise
    except UNFIT as error:
        raise RunError(source, got=reason(error), expected=expected, do=do) from error


def reason(error: Exception) -> str:
    """A few words about an error of a description, in one line."""
    lines = str(error).splitlines() or [type(error).__name__]
    first = lines[1].strip() if len(lines) > 1 and lines[0].endswith(":") else lines[0]
    if isinstance(error, OptionError):
        return f"({first})"
    return f"no {first}" if isinstance(error, KeyError) else f"{type(error).__name__} {first}"


def require_layers(depth: int, tensors: Collection[str]) -> int:
    """Return the depth. Raises OptionError for more layers than there are tensors: each has at least one."""
    if depth > len(tensors):
        got, expected = f"{depth} layers", f"no more than the {len(tensors)} tensors of the file"
        raise OptionError("depth", got=got, expected=expected, do="correct it")
    return depth


def fill(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Give a model that was built `without_memory` its weights; names and shapes fit already.

    It computes in float64 where one of them is in float64, else in float32.
    """
    if any(tensor.dtype == torch.float64 for tensor in tensors.values()):
        model.double()
    model.to_empty(device="cpu")
    model.load_state_dict(dict(tensors))


def require_numbers(tensors: Mapping[str, Tensor], source: str) -> None:
    """Raises RunError for a tensor that holds no floating-point numbers, or one that is not finite."""
    for name, tensor in tensors.items():
        if not tensor.is_floating_point() or tensor.layout != torch.strided or tensor.is_meta:
            kind, do = str(tensor.dtype).removeprefix("torch."), "take weights that are not quantised"
            raise RunError(source, got=f"{name} in {kind}", expected="floating-point weights", do=do)
        if not finite(tensor):
            do = "take another checkpoint; this training diverged, or the file is damaged"
            raise RunError(source, got=f"{name} with NaN or infinity", expected="finite weights", do=do)


def finite(tensor: Tensor) -> bool:
    """Whether all numbers of a tensor are."""
    if not tensor.numel():
        return True
    wide = tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.float()
    return all(math.isfinite(float(edge)) for edge in wide.detach().aminmax())
