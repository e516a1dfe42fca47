"""The device of a model: CPU or GPU."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import torch

from kakera.errors import RunError
from kakera.formats.bundle import Pretrained


def device_of(name: str) -> torch.device:
    """Return the device with this name: cpu, cuda, mps or auto.

    "auto" is a GPU of NVIDIA or AMD if available, else the CPU. Raises RunError for an unavailable device.

    Example:

        >>> device_of("cpu")
        device(type='cpu')
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    here = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not here.get(name, False):
        raise RunError("device", got=name, expected="an available device", do="try " + _list(here))
    return torch.device(name)


@contextmanager
def moved_to_device(saved: Pretrained, name: str) -> Generator[torch.device, None, None]:
    """Move the model to a device inside the `with` block, then back. Raises RunError as `device_of` does.

    Example:

        >>> from kakera.inputs import InputSpec
        >>> from kakera.model.vit import ViT
        >>> model = ViT("nano", channels=1, image_size=8, seed=0)
        >>> with moved_to_device(Pretrained(model, InputSpec(1, 8, 8, (0.5,), (0.5,))), "cpu") as device:
        ...     device
        device(type='cpu')
    """
    device, before = device_of(name), saved.device
    saved.model.to(device)
    try:
        yield device
    finally:
        saved.model.to(before)


def _list(here: dict[str, bool]) -> str:
    """Return the options for the available devices."""
    return " or ".join(f"--device {name}" for name, there in here.items() if there)
