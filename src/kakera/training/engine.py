"""Start of Lightning Fabric on the chosen devices, with one process for each, on one or several machines."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy
from lightning_fabric.strategies.model_parallel import ModelParallelStrategy

from kakera.errors import OptionError, RunError
from kakera.training.device import device_of
from kakera.training.distributed import shard
from kakera.training.launch import processes
from kakera.training.malloc import keep_freed_memory
from kakera.training.options import LearningOptions


def engine(options: LearningOptions) -> Fabric:
    """Start and connect all processes. Raises RunError if a device or a process is not available.

    Example:

        >>> engine(LearningOptions(device="cpu")).world_size
        1
    """
    device = device_of(options.device).type
    precision: Any = precision_of(options)
    if device == "cpu":
        keep_freed_memory()
    devices, nodes = processes(options)
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # the plan shows the same information
    try:
        fabric = Fabric(
            accelerator=device,
            devices=devices,
            num_nodes=nodes,
            strategy=_strategy(options, devices * nodes),
            precision=precision,
        )
    except OptionError:
        raise
    except Exception as error:  # Fabric raises several kinds of errors for a missing device
        raise RunError(
            "device", got=device, expected="an available device", do=f"try --device cpu ({error})"
        ) from error
    try:
        fabric.launch()
    except (ValueError, RuntimeError, OSError) as error:
        raise RunError(
            "processes",
            got=(str(error) or type(error).__name__).splitlines()[0],
            expected=f"{devices} on each of {nodes} machines, connected within {options.timeout:g} s",
            do="see docs/cluster.md",
        ) from error
    return fabric


def precision_of(options: LearningOptions) -> str:
    """Return the numeric precision of a training; "auto" is bf16-mixed on a GPU and 32-true on a CPU.

    Example:

        >>> precision_of(LearningOptions(device="cpu"))
        '32-true'
    """
    if options.precision != "auto":
        return options.precision
    return "bf16-mixed" if device_of(options.device).type == "cuda" else "32-true"


def _strategy(options: LearningOptions, size: int) -> Any:
    """Return the strategy that synchronises (DDP) or shards (FSDP) the weights of several processes."""
    timeout = timedelta(seconds=options.timeout)
    if options.strategy == "fsdp":
        return ModelParallelStrategy(shard, data_parallel_size=size, tensor_parallel_size=1, timeout=timeout)
    if size > 1:
        return DDPStrategy(timeout=timeout)
    return "auto"
