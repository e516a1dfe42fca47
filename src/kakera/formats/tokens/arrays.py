"""Safetensors files of NumPy arrays with a checksum, as `kakera.formats.checksum` writes; no torch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.numpy import save

from kakera.storage import write_atomically

CHECKSUM = "sha256"  # the name of the checksum in the header
Arrays = Mapping[str, NDArray[Any]]


def checksum(tensors: Arrays, texts: Mapping[str, str]) -> str:
    """Return the SHA-256 of arrays and texts, as `kakera.formats.checksum.digest` of the same tensors.

    Example:

        >>> import torch
        >>> from kakera.formats.checksum import digest
        >>> checksum({"bias": np.zeros(2, np.float32)}, {}) == digest({"bias": torch.zeros(2)}, {})
        True
    """
    found = hashlib.sha256()
    for name, text in sorted(texts.items()):
        found.update(f"{name}={text}\0".encode())
    for name, array in sorted(tensors.items()):
        found.update(f"{name} torch.{array.dtype.name} {tuple(array.shape)}\0".encode())
        found.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return found.hexdigest()


def write_arrays(path: Path, arrays: Arrays, texts: Mapping[str, str] | None = None) -> str:
    """Write a safetensors file with texts and a checksum, atomically; return the checksum.

    Raises StorageError.

    Example:

        >>> seal = write_arrays(Path("head.safetensors"), {"bias": np.zeros(2, np.float32)}, {"kind": "head"})
        >>> read_arrays(Path("head.safetensors"))
        ({'bias': array([0., 0.], dtype=float32)}, {'kind': 'head'})
        >>> checksum_of(Path("head.safetensors")) == seal
        True
    """
    content, seal = sealed_arrays(arrays, texts or {})
    write_atomically(path, content)
    return seal


def sealed_arrays(arrays: Arrays, texts: Mapping[str, str]) -> tuple[bytes, str]:
    """Return the bytes of a safetensors file with arrays, texts and the checksum of both; and the checksum.

    Example:

        >>> content, seal = sealed_arrays({"bias": np.zeros(2, np.float32)}, {"kind": "head"})
        >>> seal in str(content)
        True
    """
    plain = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    seal = checksum(plain, texts)
    return save(plain, {**texts, CHECKSUM: seal}), seal


def read_arrays(path: Path) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Return arrays and texts of a file of `write_arrays`. Raises ValueError if it is damaged, and OSError.

    See `write_arrays`.
    """
    try:
        with safe_open(path, framework="np") as file:
            texts = dict(file.metadata() or {})
            arrays = {name: file.get_tensor(name) for name in sorted(file.keys())}
    except OSError:
        raise
    except Exception as error:  # safetensors raises errors of different types
        raise ValueError(str(error).splitlines()[0]) from error
    if texts.pop(CHECKSUM, None) != checksum(arrays, texts):
        raise ValueError("its content does not match its checksum")
    return arrays, texts


def checksum_of(path: Path) -> str:
    """Return the checksum in the header of a safetensors file of kakera; "" without one.

    See `write_arrays`.
    """
    try:
        with safe_open(path, framework="np") as file:
            return str((file.metadata() or {}).get(CHECKSUM, ""))
    except Exception:  # no file, or a damaged one
        return ""
