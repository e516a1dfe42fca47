"""Numbers of processes and machines: from the options, torchrun or SLURM. Does not import torch."""

from __future__ import annotations

import os
from collections.abc import Mapping

from kakera.option_fields import or_none
from kakera.training.options import LearningOptions


def processes(options: LearningOptions, env: Mapping[str, str] = os.environ) -> tuple[int, int]:
    """Return the number of processes per machine and the number of machines.

    Example:

        >>> processes(LearningOptions(), {"SLURM_NTASKS": "8", "SLURM_NNODES": "2"})
        (4, 2)
        >>> processes(LearningOptions(devices=2), {})
        (2, 1)
    """
    devices, nodes = 1, 1
    if "TORCHELASTIC_RUN_ID" in env:  # torchrun's
        devices = int(env["LOCAL_WORLD_SIZE"])
        nodes = int(env["WORLD_SIZE"]) // devices
    elif "SLURM_NTASKS" in env and env.get("SLURM_JOB_NAME") not in ("bash", "interactive"):
        nodes = int(env.get("SLURM_NNODES", "1"))
        devices = int(env["SLURM_NTASKS"]) // nodes
    return or_none(options.devices) or devices, or_none(options.nodes) or nodes
