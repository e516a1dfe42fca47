"""What a study will do: its units in order, what each should take, and what a budget made it leave out."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from kakera import duration
from kakera.errors import OptionError, RunError
from kakera.machine import usable_cores
from kakera.storage import write_atomically
from kakera.study.study_options import StudyOptions
from kakera.training.configuration import current

PLAN, RESULT = "plan.json", "result.json"
BUSY = 0.75  # of the cores at work before measuring began
Results = Mapping[str, dict[str, Any]]


@dataclass(frozen=True)
class WorkUnit:
    """A piece of work that is done once: a folder of this name, marked as finished by its `result.json`.

    `values` say what to do; `needs` are the units that must be finished before.
    """

    name: str
    kind: str
    values: dict[str, Any]
    needs: tuple[str, ...] = ()
    seconds: float = 0.0
    """What it should take."""


class Study(Protocol):
    """What the driver asks of a study."""

    @property
    def options(self) -> StudyOptions:
        """What is asked for."""
        ...

    def config(self) -> dict[str, Any]:
        """What must be the same for a folder to be gone on with."""
        ...

    def units(self) -> list[WorkUnit]:
        """All work, without times."""
        ...

    def measure(self) -> dict[str, float]:
        """Seconds of what work is made of, from a few real steps of each kind."""
        ...

    def seconds(self, unit: WorkUnit, costs: Mapping[str, float]) -> float:
        """What a unit should take."""
        ...

    def smaller(self) -> tuple[Study, str] | None:
        """The next smaller study and what it leaves out; None for the smallest."""
        ...

    def work(self, unit: WorkUnit, folder: Path, results: Results, units: Path) -> dict[str, Any]:
        """Do a unit in its folder; its result, of plain values."""
        ...

    def notes(self) -> list[str]:
        """What was made of the options: shares that are one, sizes that are too small."""
        ...


@dataclass(frozen=True)
class StudyPlan:
    """Units in order; `dropped` says what the budget left out, `chosen` what became of the options."""

    units: tuple[WorkUnit, ...]
    chosen: dict[str, Any] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """What one process should take for all of it."""
        return sum(unit.seconds for unit in self.units)

    def table(self) -> list[tuple[str, ...]]:
        """Rows of text, the header first: how many units of each kind, and their times."""
        rows = [("work", "units", "each", "all")]
        for kind in dict.fromkeys(unit.kind for unit in self.units):
            spans = [unit.seconds for unit in self.units if unit.kind == kind]
            low, high = duration.words(min(spans)), duration.words(max(spans))
            each = low if low == high else f"{low} to {high}"
            rows.append((kind, str(len(spans)), each, duration.words(sum(spans))))
        return [*rows, ("total", str(len(self.units)), "", duration.words(self.seconds))]

    def lines(self) -> list[str]:
        """The table and the remarks, as text."""
        table = [f"{kind}: {count} x {each}, {total}" for kind, count, each, total in self.table()[1:-1]]
        return [*table, f"total: about {duration.words(self.seconds)} for one process", *self.remarks()]

    def remarks(self) -> list[str]:
        """What was made of the options, and what was left out."""
        return [*self.notes, *(f"left out to keep the budget: {text}" for text in self.dropped)]

    def write(self, folder: Path) -> None:
        """`plan.json`, atomically."""
        write_atomically(folder / PLAN, json.dumps(asdict(self), indent=1).encode() + b"\n")


def draw_up(study: Study, say: Callable[[str], None]) -> tuple[Study, StudyPlan]:
    """Measure, then make the study smaller until it fits its budget.

    Raises OptionError where even the smallest does not fit.
    """
    budget = duration.seconds(study.options.budget) if study.options.budget else float("inf")
    say("measuring a few steps of each kind of work")
    busy, costs = _busy(), study.measure()
    dropped: list[str] = []
    while True:
        plan = _timed(study, costs, dropped, busy)
        if plan.seconds <= budget:
            return study, plan
        less = study.smaller()
        if less is None:
            raise OptionError(
                "budget",
                got=study.options.budget,
                expected=f"at least {duration.words(plan.seconds)}, for the smallest plan",
                do="give more time, or choose less work",
            )
        study, text = less
        dropped.append(text)


def read_plan(folder: Path) -> StudyPlan:
    """The plan that a folder was begun with. Raises RunError."""
    path = folder / PLAN
    try:
        values = json.loads(path.read_text())
        units = [WorkUnit(**unit) for unit in values["units"]]
        units = tuple(replace(unit, needs=tuple(unit.needs)) for unit in units)
        return StudyPlan(units, current(values["chosen"]), tuple(values["dropped"]), tuple(values["notes"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(str(path), got=error, expected="a plan", do="choose another --out") from error


def _busy() -> list[str]:
    """A remark where others keep the machine from showing how fast it is."""
    load, cores = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0, usable_cores()
    if load < BUSY * cores:
        return []
    return [f"measured with a load of {load:.1f} on {cores} cores: faster once others have finished"]


def _timed(study: Study, costs: Mapping[str, float], dropped: list[str], busy: list[str]) -> StudyPlan:
    units = tuple(replace(unit, seconds=round(study.seconds(unit, costs), 2)) for unit in study.units())
    return StudyPlan(units, asdict(study.options), tuple(dropped), (*study.notes(), *busy))
