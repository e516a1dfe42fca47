"""Weights files of kakera and other libraries: safetensors, and pickles, without running their code."""

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
from kakera.out_of_memory import raise_out_of_memory

PICKLES = {".pth", ".pt", ".bin", ".ckpt"}
PICKLE = "pytorch_model.bin"
INDEX = ".index.json"  # suffix of a JSON file that maps each tensor to one of several files


@dataclass(frozen=True)
class Weights:
    """The content of a weights file: `tensors` by name, the values around them, and notes.

    `around` are the other values of a pickle; `notes` describe removed name parts and skipped tensors.

    See `read_weights`.
    """

    tensors: dict[str, Tensor]
    around: Mapping[str, Any] = field(default_factory=dict[str, Any])
    notes: tuple[str, ...] = ()


def read_weights(path: Path) -> Weights:
    """Read a `.safetensors` file, a pickle, or all files of an index; tensors keep their types.

    Raises RunError for a damaged file, a missing part, or a pickle that would run code.

    Example:

        >>> torch.save({"state_dict": {"module.bias": torch.zeros(2)}}, "model.pth")
        >>> weights = read_weights(Path("model.pth"))
        >>> weights.tensors, weights.notes
        ({'bias': tensor([0., 0.])}, ('removed "module." from the tensor names',))
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
    except Exception as error:  # safetensors and the system raise errors of different types
        raise_out_of_memory(error)
        raise RunError(
            str(path),
            got=str(error).splitlines()[0],
            expected="a complete .safetensors file",
            do="copy or download it again",
        ) from error


def _parts(index: Path) -> dict[str, Tensor]:
    """Read the tensors of all files of an index. Raises RunError if one is missing or in another folder."""
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
        expected = f"all {len(names)} files beside it"
        raise RunError(str(index), got=got, expected=expected, do="copy or download them too")
    tensors: dict[str, Tensor] = {}
    for name in names:
        part = index.parent / name
        tensors |= state_dict(read_pickle(part), part)[0] if part.suffix in PICKLES else _safetensors(part)
    if tensors.keys() != places.keys():
        wrong = sorted(tensors.keys() ^ places.keys())[0]
        got = f"{wrong} in {'no file' if wrong in places else 'a file'}"
        expected = "the tensors of the index in its files, and no other"
        raise RunError(str(index), got=got, expected=expected, do="download all of them again")
    return tensors


def read_pickle(path: Path) -> Any:
    """Read a file of `torch.save` that contains only tensors and plain values; no code in it is run.

    `argparse.Namespace` is allowed too: MAE stores its options in one, and it runs no code. Raises RunError
    for a damaged file, or one that would run code.

    Example:

        >>> torch.save({"epoch": 3}, "checkpoint.pth")
        >>> read_pickle(Path("checkpoint.pth"))
        {'epoch': 3}
    """
    try:
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        code = re.search(r"(?:GLOBAL|global) `?([\w.]+)", str(error))
        got = f"a pickle that would call {code[1]}" if code else "an incomplete pickle, or another file"
        raise _refusal(path, got) from error
    except Exception as error:  # a damaged pickle can raise any error
        raise_out_of_memory(error)
        got = (str(error).splitlines() or ["nothing"])[0]
        raise _refusal(path, got) from error


def state_dict(content: Any, path: Path) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Return the tensors of a pickle's content by name, and notes.

    They are taken out of the dictionaries around them. `path` is for messages. Raises RunError if there is
    no dictionary of tensors.

    Example:

        >>> state_dict({"model": {"bias": torch.zeros(2)}}, Path("model.pth"))
        ({'bias': tensor([0., 0.])}, ())
    """
    content, notes = contents(content)
    if not isinstance(content, dict) or not content:
        raise _refusal(path, f"a {type(content).__name__}")
    values = cast(dict[object, object], content)
    tensors = {str(name): tensor.detach() for name, tensor in values.items() if isinstance(tensor, Tensor)}
    if len(tensors) != len(values):
        raise _refusal(path, "values that are not tensors")
    return tensors, notes


def _refusal(path: Path, got: str) -> RunError:
    return RunError(
        str(path),
        got=got,
        expected="tensors by name, and no code",
        do="name a complete weights file, if possible a .safetensors file",
    )
