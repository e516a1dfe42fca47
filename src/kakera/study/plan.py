"""The plan of a study: its work units in order, their estimated times, and what a budget left out."""

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
BUSY = 0.75  # share of busy cores from which the plan warns that estimates are too long
Results = Mapping[str, dict[str, Any]]


@dataclass(frozen=True)
class WorkUnit:
    """A work unit of a study, done once in a folder with its name. A `result.json` marks it as finished.

    `values` are the settings of the work; `needs` are the units that must be finished before.

    Example:

        >>> unit = WorkUnit("probe-0", "probe", {"seed": 0}, needs=("pretrain-0",), seconds=60.0)
        >>> unit.needs
        ('pretrain-0',)
    """

    name: str
    kind: str
    values: dict[str, Any]
    needs: tuple[str, ...] = ()
    seconds: float = 0.0
    """Estimated seconds."""


class Study(Protocol):
    """The interface of a study for `run_study`."""

    @property
    def options(self) -> StudyOptions:
        """The options of the study."""
        ...

    def config(self) -> dict[str, Any]:
        """Return the settings that must be equal when a study folder is resumed."""
        ...

    def units(self) -> list[WorkUnit]:
        """Return all work units, without times."""
        ...

    def measure(self) -> dict[str, float]:
        """Measure the seconds of the parts of the work, with a few real steps of each kind."""
        ...

    def seconds(self, unit: WorkUnit, costs: Mapping[str, float]) -> float:
        """Return the estimated seconds of a unit."""
        ...

    def smaller(self) -> tuple[Study, str] | None:
        """Return the next smaller study and what it leaves out; None for the smallest."""
        ...

    def work(self, unit: WorkUnit, folder: Path, results: Results, units: Path) -> dict[str, Any]:
        """Do the work of a unit in its folder, and return its result as plain values for JSON."""
        ...

    def notes(self) -> list[str]:
        """Return notes on the options, such as equal mask ratios or sizes that are too small."""
        ...


@dataclass(frozen=True)
class StudyPlan:
    """The plan of a study: units in order, the final options `chosen`, and what the budget left out.

    Example:

        >>> units = (WorkUnit("a", "probe", {}, seconds=60.0), WorkUnit("b", "probe", {}, seconds=60.0))
        >>> plan = StudyPlan(units)
        >>> plan.seconds
        120.0
        >>> plan.lines()
        ['probe: 2 x 60 s, 2 min', 'total: about 2 min for one process']
    """

    units: tuple[WorkUnit, ...]
    chosen: dict[str, Any] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """Estimated seconds of all units for one process."""
        return sum(unit.seconds for unit in self.units)

    def table(self) -> list[tuple[str, ...]]:
        """Return rows of text, the header first: the number of units of each kind, and their times."""
        rows = [("work", "units", "each", "all")]
        for kind in dict.fromkeys(unit.kind for unit in self.units):
            spans = [unit.seconds for unit in self.units if unit.kind == kind]
            low, high = duration.words(min(spans)), duration.words(max(spans))
            each = low if low == high else f"{low} to {high}"
            rows.append((kind, str(len(spans)), each, duration.words(sum(spans))))
        return [*rows, ("total", str(len(self.units)), "", duration.words(self.seconds))]

    def lines(self) -> list[str]:
        """Return the table and the remarks as lines of text."""
        table = [f"{kind}: {count} x {each}, {total}" for kind, count, each, total in self.table()[1:-1]]
        return [*table, f"total: about {duration.words(self.seconds)} for one process", *self.remarks()]

    def remarks(self) -> list[str]:
        """Return the notes on the options, and what the budget left out."""
        return [*self.notes, *(f"left out to stay within the budget: {text}" for text in self.dropped)]

    def write(self, folder: Path) -> None:
        """Write `plan.json` into `folder`, atomically."""
        write_atomically(folder / PLAN, json.dumps(asdict(self), indent=1).encode() + b"\n")


def make_plan(study: Study, say: Callable[[str], None]) -> tuple[Study, StudyPlan]:
    """Measure the costs, make the study smaller until it fits its budget, and return the study and its plan.

    `say` receives progress lines. Raises OptionError if even the smallest plan does not fit.
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
                do="set a larger budget, or reduce the options",
            )
        study, text = less
        dropped.append(text)


def read_plan(folder: Path) -> StudyPlan:
    """Read the plan of a study folder. Raises RunError if it is missing or invalid.

    Example:

        >>> StudyPlan((WorkUnit("a", "probe", {}),), chosen={"seeds": 3}).write(Path())
        >>> read_plan(Path()).units[0].name
        'a'
    """
    path = folder / PLAN
    try:
        values = json.loads(path.read_text())
        units = [WorkUnit(**unit) for unit in values["units"]]
        units = tuple(replace(unit, needs=tuple(unit.needs)) for unit in units)
        return StudyPlan(units, current(values["chosen"]), tuple(values["dropped"]), tuple(values["notes"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(str(path), got=error, expected="a plan", do="choose another --out") from error


def _busy() -> list[str]:
    """Return a remark if other programs slow down the measurement, else nothing."""
    load, cores = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0, usable_cores()
    if load < BUSY * cores:
        return []
    return [f"measured at a load of {load:.1f} on {cores} cores; the study is faster on an idle machine"]


def _timed(study: Study, costs: Mapping[str, float], dropped: list[str], busy: list[str]) -> StudyPlan:
    units = tuple(replace(unit, seconds=round(study.seconds(unit, costs), 2)) for unit in study.units())
    return StudyPlan(units, asdict(study.options), tuple(dropped), (*study.notes(), *busy))
