"""The model of a run, finished or still in training."""

from __future__ import annotations

from pathlib import Path

from kakera.formats.bundle import Pretrained
from kakera.formats.load import load
from kakera.formats.native import WEIGHTS, assemble
from kakera.training import checkpoints


def step_reached(folder: Path) -> int | None:
    """The step of a run's newest checkpoint; None where the run is finished, or has none yet."""
    found = [] if (folder / WEIGHTS).exists() else checkpoints.paths(folder)
    return checkpoints.step_of(found[-1]) if found else None


def open_run(folder: str | Path) -> tuple[Pretrained, int | None]:
    """The model of a run and None, or of one still in training as its newest checkpoint has it and its step.

    The moving average is taken where there is one, as at the end of a run. Raises RunError.
    """
    folder = Path(folder)
    if (folder / WEIGHTS).exists() or not checkpoints.paths(folder):
        return load(folder), None
    found = checkpoints.newest(folder)
    if found is None:  # the run has been finished this moment
        return load(folder), None
    step, tensors, _ = found
    title = "average." if any(name.startswith("average.") for name in tensors) else "model."
    kept = {name.removeprefix(title): t for name, t in tensors.items() if name.startswith(title)}
    return assemble(folder, lambda: kept), step
