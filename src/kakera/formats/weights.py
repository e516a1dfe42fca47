"""Files of tensors, ours or from elsewhere: safetensors, and pickles of which no code is run."""

from __future__ import annotations

import argparse
import pickle
import re
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from kakera.errors import RunError, sentence
from kakera.out_of_memory import raise_lack

PICKLES = {".pth", ".pt", ".bin", ".ckpt"}


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a `.safetensors` file or of a pickle, in float32 or as they are. Raises RunError."""
    if path.suffix in PICKLES:
        return state_dict(read_pickle(path), path)
    try:
        return load_file(path)
    except Exception as error:  # safetensors and the system each have errors of their own
        raise_lack(error)
        raise RunError(
            sentence(
                str(path),
                got=str(error).splitlines()[0],
                expected="a whole .safetensors file",
                do="copy or download it again",
            )
        ) from error


def read_pickle(path: Path) -> Any:
    """What torch.save wrote: tensors and plain values only, so that nothing in the file is executed.

    MAE keeps its options in an `argparse.Namespace`, which holds values and does nothing. Raises RunError.
    """
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        code = re.search(r"(?:GLOBAL|global) `?([\w.]+)", str(error))
        got = f"a pickle that would call {code[1]}" if code else "half a pickle, or something else"
        raise _refusal(path, got) from error
    except Exception as error:  # a damaged pickle can fail in any way
        raise_lack(error)
        got = (str(error).splitlines() or ["nothing"])[0]
        raise _refusal(path, got) from error


def state_dict(content: Any, path: Path) -> dict[str, Tensor]:
    """The tensors by name: the content itself, or what `model` or `state_dict` holds. Raises RunError."""
    for key in ("model", "state_dict"):
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not content:
        raise _refusal(path, f"a {type(content).__name__}")
    if not all(isinstance(tensor, Tensor) for tensor in content.values()):
        raise _refusal(path, "values that are no tensors")
    return {str(name): tensor for name, tensor in content.items()}


def _refusal(path: Path, got: str) -> RunError:
    return RunError(
        sentence(
            str(path),
            got=got,
            expected="tensors by name, and no code",
            do="name a whole file of weights, best a .safetensors",
        )
    )
