"""Files of tensors that know whether they are whole: SHA-256 of all that is in them, in the header."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from kakera.out_of_memory import raise_lack

CHECKSUM = "sha256"


def sealed(tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> bytes:
    """A safetensors file of tensors and texts, and the checksum of both."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    texts = metadata or {}
    return save(plain, {**texts, CHECKSUM: digest(plain, texts)})


def read_sealed(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and texts of a safetensors file. Raises ValueError, in a few words, where it is not whole.

    A file without a checksum, as others write them, is only read.
    """
    try:
        with safe_open(path, framework="pt") as file:
            texts: dict[str, str] = dict(file.metadata() or {})
            tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in sorted(file.keys())}
    except Exception as error:  # safetensors and the system each have errors of their own
        raise_lack(error)
        raise ValueError(f"{path.name}: {str(error).splitlines()[0]}") from error
    expected = texts.pop(CHECKSUM, None)
    if expected is not None and digest(tensors, texts) != expected:
        raise ValueError(f"{path.name}: its content does not fit its checksum")
    return tensors, texts


def digest(tensors: dict[str, Tensor], texts: dict[str, str]) -> str:
    """SHA-256 over names, types, shapes and bytes of the tensors, and over the texts, in sorted order."""
    found = hashlib.sha256()
    for name, text in sorted(texts.items()):
        found.update(f"{name}={text}\0".encode())
    for name, tensor in sorted(tensors.items()):
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\0".encode())
        found.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return found.hexdigest()
