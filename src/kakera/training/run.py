"""The run folder: configuration, metrics, checkpoints, and the finished model.

config.json  data.npy  metrics.jsonl  unreadable.csv  events.out.tfevents.*  checkpoints/  pictures/
model.safetensors  kakera.json  .lock
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Generator, Iterable
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

import kakera
from kakera.data.checks.inventory import INVENTORY, Rows, inventory, packed
from kakera.data.dataset import Dataset
from kakera.errors import RunError, UnreadableFileError
from kakera.formats.bundle import Pretrained
from kakera.formats.native import WEIGHTS, write_description
from kakera.storage import append, write_atomically
from kakera.training import checkpoints, metrics_log
from kakera.training.configuration import CONFIG, VERSION, require_same
from kakera.training.distributed import Distributed, shard_like
from kakera.training.lock import locked
from kakera.training.metrics_log import METRICS
from kakera.training.numerics import describe_change, numerics
from kakera.training.planning.fitting import fitting
from kakera.training.run_folder import UNFINISHED, UNREADABLE, holds_something, require_own
from kakera.training.stop import StopSignal


class Run:
    """A run folder. Opening it again with the same configuration resumes the run.

    With several processes, only the main process writes; all processes call the same methods.

    Example:

        >>> run = Run("run", {"epochs": 10})
        >>> run.log({"step": 1, "loss": 0.5})
        >>> json.loads((run.folder / METRICS).read_text())
        {'step': 1, 'loss': 0.5}
        >>> run.finished, run.has_started()
        (False, False)
    """

    def __init__(
        self,
        folder: str | Path,
        config: dict[str, Any],
        dist: Distributed | None = None,
        dataset: Dataset | None = None,
    ) -> None:
        """Open or create the folder.

        `dataset` is the opened data set: a new run stores a list of its files, to report later changes.
        Raises RunError if the folder contains a run of another configuration, or other files.
        """
        self.folder = Path(folder)
        self.config = {VERSION: kakera.__version__} | json.loads(json.dumps(config))
        self.dist = dist or Distributed()
        self.stop = StopSignal()
        self._dataset = dataset
        self._lock: int | None = None
        self.dist.on_rank_zero(self._open)
        self._unreadable = _listed(self.folder / UNREADABLE)

    def _open(self) -> None:
        path = self.folder / CONFIG
        if path.exists():
            require_same(path, self.config, self._files)
        elif self.folder.exists() and (not self.folder.is_dir() or holds_something(self.folder)):
            raise RunError(
                str(self.folder), got="other files", expected="a new folder", do="choose another --out"
            )
        else:
            files = self._files()
            if files is not None:
                write_atomically(self.folder / INVENTORY, packed(files))
        if not self.finished:  # a finished run may be on a read-only disk
            self._write_config()

    def _files(self) -> Rows | None:
        return None if self._dataset is None else inventory(self._dataset)

    def _write_config(self) -> None:
        write_atomically(self.folder / CONFIG, json.dumps(self.config, indent=2).encode() + b"\n")

    def require_own(self) -> None:
        """Raise RunError if the folder was deleted, moved or replaced, so that nothing is written there."""
        if self.dist.is_main and not require_own(self.folder, self.config, self._lock):
            self._write_config()

    @contextmanager
    def locked(self) -> Generator[None, None, None]:
        """Lock the folder for this process inside the `with` block.

        Removes temporary files of a killed process. Raises RunError if another process trains in the folder.
        """
        with ExitStack() as stack:
            self.dist.on_rank_zero(lambda: self._enter(stack))
            with fitting(self.config), self.dist.detect_lost_process(), self.stop:
                yield

    def _enter(self, stack: ExitStack) -> None:
        self._lock = stack.enter_context(locked(self.folder))
        stack.callback(self._let_go)
        require_same(self.folder / CONFIG, self.config)  # another process may have started just before
        for folder in (self.folder, self.folder / "checkpoints", self.folder / "pictures"):
            for path in folder.glob(".*"):
                if UNFINISHED.fullmatch(path.name):
                    with suppress(OSError):
                        path.unlink()

    def _let_go(self) -> None:
        self._lock = None

    def has_started(self) -> bool:
        """Return True if there is a checkpoint to resume from."""
        return self.dist.on_rank_zero(lambda: bool(checkpoints.paths(self.folder)))

    def describe(self, saved: Pretrained) -> None:
        """Write the description of the model, so that the run can be opened from its first checkpoint on."""

        def write() -> None:
            self.require_own()
            write_description(self.folder, saved)

        self.dist.on_rank_zero(write)

    @property
    def finished(self) -> bool:
        """True if the final weights exist."""
        return (self.folder / WEIGHTS).exists()

    def log(self, values: dict[str, Any]) -> None:
        """Append one line to `metrics.jsonl`."""
        if self.dist.is_main:
            self.require_own()
            append(self.folder / METRICS, json.dumps(values).encode() + b"\n")

    def write_file(self, name: str, content: bytes) -> None:
        """Write a file in the folder. Raises RunError as `require_own` does, and StorageError."""
        if self.dist.is_main:
            self.require_own()
            write_atomically(self.folder / name, content)

    def truncate_log(self, step: int) -> None:
        """Remove metrics of steps that will be repeated, and an incomplete last line of a killed run."""
        path = self.folder / METRICS
        if path.exists() and self.dist.is_main:
            self.require_own()
            metrics_log.drop_after(path, step)

    def list_unreadable(self, errors: Iterable[UnreadableFileError]) -> int:
        """Add skipped files with their reasons to `unreadable.csv`, each once; return their total number."""
        fresh = {error.path: error.reason for error in errors} | self._unreadable
        if fresh != self._unreadable:
            self._unreadable = dict(sorted(fresh.items()))
            text = io.StringIO()
            writer = csv.writer(text)
            writer.writerow(["file", "reason"])
            writer.writerows(self._unreadable.items())
            self.write_file(UNREADABLE, text.getvalue().encode())
        return len(self._unreadable)

    def save_checkpoint(
        self, step: int, model: nn.Module, optimizer: torch.optim.Optimizer, **others: nn.Module
    ) -> None:
        """Write a checkpoint: weights, optimiser, moving average. The previous checkpoint is kept."""
        tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
        for number, values in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{name}": torch.as_tensor(v) for name, v in values.items()}
        for title, module in others.items():
            tensors |= {f"{title}.{name}": tensor for name, tensor in module.state_dict().items()}
        for name, tensor in tensors.items():
            if isinstance(tensor, DTensor):  # one at a time, because the whole may not fit on a device
                gathered = tensor.full_tensor()
                tensors[name] = gathered.cpu() if self.dist.is_main else gathered.new_empty(0)
        texts = {"numerics": json.dumps(numerics(self.dist, self.config))}
        self.dist.on_rank_zero(lambda: checkpoints.write(self.folder, step, tensors, texts, self.require_own))

    def drop_checkpoints(self) -> None:
        """Remove the checkpoints, which only an unfinished run needs."""
        checkpoints.delete(self.folder)

    def load_checkpoint(self, model: nn.Module, optimizer: torch.optim.Optimizer, **others: nn.Module) -> int:
        """Load the newest undamaged checkpoint and return its step, or 0 if there is no checkpoint.

        Renames damaged checkpoints. Prints a line if settings changed that affect the last digits of sums.
        Raises RunError if all checkpoints are damaged.
        """
        loaded: list[tuple[int, dict[str, Tensor]]] = []

        def look() -> int:
            newest = checkpoints.newest(self.folder, set_aside=True)
            if newest is None:
                metrics_log.report_repeated(self.folder / METRICS)
                return 0
            step, tensors, texts = newest
            loaded.append((step, tensors))
            change = describe_change(texts.get("numerics", ""), numerics(self.dist, self.config))
            if change:
                print(f"kakera: {self.folder}: {change}", file=sys.stderr)
            return step

        step = self.dist.on_rank_zero(look)
        if not step:
            return 0
        tensors = loaded[0][1] if loaded else checkpoints.read(self.folder, step)
        parts: dict[str, dict[str, Tensor]] = {}
        for name, tensor in tensors.items():
            title, _, rest = name.partition(".")
            parts.setdefault(title, {})[rest] = tensor
        for title, module in {"model": model, **others}.items():
            there = module.state_dict()
            module.load_state_dict(
                {name: shard_like(tensor, there[name]) for name, tensor in parts[title].items()}
            )
        groups = optimizer.state_dict()["param_groups"]
        own = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in parts.get("optimizer", {}).items():
            number, _, key = name.partition(".")
            shared_out = tensor.ndim > 0 and tensor.shape == own[int(number)].shape
            tensor = shard_like(tensor, own[int(number)]) if shared_out else tensor
            state.setdefault(int(number), {})[key] = tensor
        optimizer.load_state_dict({"state": state, "param_groups": groups})
        return step


def _listed(path: Path) -> dict[str, str]:
    """Return the unreadable files, with reasons, that an earlier part of the run listed."""
    try:
        with path.open(newline="") as file:
            return {row["file"]: row["reason"] for row in csv.DictReader(file)}
    except (OSError, KeyError, ValueError):
        return {}
