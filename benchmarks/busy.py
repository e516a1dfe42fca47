"""Measure wall time and CPU time of every verb, alone and beside a busy process, for one or two builds.

    python -m benchmarks.busy                     # this build
    python -m benchmarks.busy --before ../old     # also another checkout, in turns

Each turn is a new process on the built-in pictures, with its own warm cache. The table shows the medians of
the turns. Ratios are computed within a round.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.waits import BUSY

SIZE = ["--recipe", "demo", "--device", "cpu"]
VERBS: dict[str, list[str]] = {
    "inspect": ["demo"],
    "pretrain": ["demo", "--out", "{out}", "--epochs", "0.5", *SIZE],
    "finetune": ["demo", "--init-from", "{mae}", "--out", "{out}", "--epochs", "0.5", *SIZE],
    "probe": ["demo", "--init-from", "{mae}", "--labels", "100", "--no-finetune"],
    "predict": ["{classifier}", "demo", "--json"],
    "explain": ["{mae}", "demo", "--out", "{out}"],
    "convert": ["{classifier}", "{out}", "--to", "transformers"],
    "pack": ["demo", "{out}"],
}


def turn(build: Path, verb: str, root: Path, busy: int) -> tuple[float, float]:
    """Return wall and CPU seconds of one command."""
    shutil.rmtree(root / "out", ignore_errors=True)
    names = {"out": root / "out", "mae": root / "mae", "classifier": root / "classifier"}
    words = [verb, *(word.format(**names) for word in VERBS[verb])]
    others = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(busy)]
    try:
        began, used = time.perf_counter(), _used()
        run(build, words, root)
        return time.perf_counter() - began, _used() - used
    finally:
        for other in others:
            other.kill()
            other.wait()


def _used() -> float:
    """Return the CPU seconds of ended child processes; a killed busy process counts after its turn."""
    found = resource.getrusage(resource.RUSAGE_CHILDREN)
    return found.ru_utime + found.ru_stime


def run(build: Path, words: list[str], root: Path) -> None:
    """Run `kakera WORDS` of a checkout. Raises RuntimeError with its stderr if it fails."""
    env = {**os.environ, "PYTHONPATH": str(build / "src"), "KAKERA_CACHE": str(root / "cache")}
    env.pop("OMP_NUM_THREADS", None)
    command = [sys.executable, "-m", "kakera", *words]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"kakera {' '.join(words)}: {done.stderr}")


def prepared(build: Path, root: Path) -> None:
    """Train an autoencoder and a classifier for the other verbs."""
    run(build, ["pretrain", "demo", "--out", str(root / "mae"), "--epochs", "1", *SIZE], root)
    words = ["finetune", "demo", "--init-from", str(root / "mae"), "--out", str(root / "classifier")]
    run(build, [*words, "--epochs", "1", "--no-baselines", *SIZE], root)


def compare(builds: list[Path], rounds: int, verbs: list[str]) -> dict[str, dict[str, list[list[float]]]]:
    """Return the median wall and CPU seconds of each build for each verb, alone and beside a busy process."""
    found: dict[str, dict[str, list[list[float]]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        prepared(builds[-1], root)
        for verb in verbs:
            for busy, place in enumerate(("alone", "beside a busy process")):
                times: list[list[tuple[float, float]]] = [[] for _ in builds]
                for number in range(rounds):
                    for row in [*range(len(builds))][:: -1 if number % 2 else 1]:
                        times[row].append(turn(builds[row], verb, root, busy))
                medians = [[statistics.median(one) for one in zip(*each, strict=True)] for each in times]
                found.setdefault(verb, {})[place] = medians
                print(row_of(verb, place, medians), flush=True)
    return found


def row_of(verb: str, place: str, medians: list[list[float]]) -> str:
    """Return one line of the table."""
    each = "   ".join(f"{wall:6.1f} s {used:6.1f} s" for wall, used in medians)
    ratio = f"   {medians[0][0] / medians[-1][0]:.2f} x" if len(medians) > 1 else ""
    return f"{verb:10} {place:22} {each}{ratio}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, help="a checkout of another build, which runs first")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--verbs", nargs="+", choices=VERBS, default=list(VERBS))
    parser.add_argument("--json", default="")
    given = parser.parse_args()
    builds = [*([given.before.resolve()] if given.before else []), Path(__file__).resolve().parents[1]]
    print(f"{'':33} {'   '.join('    wall      CPU' for _ in builds)}")
    found = compare(builds, given.rounds, given.verbs)
    if given.json:
        Path(given.json).write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
