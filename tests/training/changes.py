"""Training stopped at random, something changed, the same command again: the same bits, or one line.

`python -m tests.training.changes --cases 200` does so often and prints what happened: `make changes`.
"""

import argparse
import json
import os
import random
import re
import shutil
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.small import folder
from tests.training.forks import ended, forked, warm

COUNT = 24  # pictures of each of two classes
WORDS = ["--recipe", "demo", "--device", "cpu", "--workers", "0", "--batch-size", "16", "--epochs", "12"]
WORDS += ["--checkpoint-seconds", "0", "--crop-min-scale", "0.5", "--shift", "1"]
FINETUNE = ["--min-steps", "1", "--no-baselines"]
STAGES = ("early", "training", "after the weights", "finished")
AFTER = 0.6  # seconds, at the most, between the weights and a kill: measures and the report are made then
TRAINING = 0.5  # and between the first checkpoint and a kill


@dataclass
class Place:
    """Where a case stands: a table of pictures and a run, which a change may move."""

    root: Path
    verb: str
    data: Path
    out: Path
    threads: int = 1

    def words(self) -> list[str]:
        """The command."""
        more = FINETUNE if self.verb == "finetune" else []
        return [self.verb, str(self.data), "--out", str(self.out), *WORDS, *more]

    def started(self) -> int:
        """The number of a process that runs it."""
        return forked(self.words(), self.root / "log", threads=self.threads)

    def said(self) -> str:
        """What the processes of this place said, since the last time it was asked."""
        log = self.root / "log"
        text = log.read_text() if log.exists() else ""
        log.write_text("")
        return text


def rows(place: Place) -> list[list[str]]:
    """The lines of the table: file, label, part."""
    return [line.split(",") for line in place.data.read_text().splitlines()[1:]]


def written(place: Place, lines: list[list[str]]) -> None:
    """The table with other lines."""
    place.data.write_text("\n".join(["file,label,split", *map(",".join, lines)]) + "\n")


def nothing(place: Place, draw: random.Random) -> str:
    return ""


def labels(place: Place, draw: random.Random) -> str:
    lines = rows(place)
    chosen = draw.sample(range(len(lines)), draw.randint(1, 3))
    for number in chosen:
        lines[number][1] = "boot" if lines[number][1] == "bag" else "bag"
    written(place, lines)
    return f"{len(chosen)} label" if place.verb == "finetune" else ""  # pretraining does not look at them


def swapped(place: Place, draw: random.Random) -> str:
    one, other = (place.data.parent / line[0] for line in draw.sample(rows(place), 2))
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)
    return "[12] files? with (another size|changed content)"


def gone(place: Place, draw: random.Random) -> str:
    lines = rows(place)
    for _ in range(2):
        del lines[draw.randrange(len(lines))]
    written(place, lines)
    return "2 files removed"


def renamed(place: Place, draw: random.Random) -> str:
    lines = rows(place)
    line = draw.choice(lines)
    before, line[0] = line[0], line[0].replace(".png", "-new.png")
    (place.data.parent / before).rename(place.data.parent / line[0])
    written(place, lines)
    return "1 file removed, 1 file added"


def another_part(place: Place, draw: random.Random) -> str:
    lines = rows(place)
    line = draw.choice([line for line in lines if line[2] == "train"])
    line[2] = "test"
    written(place, lines)
    return "1 file in another part"


def data_moved(place: Place, draw: random.Random) -> str:
    place.data.parent.rename(place.root / "elsewhere")
    place.data = place.root / "elsewhere" / place.data.name
    return ""


def data_linked(place: Place, draw: random.Random) -> str:
    (place.root / "mount").symlink_to(place.data.parent)
    place.data = place.root / "mount" / ".." / place.data.parent.name / place.data.name
    return ""


def run_moved(place: Place, draw: random.Random) -> str:
    if place.out.exists():
        place.out.rename(place.root / "moved")
        place.out = place.root / "moved"
    return ""


def two_threads(place: Place, draw: random.Random) -> str:
    place.threads = 2
    return ""


CHANGES: list[Callable[[Place, random.Random], str]] = [
    *(nothing, labels, swapped, gone, renamed, another_part, data_moved, data_linked, run_moved, two_threads)
]


def removed(place: Place, draw: random.Random) -> None:
    """The folder is deleted, or another put in its place, while it trains: one line, or done before."""
    process = place.started()
    while not list(place.out.glob("checkpoints/step-*")) and not os.waitid(
        os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT
    ):
        time.sleep(0.001)
    time.sleep(draw.uniform(0, TRAINING / 2))
    finished = (place.out / "model.safetensors").exists()
    place.out.rename(place.root / "taken")
    if draw.random() < 0.5:
        place.out.mkdir()
        (place.out / "config.json").write_text('{"seed": 99}')
    code, said = ended(process), place.said()
    if finished:
        return
    assert code == 2, (code, said)
    require_one_line(said, "deleted or moved|in its place|another configuration|became of the folder")
    left = {path.name for path in place.out.glob("*")} if place.out.exists() else set()
    assert left <= {"config.json"}, left


def require_one_line(said: str, words: str) -> None:
    """One line of kakera, with one of these words, and no traceback."""
    lines = [line for line in said.splitlines() if line.startswith("kakera: ")]
    assert len(lines) == 1, said
    assert re.search(words, lines[0]), (words, lines)
    assert "Traceback" not in said, said


def stopped(place: Place, stage: str, draw: random.Random) -> None:
    """Train until a random instant of the stage, and kill."""
    process = place.started()
    if stage != "finished":
        sight = {"training": "checkpoints/step-*", "after the weights": "model.safetensors"}.get(stage)
        wait = draw.uniform(0, AFTER if stage == "after the weights" else TRAINING)
        while sight and not list(place.out.glob(sight)):
            if os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                break
            time.sleep(0.0005)
        time.sleep(wait)
        os.kill(process, signal.SIGKILL)
    code, said = ended(process), place.said()
    assert code in ((0,) if stage == "finished" else (0, -signal.SIGKILL)), said


def case(root: Path, draw: random.Random, expected: dict[str, bytes]) -> str:
    """One case; in words, what was stopped where, what changed, and what came of it."""
    verb = draw.choice(("pretrain", "finetune"))
    place = Place(root, verb, root / "data" / "d.csv", root / "run")
    shutil.copytree(root.parent / "data", root / "data")
    if draw.random() < 1 / (1 + len(CHANGES)):
        removed(place, draw)
        return f"{verb}, folder removed: told"
    stage, change = draw.choice(STAGES), draw.choice(CHANGES)
    stopped(place, stage, draw)
    begun = (place.out / "config.json").exists()
    checkpoint = bool(list(place.out.glob("checkpoints/step-*")))
    weights = (place.out / "model.safetensors").exists()
    words = change(place, draw)
    code, said = ended(place.started()), place.said()
    what = f"{verb}, {stage}, {change.__name__}: "
    if words and begun:
        assert code == 2, (what, code, said)
        require_one_line(said, words)
        return what + "refused"
    assert code == 0, (what, code, said)
    assert (place.out / "report.html").exists(), what
    assert verb == "pretrain" or (place.out / "evaluation.json").exists(), what
    if words or change is two_threads:
        told = "threads 1 and resumes with threads 2" in said.replace(",", "")
        assert told == (change is two_threads and checkpoint and not weights), (what, said)
        return what + ("told" if told else "as it was" if weights else "begun anew")
    assert (place.out / "model.safetensors").read_bytes() == expected[verb], what
    return what + "bit for bit"


def outcome(cases: int, seed: int, root: Path) -> dict[str, int]:
    """How often each thing happened in so many cases; raises AssertionError at the first that is wrong."""
    warm()
    folder(root / "data", count=COUNT)
    names = [f"{name}/{number}.png" for name in ("bag", "boot") for number in range(COUNT)]
    lines = [
        [name, name.split("/")[0], "test" if row % 4 == 3 else "train"] for row, name in enumerate(names)
    ]
    written(Place(root, "", root / "data" / "d.csv", root), lines)
    expected: dict[str, bytes] = {}
    for verb in ("pretrain", "finetune"):
        place = Place(root, verb, root / "data" / "d.csv", root / f"whole-{verb}")
        assert ended(place.started()) == 0, place.said()
        expected[verb] = (place.out / "model.safetensors").read_bytes()
    found: dict[str, int] = {}
    for number in range(cases):
        here = root / f"case-{number}"
        here.mkdir()
        try:
            what = case(here, random.Random(f"{seed} {number}"), expected)
        except AssertionError as error:
            raise AssertionError(f"case {number} of seed {seed}: {error}") from error
        found[what] = found.get(what, 0) + 1
        shutil.rmtree(here)
    return dict(sorted(found.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        print(json.dumps(outcome(given.cases, given.seed, Path(root)), indent=1))


if __name__ == "__main__":
    main()
