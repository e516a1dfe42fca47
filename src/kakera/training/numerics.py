"""Settings that change the last digits of a training; a resumed run reports their changes.

Sums of floating point numbers depend on their order. Another number of threads splits some sums at other
places: products for the gradients of weights, the gradients of layer norm, and sums over whole tensors.
"""

from __future__ import annotations

import json
from typing import Any

import torch

import kakera
from kakera.training.distributed import Distributed


def numerics(dist: Distributed, config: dict[str, Any]) -> dict[str, str]:
    """Return the settings on which sums depend in this process, by name. `config` is that of the run.

    On a CPU they include the number of threads and the instruction set that PyTorch uses ("capability").

    Example:

        >>> settings = numerics(Distributed(), {"precision": "32-true"})
        >>> settings["device"], settings["precision"], settings["processes"]
        ('cpu', '32-true', '1')
    """
    fabric = dist.fabric
    device = torch.device("cpu") if fabric is None else fabric.device
    values: dict[str, object] = {
        "device": device.type,
        "kakera": kakera.__version__,
        "torch": torch.__version__,
        "precision": config.get("precision") if fabric is None else fabric.strategy.precision.precision,
        "processes": dist.size,
        "grad_accum": config.get("grad_accum", 1),
        "strategy": config.get("strategy", "ddp") if dist.size > 1 else "",
    }
    if device.type == "cpu":
        values |= {"threads": torch.get_num_threads(), "capability": torch.backends.cpu.get_cpu_capability()}
    elif device.type == "cuda":
        values["device"] = torch.cuda.get_device_name(device)
    return {name: str(value) for name, value in values.items()}


def describe_change(before: str, now: dict[str, str]) -> str:
    """Return a line about settings that differ from `before`, the JSON of a checkpoint; "" if all are equal.

    Settings that only one of the two has do not count, and neither does a checkpoint without settings.

    Example:

        >>> print(describe_change('{"threads": "2"}', {"threads": "4"}))
        was trained with threads 2 and resumes with threads 4: the weights will differ in the last digits ...
        >>> describe_change('{"threads": "2"}', {"threads": "2"})
        ''
    """
    try:
        there: dict[str, str] = json.loads(before)
    except ValueError:
        return ""
    other = [name for name in now if there.get(name, now[name]) != now[name]]
    if not other:
        return ""
    began = ", ".join(f"{name} {there[name]}" for name in other)
    goes_on = ", ".join(f"{name} {now[name]}" for name in other)
    return (
        f"was trained with {began} and resumes with {goes_on}: the weights will differ in the last digits "
        "from an uninterrupted run"
    )
