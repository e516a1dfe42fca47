"""Compare settings for waiting OpenMP threads: training steps alone, and beside a busy process.

    python benchmarks/waits.py
    python benchmarks/waits.py --rounds 5 --seconds 8 --json found.json

Each turn is a new process with a setting in its environment. It trains an autoencoder for some seconds,
alone or beside one busy process. The settings take turns. Ratios to the first setting are computed within a
round, and the output shows their median.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

import torch

BY_LOAD = "kakera, by load"
SETTINGS: dict[str, dict[str, str]] = {
    "as OpenMP waits": {},
    BY_LOAD: {},
    "passive": {"OMP_WAIT_POLICY": "passive"},
    "spin 1 000": {"GOMP_SPINCOUNT": "1000"},
    "spin 10 000": {"GOMP_SPINCOUNT": "10000"},
    "spin 100 000": {"GOMP_SPINCOUNT": "100000"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}
NAMES = {name for setting in SETTINGS.values() for name in setting}
SIDES = {"micro, 28 px": ("micro", 28, 4, 64), "micro, 96 px": ("micro", 96, 8, 64)}
WARM = 1.5  # seconds
BUSY = "while True: pass"


def steps(work: str, seconds: float) -> float:
    """Return pictures per second of training steps on one batch."""
    from benchmarks.epochs import learn, network

    from kakera.data.batch import Batch

    size, image, patch, count = SIDES[work]
    task, optimizer = network(3, image, patch, size)
    pictures = torch.randint(0, 256, (count, 3, image, image), dtype=torch.uint8)
    batch = Batch(pictures, None, torch.arange(count), 0, 0)
    began = time.perf_counter()
    while time.perf_counter() - began < WARM:  # kakera checks the load of the cores twice in this time
        learn(task, optimizer, [batch])
    done, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        done += learn(task, optimizer, [batch])
    return done / (time.perf_counter() - began)


def measured(
    work: str, setting: Mapping[str, str], busy: int, seconds: float, *, by_load: bool = False
) -> float:
    """Return pictures per second in a new process, beside `busy` processes that compute without end."""
    env = {name: value for name, value in os.environ.items() if name not in NAMES}
    env |= {"OMP_NUM_THREADS": str(len(os.sched_getaffinity(0))), **setting}
    others = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(busy)]
    try:
        command = [sys.executable, __file__, "--one", work, "--seconds", str(seconds)]
        command += ["--by-load"] * by_load
        return float(subprocess.check_output(command, env=env, text=True))
    finally:
        for other in others:
            other.kill()
            other.wait()


def compare(
    rounds: int,
    seconds: float,
    works: Sequence[str] = tuple(SIDES),
    settings: Sequence[str] = tuple(SETTINGS),
) -> dict[str, dict[str, dict[str, float]]]:
    """Return pictures per second and the ratio to the first setting, for each work, alone and busy."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for work in works:
        for busy, place in enumerate(("alone", "beside a busy process")):
            rates: dict[str, list[float]] = {name: [] for name in settings}
            for turn in range(rounds):
                for name in settings[:: -1 if turn % 2 else 1]:
                    rates[name].append(measured(work, SETTINGS[name], busy, seconds, by_load=name == BY_LOAD))
            first = rates[settings[0]]
            for name, each in rates.items():
                ratio = statistics.median(one / other for one, other in zip(each, first, strict=True))
                row = {"pictures/s": statistics.median(each), "ratio": ratio}
                found.setdefault(f"{work}, {place}", {})[name] = row
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--one", choices=SIDES, help="measure in this process (used by each turn)")
    parser.add_argument("--by-load", action="store_true", help="with --one: wait as kakera does")
    parser.add_argument("--json", default="")
    parser.add_argument("--work", choices=SIDES, nargs="+", default=list(SIDES))
    parser.add_argument("--settings", choices=SETTINGS, nargs="+", default=list(SETTINGS))
    given = parser.parse_args()
    if given.one:
        from kakera.contention import waits_by_load

        with waits_by_load() if given.by_load else nullcontext():
            print(steps(given.one, given.seconds))
        return
    found = compare(given.rounds, given.seconds, given.work, given.settings)
    for place, rows in found.items():
        print(place)
        for name, row in rows.items():
            print(f"  {name:16} {row['pictures/s']:8.1f} pictures/s  {row['ratio']:.2f} x")
    if given.json:
        Path(given.json).write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    main()
