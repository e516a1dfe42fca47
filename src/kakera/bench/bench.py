"""`kakera bench`: run cases one after another and report them as a table and a JSON file."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kakera.bench import machine
from kakera.bench.cases import CASES, ON_GPU, Case, case_of
from kakera.bench.contest import OURS, contest
from kakera.errors import OptionError
from kakera.storage import write_atomically
from kakera.training.device import device_of


@dataclass(frozen=True)
class Benchmark:
    """The results of `bench`: the machine, its limit in operations per second, and each case. See `bench`."""

    machine: dict[str, Any]
    limit: float
    cases: dict[str, dict[str, Any]]
    quick: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the content of the JSON file."""
        return {
            "machine": self.machine,
            "flops_per_second": round(self.limit),
            "quick": self.quick,
            "cases": self.cases,
        }

    def lines(self) -> list[str]:
        """Return the results as lines of text."""
        here = self.machine
        found = [
            f"{here.get('gpu', here['processor'])}, {here['threads']} threads, torch {here['torch']}, "
            f"{here['day']}",
            f"limit: {self.limit / 1e9:.0f} GFLOP/s for matrix products",
        ]
        if self.quick:
            found.append("note: --quick uses the smallest sizes, not those in the titles; ignore the speed")
        for name, case in self.cases.items():
            found.append(f"{name}: {case['says']}, {case['rounds']} rounds")
            for who, result in case["results"].items():
                ratio = case["ratios"].get(OURS, {}).get(who)
                text = (
                    "" if ratio is None else f"   kakera: {ratio[0]:.2f} x ({ratio[1]:.2f} to {ratio[2]:.2f})"
                )
                share = (
                    f"   {case['share_of_limit']:.0%} of the limit"
                    if who == OURS and "share_of_limit" in case
                    else ""
                )
                found.append(f"  {who:24} {result:9.2f} {case['unit']}{text}{share}")
            if case["absent"]:
                found.append(f"  not installed: {', '.join(case['absent'])}")
        return found


def bench(
    names: Sequence[str] = (),
    *,
    rounds: int = 5,
    quick: bool = False,
    device: str = "cpu",
    out: str | Path = "",
    say: Callable[[str], None] = print,
) -> Benchmark:
    """Run the cases in `names`, or all cases, with kakera and the installed other libraries.

    `rounds` is the number of measurements of each contender. `quick` uses the smallest sizes, to test that
    all cases run. `device` is cpu or cuda, which has its own cases. `out` is a JSON file, written after each
    case; empty writes none. `say` receives progress lines.

    Raises OptionError for an unknown case or less than one round, RunError if the device is not available,
    and StorageError if `out` cannot be written.
    """
    if rounds < 1:
        raise OptionError("rounds", got=rounds, expected="at least 1", do="choose a larger number")
    table = CASES if device_of(device).type == "cpu" else ON_GPU
    chosen = {name: case_of(name, table) for name in names or table}
    limit = machine.matrix_rate() if table is CASES else machine.gpu_rate()
    found = Benchmark(machine.describe(device), limit, {}, quick)
    for name, case in chosen.items():
        say(f"bench: {name}")
        with tempfile.TemporaryDirectory() as place:
            found.cases[name] = _run(case, Path(place), found.limit, rounds, quick=quick)
        if out:
            write_atomically(Path(out), json.dumps(found.to_json(), indent=1).encode() + b"\n")
    return found


def _run(case: Case, place: Path, limit: float, rounds: int, *, quick: bool) -> dict[str, Any]:
    sizes = case.quick if quick else case.sizes
    work = case.build(place, **sizes)
    outcome = contest(
        work.contenders,
        items=work.items,
        rounds=min(rounds, case.rounds or rounds),
        unit=work.unit,
        warm=work.warm,
        measure=case.measure,
    )
    found: dict[str, Any] = {"says": case.title, "sizes": dict(sizes), "absent": list(work.not_installed)}
    if work.flops:
        found["flops_of_one"] = work.flops
        found["share_of_limit"] = round(outcome.result(OURS) * work.flops / limit, 4)
    return {**found, **outcome.to_json(), **(work.details or {})}
