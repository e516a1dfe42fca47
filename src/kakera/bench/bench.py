"""`kakera bench`: cases, run one after another, into one table and one JSON file."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kakera.bench import machine
from kakera.bench.cases import CASES, Case, case_of
from kakera.bench.contest import OURS, contest
from kakera.errors import OptionError, sentence
from kakera.storage import write_atomically


@dataclass(frozen=True)
class Benchmark:
    """What was measured: the machine, its limit in operations a second, and each case."""

    machine: dict[str, Any]
    limit: float
    cases: dict[str, dict[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """As it is written."""
        return {"machine": self.machine, "flops_per_second": round(self.limit), "cases": self.cases}

    def lines(self) -> list[str]:
        """A table to read."""
        here = self.machine
        found = [
            f"{here['processor']}, {here['threads']} threads, torch {here['torch']}, {here['day']}",
            f"limit: {self.limit / 1e9:.0f} GFLOP/s of matrix products",
        ]
        for name, case in self.cases.items():
            found.append(f"{name}: {case['says']}, batch {case['items']}, {case['rounds']} rounds")
            for who, rate in case["rates"].items():
                middle = case["ratios"].get(who)
                text = (
                    ""
                    if middle is None
                    else f"   kakera is {middle[0]:.2f} x ({middle[1]:.2f} to {middle[2]:.2f})"
                )
                share = f"   {case['share_of_limit']:.0%} of the limit" if who == OURS else ""
                found.append(f"  {who:22} {rate:9.2f} pictures/s{text}{share}")
        return found


def bench(
    names: Sequence[str] = (),
    *,
    rounds: int = 5,
    out: str | Path = "",
    cases: dict[str, Case] | None = None,
    say: Callable[[str], None] = print,
) -> Benchmark:
    """Run the named cases, or all, against what is installed; a JSON file where `out` names one.

    Raises OptionError for an unknown case or no rounds, StorageError where `out` cannot be written.
    """
    if rounds < 1:
        raise OptionError(sentence("rounds", got=rounds, expected="at least 1", do="ask for more"))
    known = CASES if cases is None else cases
    chosen = {name: known[name] if cases else case_of(name) for name in names or known}
    found = Benchmark(machine.describe(), machine.matrix_rate(), {})
    for name, case in chosen.items():
        say(f"bench: {name}")
        work = case.build(case.shape, case.side, case.batch)
        outcome = contest(work.contenders, items=work.pictures, rounds=rounds)
        reached = outcome.rate(OURS) * work.flops
        found.cases[name] = {
            "says": case.says,
            "flops_per_picture": work.flops,
            "share_of_limit": round(reached / found.limit, 4),
            **outcome.to_json(),
            "seconds": {who: [round(one, 5) for one in values] for who, values in outcome.seconds.items()},
        }
    if out:
        write_atomically(Path(out), json.dumps(found.to_json(), indent=1).encode() + b"\n")
    return found
