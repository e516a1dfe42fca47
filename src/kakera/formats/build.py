"""Construction of models without memory, to compare them with the tensors of a file before filling them."""

from __future__ import annotations

import math
from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from kakera.errors import OptionError, RunError

UNFIT = (KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError, RuntimeError)
"""The errors that building a model from wrong numbers may raise."""


@contextmanager
def without_memory(source: str, *, expected: str, do: str) -> Generator[None]:
    """Build models on the meta device, which allocates no memory, inside a `with` block.

    Any error of wrong numbers becomes a RunError about `source`, with `expected` and `do` in its message.

    Example:

        >>> with without_memory("file", expected="a layer", do="name another file"):
        ...     layer = nn.Linear(100_000, 100_000)
        >>> layer.weight.device
        device(type='meta')
    """
    try:
        with torch.device("meta"):
            yield
    except RunError:
        raise
    except UNFIT as error:
        raise RunError(source, got=reason(error), expected=expected, do=do) from error


def reason(error: Exception) -> str:
    """Return a short description of an error in one line.

    Example:

        >>> reason(KeyError("depth"))
        "no 'depth'"
    """
    lines = str(error).splitlines() or [type(error).__name__]
    first = lines[1].strip() if len(lines) > 1 and lines[0].endswith(":") else lines[0]
    if isinstance(error, OptionError):
        return f"({first})"
    return f"no {first}" if isinstance(error, KeyError) else f"{type(error).__name__} {first}"


def require_layers(depth: int, tensors: Collection[str]) -> int:
    """Return `depth`. Raises OptionError for more layers than tensors: each layer has at least one.

    Example:

        >>> require_layers(1, {"layers.0.weight", "layers.0.bias"})
        1
    """
    if depth > len(tensors):
        got, expected = f"{depth} layers", f"no more than the {len(tensors)} tensors of the file"
        raise OptionError("depth", got=got, expected=expected, do="correct it")
    return depth


def fill(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Fill a model that was built `without_memory`; names and shapes must match already.

    The model becomes float64 if any tensor is float64, else float32.

    Example:

        >>> with without_memory("file", expected="a layer", do="name another file"):
        ...     layer = nn.Linear(1, 1)
        >>> fill(layer, {"weight": torch.ones(1, 1), "bias": torch.zeros(1)})
        >>> layer.weight.item()
        1.0
    """
    if any(tensor.dtype == torch.float64 for tensor in tensors.values()):
        model.double()
    model.to_empty(device="cpu")
    model.load_state_dict(dict(tensors))


def require_numbers(tensors: Mapping[str, Tensor], source: str) -> None:
    """Check that all tensors are floating point and finite. Raises RunError for the first that is not.

    Example:

        >>> try:
        ...     require_numbers({"bias": torch.zeros(2, dtype=torch.int8)}, "model.pth")
        ... except RunError as error:
        ...     print(error)
        model.pth: got bias in int8, expected floating-point weights; use weights that are not quantised
    """
    for name, tensor in tensors.items():
        if not tensor.is_floating_point() or tensor.layout != torch.strided or tensor.is_meta:
            kind, do = str(tensor.dtype).removeprefix("torch."), "use weights that are not quantised"
            raise RunError(source, got=f"{name} in {kind}", expected="floating-point weights", do=do)
        if not finite(tensor):
            do = "use another checkpoint: this training diverged, or the file is damaged"
            raise RunError(source, got=f"{name} with NaN or infinity", expected="finite weights", do=do)


def finite(tensor: Tensor) -> bool:
    """Return True if all numbers of a tensor are finite.

    Example:

        >>> finite(torch.tensor([1.0, torch.inf]))
        False
    """
    if not tensor.numel():
        return True
    wide = tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.float()
    return all(math.isfinite(float(edge)) for edge in wide.detach().aminmax())
