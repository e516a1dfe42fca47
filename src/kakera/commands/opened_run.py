"""The model of a run, finished or still in training."""

from __future__ import annotations

from pathlib import Path

from kakera.formats.bundle import Pretrained
from kakera.formats.load import load
from kakera.formats.native import WEIGHTS, assemble
from kakera.training import checkpoints
from kakera.training.lora import merged_tensors


def step_reached(folder: Path) -> int | None:
    """Return the step of a run's newest checkpoint; None if the run is finished or has no checkpoint.

    Example:

        >>> step_reached(Path()) is None
        True
    """
    found = [] if (folder / WEIGHTS).exists() else checkpoints.paths(folder)
    return checkpoints.step_of(found[-1]) if found else None


def open_run(folder: str | Path) -> tuple[Pretrained, int | None]:
    """Return the model of a run, and the step of its checkpoint, or None if the run is finished.

    For a run in training, the weights are those of the newest checkpoint. If the run has a moving average
    of the weights, return that, as a finished run does. Low-rank updates are merged. Raises RunError.

    Example:

        >>> from kakera import Classifier, InputSpec
        >>> from kakera.formats.native import save_model
        >>> inputs = InputSpec(1, 28, 28, (0.5,), (0.5,))
        >>> network = Classifier("nano", 2, channels=1, image_size=28)
        >>> save_model(Path("run-1"), Pretrained(network, inputs, ("cat", "dog")))
        >>> open_run("run-1")[1] is None
        True
    """
    folder = Path(folder)
    if (folder / WEIGHTS).exists() or not checkpoints.paths(folder):
        return load(folder), None
    found = checkpoints.newest(folder)
    if found is None:  # the run finished just now and removed its checkpoints
        return load(folder), None
    step, tensors, _ = found
    title = "average." if any(name.startswith("average.") for name in tensors) else "model."
    weights = {name.removeprefix(title): t for name, t in tensors.items() if name.startswith(title)}
    return assemble(folder, lambda: merged_tensors(weights)), step
