"""The run folder: configuration, metrics, checkpoints, and the finished model.

config.json  metrics.jsonl  unreadable.csv  events.out.tfevents.*  checkpoints/  pictures/
model.safetensors  kakera.json
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from kakera.errors import RunError, UnreadableFileError, sentence
from kakera.formats.native import (
    WEIGHTS,
    Saved,
    assemble,
    load_model,
    write_atomically,
    write_description,
    write_tensors,
)

UNREADABLE = "unreadable.csv"
FREE = {"workers", "device", "checkpoint_seconds", "out"}  # may differ between a run and its resumption


class Run:
    """One folder. Opening it again with the same configuration goes on where it stopped."""

    def __init__(self, folder: str | Path, config: dict[str, Any]) -> None:
        """Raises RunError where the folder holds a run of another configuration, or something else."""
        self.folder = Path(folder)
        self.config = json.loads(json.dumps(config))
        self._unreadable: dict[str, str] = {}
        path = self.folder / "config.json"
        if path.exists():
            require_same(path, self.config)
        elif self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
            raise RunError(
                sentence(
                    str(self.folder), got="something else", expected="a new folder", do="choose another --out"
                )
            )
        write_atomically(path, json.dumps(self.config, indent=2).encode() + b"\n")

    def describe(self, saved: Saved) -> None:
        """Write down what is trained, so that the run can be looked into from its first checkpoint on."""
        write_description(self.folder, saved)

    @property
    def finished(self) -> bool:
        """Whether the final weights are there."""
        return (self.folder / WEIGHTS).exists()

    def log(self, values: dict[str, Any]) -> None:
        """One line of metrics."""
        with (self.folder / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(values) + "\n")

    def forget_after(self, step: int) -> None:
        """Drop metrics of steps that will be repeated, and a last line cut short by a kill."""
        path = self.folder / "metrics.jsonl"
        if not path.exists():
            return
        lines: list[str] = []
        for line in path.read_text().splitlines():
            try:
                if json.loads(line)["step"] <= step:
                    lines.append(line)
            except (ValueError, KeyError):
                continue
        write_atomically(path, "".join(f"{line}\n" for line in lines).encode())

    def list_unreadable(self, errors: Iterable[UnreadableFileError]) -> None:
        """Write down files that were skipped, with their reasons; each once."""
        fresh = {error.path: error.reason for error in errors} | self._unreadable
        if fresh != self._unreadable:
            self._unreadable = dict(sorted(fresh.items()))
            text = io.StringIO()
            writer = csv.writer(text)
            writer.writerow(["file", "reason"])
            writer.writerows(self._unreadable.items())
            write_atomically(self.folder / UNREADABLE, text.getvalue().encode())

    def save(
        self, step: int, model: nn.Module, optimizer: torch.optim.Optimizer, **others: nn.Module
    ) -> None:
        """A checkpoint: weights, optimiser, moving average. The one before is kept."""
        tensors = {f"model.{name}": tensor for name, tensor in model.state_dict().items()}
        for number, values in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{number}.{name}": torch.as_tensor(v) for name, v in values.items()}
        for title, module in others.items():
            tensors |= {f"{title}.{name}": tensor for name, tensor in module.state_dict().items()}
        path = self.folder / "checkpoints" / f"step-{step:09d}.safetensors"
        write_tensors(path, tensors, {"step": str(step)})
        for old in self._checkpoints()[:-2]:
            old.unlink()

    def drop_checkpoints(self) -> None:
        """Remove what only an unfinished run needs."""
        for path in self._checkpoints():
            path.unlink()

    def _checkpoints(self) -> list[Path]:
        return checkpoints(self.folder)

    def restore(self, model: nn.Module, optimizer: torch.optim.Optimizer, **others: nn.Module) -> int:
        """Put the newest checkpoint back; returns its step, 0 where there is none."""
        paths = self._checkpoints()
        if not paths:
            return 0
        parts: dict[str, dict[str, Tensor]] = {}
        with safe_open(paths[-1], framework="pt") as file:
            step = int(file.metadata()["step"])
            for name in sorted(file.keys()):
                title, _, rest = name.partition(".")
                parts.setdefault(title, {})[rest] = file.get_tensor(name)
        model.load_state_dict(parts["model"])
        for title, module in others.items():
            module.load_state_dict(parts[title])
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in parts.get("optimizer", {}).items():
            number, _, key = name.partition(".")
            state.setdefault(int(number), {})[key] = tensor
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": state, "param_groups": groups})
        return step


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints of a run, the newest last."""
    return sorted((folder / "checkpoints").glob("step-*.safetensors"))


def step_reached(folder: Path) -> int | None:
    """The step of a run's newest checkpoint; None where the run is finished, or has none yet."""
    found = [] if (folder / WEIGHTS).exists() else checkpoints(folder)
    return _step(found[-1]) if found else None


def open_run(folder: str | Path) -> tuple[Saved, int | None]:
    """The model of a run and None, or of one still in training as its newest checkpoint has it and its step.

    The moving average is taken where there is one, as at the end of a run. Raises RunError.
    """
    folder = Path(folder)
    found = [] if (folder / WEIGHTS).exists() else checkpoints(folder)
    if not found:
        return load_model(folder), None
    return assemble(folder, lambda: _kept(found[-1])), _step(found[-1])


def _step(path: Path) -> int:
    return int(path.stem.removeprefix("step-"))


def _kept(path: Path) -> dict[str, Tensor]:
    """Of a checkpoint, the weights that the run would keep if it ended here."""
    with safe_open(path, framework="pt") as file:
        names: list[str] = list(file.keys())
        title = "average." if any(name.startswith("average.") for name in names) else "model."
        return {n.removeprefix(title): file.get_tensor(n) for n in names if n.startswith(title)}


def require_same(path: Path, config: dict[str, Any]) -> None:
    """Raises RunError where the configuration in a file is another, but for what may differ."""
    try:
        here, there = json.loads(json.dumps(config)), json.loads(path.read_text())
        names = sorted(there.keys() | here.keys())
    except (OSError, ValueError, AttributeError) as error:
        raise RunError(
            sentence(str(path), got=error, expected="a configuration", do="choose another --out")
        ) from error
    other = [n for n in names if n not in FREE and there.get(n) != here.get(n)]
    if other:
        got = ", ".join(f"{n} {there.get(n)!r} there, {here.get(n)!r} here" for n in other[:4])
        raise RunError(
            sentence(
                str(path.parent),
                got=f"a run of another configuration ({got})",
                expected="the same, to go on with it",
                do="give the same options or choose another --out",
            )
        )
