"""The checkpoints of a run: written atomically, with a checksum; the last two are kept."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from torch import Tensor

from kakera.errors import RunError
from kakera.formats.checksum import read_sealed, sealed
from kakera.storage import write_atomically

KEPT = 2  # checkpoints; the older one is a reserve if the newest is damaged


def paths(folder: Path) -> list[Path]:
    """Return the checkpoint files, the newest last.

    Example:

        >>> for step in (10, 20):
        ...     write(Path(), step, {}, {}, require=lambda: None)
        >>> [path.name for path in paths(Path())]
        ['step-000000010.safetensors', 'step-000000020.safetensors']
    """
    return sorted((folder / "checkpoints").glob("step-*.safetensors"))


def step_of(path: Path) -> int:
    """Return the number of completed steps of a checkpoint file.

    Example:

        >>> step_of(Path("checkpoints/step-000000020.safetensors"))
        20
    """
    return int(path.stem.removeprefix("step-"))


def write(
    folder: Path, step: int, tensors: dict[str, Tensor], texts: dict[str, str], require: Callable[[], object]
) -> None:
    """Write a checkpoint with `texts` in its header, then remove all but the last two. Raises StorageError.

    `require` is called just before writing and may raise.

    Example:

        >>> import torch
        >>> write(Path(), 20, {"model.weight": torch.ones(2)}, {}, require=lambda: None)
        >>> newest(Path())
        (20, {'model.weight': tensor([1., 1.])}, {'step': '20'})
    """
    content = sealed(tensors, {**texts, "step": str(step)})
    require()
    write_atomically(_path(folder, step), content)
    for old in paths(folder)[:-KEPT]:
        with suppress(OSError):  # the next call tries again
            old.unlink()


def read(folder: Path, step: int) -> dict[str, Tensor]:
    """Return the tensors of a checkpoint. Raises RunError if it is unreadable, as in an unshared folder.

    Example:

        >>> import torch
        >>> write(Path(), 20, {"model.weight": torch.ones(2)}, {}, require=lambda: None)
        >>> read(Path(), 20)
        {'model.weight': tensor([1., 1.])}
    """
    try:
        return read_sealed(_path(folder, step))[0]
    except ValueError as error:
        raise RunError(
            str(_path(folder, step)),
            got=error,
            expected="a checkpoint that all processes can read",
            do="put the run folder on a file system that all machines share",
        ) from error


def _path(folder: Path, step: int) -> Path:
    return folder / "checkpoints" / f"step-{step:09d}.safetensors"


def newest(folder: Path, *, set_aside: bool = False) -> tuple[int, dict[str, Tensor], dict[str, str]] | None:
    """Return step, tensors and texts of the newest undamaged checkpoint; None if there is no checkpoint.

    Prints a warning for each damaged checkpoint. `set_aside` renames damaged files, so that they do not count
    as the newest any more. Raises RunError if all are damaged.

    Example:

        >>> for step in (10, 20):
        ...     write(Path(), step, {}, {"note": "done"}, require=lambda: None)
        >>> step, tensors, texts = newest(Path())
        >>> step, texts["note"]
        (20, 'done')
        >>> newest(Path("elsewhere")) is None
        True
    """
    files, reasons = paths(folder), list[str]()
    for path in reversed(files):
        try:
            tensors, texts = read_sealed(path)
            step = int(texts["step"])
        except (ValueError, KeyError) as error:
            if path.exists():  # a training in another process removes its old checkpoints
                reasons.append(str(error))
                print(f"kakera: {path} is damaged ({error}); trying the previous one", file=sys.stderr)
                if set_aside:
                    path.rename(path.with_name(f"{path.name}.damaged"))
            continue
        return step, tensors, texts
    if not reasons:
        return None
    raise RunError(
        str(folder / "checkpoints"),
        got=reasons[0],
        expected="at least one undamaged checkpoint",
        do="restore one from a backup, or remove the run folder to start again",
    )


def delete(folder: Path) -> None:
    """Remove all checkpoints, including damaged ones.

    Example:

        >>> write(Path(), 20, {}, {}, require=lambda: None)
        >>> delete(Path())
        >>> paths(Path())
        []
    """
    for path in (folder / "checkpoints").glob("step-*"):
        with suppress(OSError):  # the run is finished anyway
            path.unlink()
