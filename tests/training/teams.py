"""One training by 1, 2 and 4 processes: `python -m tests.training.teams FOLDER` leaves a run for each.

Each is a folder with what its processes said in `log`; what differs between them is in `RUNS`.
"""

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.training.commands import some_npz
from tests.training.forks import ended, fabric, forked, free_port, slurm, torchrun, warm

TRAIN, TEST, BATCH, STEPS = 47, 21, 24, 50  # one step an epoch, so each is in the metrics
COMMON = [
    "--recipe",
    "demo",
    "--device",
    "cpu",
    "--workers",
    "0",
    "--min-steps",
    "1",
    "--batch-size",
    str(BATCH),
]
COMMON += ["--epochs", str(STEPS), "--warmup-epochs", "5", "--timeout", "60", "--crop-min-scale", "0.5"]
COMMON += ["--base-lr", "5e-3"]
FINETUNE = ["--drop-path", "0.2", "--mixup", "0.8", "--cutmix", "1", "--randaugment", "9"]
FINETUNE += ["--random-erasing", "0.25", "--ema-decay", "0.9", "--patch-dropout", "0"]
Environment = Callable[[int, int, int], Mapping[str, str]]
FSDP = ["--strategy", "fsdp"]
# name: verb, processes, who starts them, more options
RUNS: dict[str, tuple[str, int, Environment, list[str]]] = {
    "pretrain-1": ("pretrain", 1, fabric, []),
    "pretrain-2": ("pretrain", 2, torchrun, []),
    "pretrain-4-sharded": ("pretrain", 4, torchrun, FSDP),
    "finetune-1": ("finetune", 1, fabric, []),
    "finetune-2": ("finetune", 2, slurm, []),
    "finetune-4": ("finetune", 4, torchrun, []),
    "finetune-2-sharded": ("finetune", 2, fabric, ["--devices", "2", *FSDP]),
    "finetune-4-sharded": ("finetune", 4, torchrun, [*FSDP, "--activation-checkpointing"]),
    "finetune-1-accumulated": ("finetune", 1, fabric, ["--grad-accum", "3", "--activation-checkpointing"]),
    "finetune-2-accumulated": ("finetune", 2, torchrun, ["--grad-accum", "2"]),
}


def started(name: str, verb: str, size: int, env: Environment, more: list[str], root: Path) -> list[int]:
    """The processes of a run."""
    port, out = free_port(), root / name
    words = [verb, str(root / "some.npz"), "--out", str(out), *COMMON, *more]
    words += (
        [*FINETUNE, "--init-from", str(root / "pretrain-1")] if verb == "finetune" else ["--model", "nano"]
    )
    log = root / f"{name}.log"
    alone = size == 1
    return [forked(words, log, {} if alone else env(rank, size, port)) for rank in range(size)]


def succeeded(name: str, processes: list[int], root: Path, code: int = 0) -> None:
    """Wait for all of them to end with this code; fails with what they said."""
    codes = [ended(process) for process in processes]
    assert codes == [code] * len(codes), f"{name}: {codes}: {(root / f'{name}.log').read_text()}"


def interrupted(root: Path) -> None:
    """Two processes stop half way; one, four, and two that share the weights, go on from there."""
    more = ["--checkpoint-seconds", "0"]
    processes = started("half", "finetune", 2, torchrun, more, root)
    metrics = root / "half" / "metrics.jsonl"
    while not metrics.exists() or len(metrics.read_text().splitlines()) < STEPS // 3:
        time.sleep(0.01)
    os.kill(processes[1], signal.SIGTERM)  # one is told, all stop
    succeeded("half", processes, root, 128 + signal.SIGTERM)
    for name, size, options in (("half-1", 1, []), ("half-4", 4, []), ("half-2-sharded", 2, FSDP)):
        shutil.copytree(root / "half", root / name)
        succeeded(name, started(name, "finetune", size, torchrun, options, root), root)


def refused(root: Path) -> list[int]:
    """Two processes meet a folder of another run; their exit codes."""
    (root / "refused").mkdir()
    (root / "refused" / "config.json").write_text('{"seed": 1}')
    return [ended(process) for process in started("refused", "pretrain", 2, torchrun, [], root)]


def everything(root: Path) -> None:
    """All runs, one after the other."""
    warm()
    some_npz(root, TRAIN, TEST)
    for name, (verb, size, env, more) in RUNS.items():
        succeeded(name, started(name, verb, size, env, more, root), root)
    interrupted(root)
    assert refused(root) == [2, 2], (root / "refused.log").read_text()


if __name__ == "__main__":
    everything(Path(sys.argv[1]))
