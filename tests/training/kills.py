"""Training killed at random instants and started again, until it is done: is it the same?

`python -m tests.training.kills --times 500` kills so often and prints what happened; `make kills` does that.
"""

import argparse
import json
import os
import random
import shutil
import signal
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from tests.training.commands import some_npz
from tests.training.forks import ended, forked, warm

OPTIONS = [
    "--recipe",
    "demo",
    "--device",
    "cpu",
    "--workers",
    "0",
    "--batch-size",
    "16",
    "--checkpoint-seconds",
    "0",
]
OPTIONS += ["--epochs", "40", "--crop-min-scale", "0.5", "--shift", "1"]  # 160 steps, and a save after each
AHEAD = 0.35  # seconds of training, at the most, before a kill
EARLY, SAVING = 0.2, 0.4  # shares of the kills: while it opens its folder; while it writes a checkpoint
WRITING = 0.002  # seconds, at the most, from the first sight of a file that is being written


def training(root: Path, name: str) -> int:
    """A process that trains into the folder of this name."""
    words = ["pretrain", str(root / "some.npz"), "--out", str(root / name), *OPTIONS]
    return forked(words, root / f"{name}.log")


def newest(run: Path) -> float:
    """When a checkpoint was last finished."""
    found = [path.stat().st_mtime for path in (run / "checkpoints").glob("step-*") if path.exists()]
    return max(found, default=0.0)


def unfinished(run: Path) -> set[str]:
    """The checkpoints that are being written, or were left half written."""
    return {path.name for path in (run / "checkpoints").glob(".step-*")}


def killed(root: Path, name: str, draw: random.Random) -> int | bool:
    """Train until a random instant: whether it was in a save, or the exit code of a run that was done."""
    run = root / name
    left, before, process = unfinished(run), newest(run), training(root, name)
    kind, wait = draw.random(), draw.uniform(0.0, AHEAD)
    due = time.monotonic() + wait if kind < EARLY else None
    while due is None or time.monotonic() < due:
        with suppress(OSError):  # removed as we looked
            if due is None and newest(run) > before:
                due = time.monotonic() + wait
        if kind >= 1 - SAVING and due is not None and unfinished(run) - left:
            time.sleep(draw.uniform(0.0, WRITING))
            break
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.0002)
    done, status = os.waitpid(process, os.WNOHANG)
    if done:
        return os.waitstatus_to_exitcode(status)
    os.kill(process, signal.SIGKILL)
    ended(process)
    return bool(unfinished(run) - left)


def outcome(root: Path, times: int, seed: int) -> dict[str, int]:
    """Kill so often in all, in a new run whenever one is done; compare each with an undisturbed one."""
    warm()
    some_npz(root, 64, 12)
    draw = random.Random(seed)
    assert ended(training(root, "whole")) == 0, (root / "whole.log").read_text()
    expected = (root / "whole" / "model.safetensors").read_bytes()
    found = {"kills": 0, "in a save": 0, "runs": 0, "alike": 0}
    while found["kills"] < times or (root / "killed").exists():
        code = killed(root, "killed", draw) if found["kills"] < times else ended(training(root, "killed"))
        if isinstance(code, bool):
            found["kills"] += 1
            found["in a save"] += code
            continue
        assert code == 0, (root / "killed.log").read_text()
        found["runs"] += 1
        found["alike"] += (root / "killed" / "model.safetensors").read_bytes() == expected
        shutil.rmtree(root / "killed")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        found = outcome(Path(root), given.times, given.seed)
    print(json.dumps(found))
    assert found["runs"] == found["alike"]


if __name__ == "__main__":
    main()
