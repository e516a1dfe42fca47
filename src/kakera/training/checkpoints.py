"""The checkpoints of a run: each whole or not there, each with its checksum, the last two kept."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from torch import Tensor

from kakera.errors import RunError
from kakera.formats.checksum import read_sealed, sealed
from kakera.storage import write_atomically

KEPT = 2


def paths(folder: Path) -> list[Path]:
    """The files, the newest last."""
    return sorted((folder / "checkpoints").glob("step-*.safetensors"))


def step_of(path: Path) -> int:
    """How many steps had been done."""
    return int(path.stem.removeprefix("step-"))


def write(
    folder: Path, step: int, tensors: dict[str, Tensor], texts: dict[str, str], require: Callable[[], object]
) -> None:
    """One more, with texts in its header; `require` is called just before it is written. Raises StorageError.

    Once it is on the disk, what is older than the one before is removed.
    """
    content = sealed(tensors, {**texts, "step": str(step)})
    require()
    write_atomically(_path(folder, step), content)
    for old in paths(folder)[:-KEPT]:
        with suppress(OSError):  # the next save tries again
            old.unlink()


def read(folder: Path, step: int) -> dict[str, Tensor]:
    """The tensors of one. Raises RunError where it cannot be read, as where the folder is not shared."""
    try:
        return read_sealed(_path(folder, step))[0]
    except ValueError as error:
        raise RunError(
            str(_path(folder, step)),
            got=error,
            expected="a checkpoint that all processes see",
            do="put the run folder on a file system that all machines share",
        ) from error


def _path(folder: Path, step: int) -> Path:
    return folder / "checkpoints" / f"step-{step:09d}.safetensors"


def newest(folder: Path, *, set_aside: bool = False) -> tuple[int, dict[str, Tensor], dict[str, str]] | None:
    """Step, tensors and texts of the newest whole one; None if there are none.

    A warning is printed for each that is damaged. `set_aside` renames these, so that they do not count as
    the newest any more. Raises RunError where all are damaged.
    """
    found, reasons = paths(folder), list[str]()
    for path in reversed(found):
        try:
            tensors, texts = read_sealed(path)
            step = int(texts["step"])
        except (ValueError, KeyError) as error:
            if path.exists():  # a run that goes on removes its old ones
                reasons.append(str(error))
                print(f"kakera: {path} is damaged ({error}); trying the one before", file=sys.stderr)
                if set_aside:
                    path.rename(path.with_name(f"{path.name}.damaged"))
            continue
        return step, tensors, texts
    if not reasons:
        return None
    raise RunError(
        str(folder / "checkpoints"),
        got=reasons[0],
        expected="at least one whole checkpoint",
        do="copy one back, or remove the run folder to begin again",
    )


def delete(folder: Path) -> None:
    """Remove all, the damaged too."""
    for path in (folder / "checkpoints").glob("step-*"):
        with suppress(OSError):  # the run is finished all the same
            path.unlink()
