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
    "--batch",
    "16",
    "--checkpoint-seconds",
    "0",
]
OPTIONS += ["--epochs", "40", "--crop-least", "0.5", "--shift", "1"]  # 160 steps, and a save after each
AHEAD = 0.35  # seconds of training, at the most, before a kill; half of them a save, more or less


def training(root: Path, name: str) -> int:
    """A process that trains into the folder of this name."""
    words = ["pretrain", str(root / "some.npz"), "--out", str(root / name), *OPTIONS]
    return forked(words, root / f"{name}.log")


def newest(run: Path) -> float:
    """When a checkpoint was last finished."""
    found = [path.stat().st_mtime for path in (run / "checkpoints").glob("step-*") if path.exists()]
    return max(found, default=0.0)


def killed(root: Path, name: str, draw: random.Random) -> int | None:
    """Train until a random instant; the exit code where the run was done before it came."""
    run = root / name
    before, process = newest(run), training(root, name)
    wait = draw.uniform(0.0, AHEAD)
    early = draw.random() < 0.2  # while it opens the folder, before it has saved anything
    while not early:
        try:
            if newest(run) > before:
                break
        except OSError:
            continue  # removed as we looked
        done, status = os.waitpid(process, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.001)
    time.sleep(wait)
    done, status = os.waitpid(process, os.WNOHANG)
    if done:
        return os.waitstatus_to_exitcode(status)
    os.kill(process, signal.SIGKILL)
    ended(process)
    return None


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
        if code is None:
            found["kills"] += 1
            found["in a save"] += bool(list((root / "killed" / "checkpoints").glob(".step-*")))
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
