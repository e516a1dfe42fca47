"""Files of tensors, ours or from elsewhere: safetensors, and pickles of which no code is run."""

from __future__ import annotations

import argparse
import json
import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import load_file
from torch import Tensor

from kakera.errors import RunError
from kakera.formats.wrappers import contents, unwrapped
from kakera.out_of_memory import raise_lack

PICKLES = {".pth", ".pt", ".bin", ".ckpt"}
PICKLE = "pytorch_model.bin"
INDEX = ".index.json"  # says in which file of several each tensor lies


@dataclass(frozen=True)
class Weights:
    """Tensors by name, what stood around them in a pickle, and notes on what was taken off or left behind."""

    tensors: dict[str, Tensor]
    around: Mapping[str, Any] = field(default_factory=dict[str, Any])
    notes: tuple[str, ...] = ()


def read_weights(path: Path) -> Weights:
    """Read a `.safetensors` file, a pickle, or all files that an index names; tensors stay as they are.

    Raises RunError.
    """
    if path.name.endswith(INDEX):
        tensors, around, notes = _parts(path), dict[str, Any](), ()
    elif path.suffix in PICKLES:
        content = read_pickle(path)
        tensors, notes = state_dict(content, path)
        around = cast(dict[str, Any], content) if isinstance(content, dict) else {}
    else:
        tensors, around, notes = _safetensors(path), {}, ()
    tensors, more = unwrapped(tensors, str(path))
    return Weights(tensors, around, (*notes, *more))


def _safetensors(path: Path) -> dict[str, Tensor]:
    try:
        return load_file(path)
    except Exception as error:  # safetensors and the system each have errors of their own
        raise_lack(error)
        raise RunError(
            str(path),
            got=str(error).splitlines()[0],
            expected="a whole .safetensors file",
            do="copy or download it again",
        ) from error


def _parts(index: Path) -> dict[str, Tensor]:
    """The tensors of all files that an index names. Raises RunError where one is missing or outside."""
    try:
        places: dict[str, str] = json.loads(index.read_text())["weight_map"]
        names = sorted(set(places.values()))
        inside = all(Path(name).name == name for name in names)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        got, expected = f"{type(error).__name__} {error}", "an index of tensors and their files"
        raise RunError(str(index), got=got, expected=expected, do="download it again") from error
    missing = [name for name in names if not (index.parent / name).is_file()]
    if not names or not inside or missing:
        got = "no files" if not names else f"no {missing[0]}" if missing else "files of another folder"
        expected = f"all {len(names)} parts beside it"
        raise RunError(str(index), got=got, expected=expected, do="copy or download them too")
    found: dict[str, Tensor] = {}
    for name in names:
        part = index.parent / name
        found |= state_dict(read_pickle(part), part)[0] if part.suffix in PICKLES else _safetensors(part)
    if found.keys() != places.keys():
        wrong = sorted(found.keys() ^ places.keys())[0]
        got = f"{wrong} in {'no part' if wrong in places else 'a part'}"
        expected = "the tensors of the index in its parts, and no other"
        raise RunError(str(index), got=got, expected=expected, do="download all of them again")
    return found


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


def state_dict(content: Any, path: Path) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Return the tensors by name, from inside the dictionaries around them, and notes. Raises RunError."""
    content, notes = contents(content)
    if not isinstance(content, dict) or not content:
        raise _refusal(path, f"a {type(content).__name__}")
    values = cast(dict[object, object], content)
    found = {str(name): tensor.detach() for name, tensor in values.items() if isinstance(tensor, Tensor)}
    if len(found) != len(values):
        raise _refusal(path, "values that are no tensors")
    return found, notes


def _refusal(path: Path, got: str) -> RunError:
    return RunError(
        str(path),
        got=got,
        expected="tensors by name, and no code",
        do="name a whole file of weights, best a .safetensors",
    )
