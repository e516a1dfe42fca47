"""`kakera …` in processes that need not import anything: forked from one that has."""

import importlib
import os
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from kakera.cli.main import main

# What a training imports, so that it is there after a fork. Nothing is computed before one.
WARM = (
    *("kakera.commands.pretrain", "kakera.commands.finetune", "kakera.cli.pretrain", "kakera.cli.finetune"),
    *("kornia.augmentation.auto", "torch.utils.tensorboard", "sklearn.metrics", "lightning_fabric"),
)


def warm() -> None:
    """Import all of it."""
    for name in WARM:
        importlib.import_module(name)


def forked(words: Sequence[str], log: Path, env: Mapping[str, str] | None = None, threads: int = 1) -> int:
    """The number of a new process that runs `kakera WORDS` and writes what it says into `log`."""
    number = os.fork()
    if number:
        return number
    code = 70
    try:
        os.setpgid(0, 0)
        os.environ.update(env or {})
        sys.stdout = sys.stderr = log.open("a")
        torch.set_num_threads(threads)
        code = main(words)
    except SystemExit as end:
        code = int(end.code or 0)
    finally:
        sys.stdout.flush()
        os._exit(code)


def ended(number: int) -> int:
    """Wait for a process; its exit code."""
    return os.waitstatus_to_exitcode(os.waitpid(number, 0)[1])


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        return place.getsockname()[1]


def fabric(rank: int, size: int, port: int) -> dict[str, str]:
    """As Lightning Fabric's own launcher says it; with it goes `--devices`."""
    return {"LOCAL_RANK": str(rank), "NODE_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}


def torchrun(rank: int, size: int, port: int) -> dict[str, str]:
    """As torchrun says it."""
    same = {"WORLD_SIZE": str(size), "LOCAL_WORLD_SIZE": str(size), "TORCHELASTIC_RUN_ID": "none"}
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    return {"RANK": str(rank), "LOCAL_RANK": str(rank), "GROUP_RANK": "0", **same, **address}


def slurm(rank: int, size: int, port: int) -> dict[str, str]:
    """As `srun --ntasks-per-node` says it on one node."""
    same = {"SLURM_NTASKS": str(size), "SLURM_NTASKS_PER_NODE": str(size), "SLURM_NNODES": "1"}
    job = {"SLURM_JOB_ID": "1234", "SLURM_JOB_NAME": "kakera", "SLURM_NODELIST": "127.0.0.1"}
    here = {"SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank), "SLURM_NODEID": "0"}
    return {**same, **job, **here, "MASTER_PORT": str(port)}
