"""What decides the last digits of a training: compared where it goes on, so that a change is said.

Sums of floating point numbers depend on their order. With another number of threads, the products that give
the gradients of weights, the gradients of layer norm and sums over whole tensors are split at other places.
"""

from __future__ import annotations

import json
from typing import Any

import torch

import kakera
from kakera.training.distributed import Distributed


def numerics(dist: Distributed, config: dict[str, Any]) -> dict[str, str]:
    """Return what sums depend on in this process: names and values. `config` is the run's.

    On a CPU the threads and the instructions that PyTorch chose (its "capability") are among them.
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
    """One line where a value is another than in `before`, the JSON of a checkpoint; "" where all are equal.

    What only one of the two knows does not count, nor does a checkpoint that has no values.
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
        f"was trained with {began} and goes on with {goes_on}: the weights will differ in the last digits "
        "from an uninterrupted run"
    )
