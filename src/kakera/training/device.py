"""Where a model computes: on a CPU or on a GPU."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import torch

from kakera.errors import RunError
from kakera.formats.bundle import Pretrained


def device_of(name: str) -> torch.device:
    """By its name; `auto` is a GPU of NVIDIA or AMD if there is one. Raises RunError for one not here."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    here = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not here.get(name, False):
        raise RunError("device", got=name, expected="one that is here", do="try " + _list(here))
    return torch.device(name)


@contextmanager
def moved_to_device(saved: Pretrained, name: str) -> Generator[torch.device, None, None]:
    """The model on a device within the block, then where it was. Raises RunError as `device_of` does."""
    device, before = device_of(name), saved.device
    saved.model.to(device)
    try:
        yield device
    finally:
        saved.model.to(before)


def _list(here: dict[str, bool]) -> str:
    """What can be named in place of it."""
    return " or ".join(f"--device {name}" for name, there in here.items() if there)
