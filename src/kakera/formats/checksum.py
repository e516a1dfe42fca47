"""Safetensors files with a checksum: the header contains the SHA-256 of tensors and texts."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from kakera.out_of_memory import raise_out_of_memory

CHECKSUM = "sha256"


def sealed(tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> bytes:
    """Return the bytes of a safetensors file with tensors, texts and the checksum of both.

    Example:

        >>> from safetensors.torch import load
        >>> load(sealed({"bias": torch.zeros(2)}))
        {'bias': tensor([0., 0.])}
    """
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    texts = metadata or {}
    return save(plain, {**texts, CHECKSUM: digest(plain, texts)})


def read_sealed(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return tensors and texts of a safetensors file, after checking its checksum.

    A file without a checksum, such as a file of another library, is read without this check. Raises
    ValueError with a short message if the file is damaged or incomplete.

    Example:

        >>> size = Path("weights.safetensors").write_bytes(sealed({"bias": torch.zeros(2)}, {"kind": "mae"}))
        >>> read_sealed(Path("weights.safetensors"))
        ({'bias': tensor([0., 0.])}, {'kind': 'mae'})
    """
    try:
        with safe_open(path, framework="pt") as file:
            texts: dict[str, str] = dict(file.metadata() or {})
            tensors: dict[str, Tensor] = {name: file.get_tensor(name) for name in sorted(file.keys())}
    except Exception as error:  # safetensors and the system raise errors of different types
        raise_out_of_memory(error)
        raise ValueError(f"{path.name}: {str(error).splitlines()[0]}") from error
    expected = texts.pop(CHECKSUM, None)
    if expected is not None and digest(tensors, texts) != expected:
        raise ValueError(f"{path.name}: its content does not match its checksum")
    return tensors, texts


def digest(tensors: dict[str, Tensor], texts: dict[str, str]) -> str:
    """Return the SHA-256 of the names, types, shapes and bytes of tensors, and of the texts, both sorted.

    Example:

        >>> digest({"bias": torch.zeros(2)}, {}) == digest({"bias": torch.ones(2)}, {})
        False
    """
    checksum = hashlib.sha256()
    for name, text in sorted(texts.items()):
        checksum.update(f"{name}={text}\0".encode())
    for name, tensor in sorted(tensors.items()):
        checksum.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\0".encode())
        checksum.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return checksum.hexdigest()
