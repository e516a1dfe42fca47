"""A run's saves, interrupted at the k-th call that changes the disk: by a kill, or by an error.

`python -m tests.training.faults FOLDER` kills a forked process at every such call, one after the other, and
prints what each folder holds afterwards.
"""

import copy
import errno
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from safetensors.torch import load_file
from torch import nn

from kakera.training.run import Run

CALLS = ("mkdir", "open", "write", "fsync", "ftruncate", "replace", "rename", "unlink")
STEPS = (1, 2, 3, 4)


def model_at(step: int) -> tuple[nn.Module, torch.optim.Optimizer]:
    """What there is to save after so many steps."""
    torch.manual_seed(step)
    model = nn.Linear(30, 20)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    model(torch.ones(4, 30)).square().sum().backward()
    optimizer.step()
    return model, optimizer


def life(folder: Path) -> None:
    """A run from its birth on, with a checkpoint a step."""
    run = Run(folder, {"seed": 1})
    with run.locked():
        for step in STEPS:
            model, optimizer = model_at(step)
            run.save_checkpoint(step, model, optimizer, average=copy.deepcopy(model))
            run.log({"step": step})


def reopened(folder: Path) -> tuple[int, nn.Module]:
    """The step that the folder opens on, and the model."""
    run = Run(folder, {"seed": 1})
    model, optimizer = model_at(99)
    with run.locked():
        return run.load_checkpoint(model, optimizer, average=copy.deepcopy(model)), model


def whole_steps(folder: Path) -> list[int]:
    """The steps whose files hold what an undisturbed run puts into them; fails on any other file."""
    found: list[int] = []
    for path in sorted((folder / "checkpoints").glob("step-*")):
        step = int(path.stem.removeprefix("step-"))
        kept, weights = load_file(path), model_at(step)[0].state_dict()
        assert all(torch.equal(kept[f"model.{name}"], tensor) for name, tensor in weights.items())
        assert all(torch.equal(kept[f"average.{name}"], tensor) for name, tensor in weights.items())
        found.append(step)
    return found


@contextmanager
def interrupted(at: int, what: Callable[[str, Any], None]) -> Iterator[list[str]]:
    """`what` happens instead of the call number `at`, counted from 1; the list grows with each call."""
    made: list[str] = []

    def watched(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def stand_in(*given: Any, **named: Any) -> Any:
            reads = name == "open" and not (len(given) > 1 and given[1] & os.O_CREAT)
            if not reads:
                made.append(name)
                if len(made) == at:
                    what(name, given)
            return call(*given, **named)

        return stand_in

    patches = [mock.patch.object(os, name, watched(name, getattr(os, name))) for name in CALLS]
    for patch in patches:
        patch.start()
    try:
        yield made
    finally:
        for patch in patches:
            patch.stop()


def half_written(name: str, given: Any) -> None:
    """Of a write, half reaches the disk."""
    if name == "write":
        os_write(given[0], bytes(given[1])[: len(given[1]) // 2])


def killed(name: str, given: Any) -> None:
    """As by `kill -9`, in the middle of the call."""
    half_written(name, given)
    os.kill(os.getpid(), signal.SIGKILL)


def failing(number: int) -> Callable[[str, Any], None]:
    """The call fails as on a full or broken disk."""

    def fail(name: str, given: Any) -> None:
        half_written(name, given)
        raise OSError(number, os.strerror(number))

    return fail


os_write = os.write
FULL, BROKEN = failing(errno.ENOSPC), failing(errno.EIO)


def count_calls(folder: Path) -> int:
    """How many calls an undisturbed life makes."""
    with interrupted(0, killed) as made:
        life(folder)
    return len(made)


def main(root: Path) -> None:
    """Kill at each call in turn; a line of JSON for each."""
    torch.set_num_threads(1)  # a forked process would wait for threads that it does not have
    life(root / "first")  # whatever is only done once is done
    for at in range(1, count_calls(root / "whole") + 1):
        folder = root / str(at)
        child = os.fork()
        if not child:
            with interrupted(at, killed):
                life(folder)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        steps = whole_steps(folder)
        step, model = reopened(folder)
        same = not step or torch.equal(model.weight, model_at(step)[0].weight)
        left = [p.name for p in folder.rglob(".*") if p.name != ".lock"]
        print(json.dumps({"at": at, "code": code, "steps": steps, "step": step, "same": same, "left": left}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
