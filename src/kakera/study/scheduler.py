"""The scheduler of a study: it takes the next free work unit and does it, until all units are finished."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kakera
from kakera import duration
from kakera.errors import RunError
from kakera.storage import write_atomically
from kakera.study.leases import Leases
from kakera.study.plan import PLAN, RESULT, Results, Study, StudyPlan, WorkUnit, make_plan, read_plan
from kakera.training.configuration import CONFIG, VERSION, require_same

CLAIMS, UNITS = "claims", "units"
PAUSE = 1.0  # seconds between two checks for a free unit


@dataclass(frozen=True)
class StudyResult:
    """A finished study: its folder, its plan, and the result of each unit. See `run_study`."""

    folder: Path
    plan: StudyPlan
    results: Results
    spent: dict[str, float]
    """Seconds of work on each unit, including interrupted attempts."""


def run_study(study: Study, folder: Path, revise: Callable[[dict[str, Any]], Study]) -> StudyResult:
    """Do all unfinished units of a study. Several processes may work in the same `folder`.

    `revise` returns the study for the options of a plan, which a budget may have changed.

    Raises RunError if the folder contains something else or a study with other options, and the errors of
    the units.
    """
    claims = Leases(folder / CLAIMS)
    plan = _planned(study, folder, claims)
    study = revise(plan.chosen)
    for line in plan.lines():
        print_line(line)
    while left := [unit for unit in plan.units if not _done(folder, unit)]:
        if not _step(study, folder, claims, plan, left):
            time.sleep(PAUSE)
    results = {unit.name: _result(folder, unit.name) for unit in plan.units}
    return StudyResult(folder, plan, results, {unit.name: claims.spent(unit.name) for unit in plan.units})


def _planned(study: Study, folder: Path, claims: Leases) -> StudyPlan:
    """Return the plan of the folder; the first process makes it."""
    if folder.exists() and not (folder / CLAIMS).is_dir() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunError(
            str(folder),
            got="a file, or a folder without a study",
            expected="a new folder, or one of this study",
            do="choose another --out",
        )
    while True:
        if (folder / PLAN).exists():
            require_same(folder / CONFIG, study.config())
            return read_plan(folder)
        claim = claims.take("plan")
        if claim is None:
            time.sleep(PAUSE)
            continue
        with claim:
            if not (folder / PLAN).exists():
                plan = make_plan(study, print_line)[1]
                config = json.dumps({VERSION: kakera.__version__, **study.config()}, indent=2).encode()
                write_atomically(folder / CONFIG, config + b"\n")
                plan.write(folder)


def _step(study: Study, folder: Path, claims: Leases, plan: StudyPlan, left: list[WorkUnit]) -> bool:
    """Do the first unit that is free and ready; return False if there is none."""
    waiting = {unit.name for unit in left}
    for unit in left:
        if waiting.intersection(unit.needs):
            continue
        claim = claims.take(unit.name)
        if claim is None:
            continue
        with claim:
            if not _done(folder, unit):  # another process may have finished it just before this lease
                number = len(plan.units) - len(left) + 1
                print_line(
                    f"{number} of {len(plan.units)}: {unit.name} (about {duration.words(unit.seconds)})"
                )
                _do(study, folder, unit)
        return True
    return False


def _do(study: Study, folder: Path, unit: WorkUnit) -> None:
    needed = {name: _result(folder, name) for name in unit.needs}
    place = folder / UNITS / unit.name
    result = study.work(unit, place, needed, folder / UNITS)
    write_atomically(place / RESULT, json.dumps(result, indent=1).encode() + b"\n")


def _done(folder: Path, unit: WorkUnit) -> bool:
    return (folder / UNITS / unit.name / RESULT).exists()


def _result(folder: Path, name: str) -> dict[str, Any]:
    path = folder / UNITS / name / RESULT
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise RunError(
            str(path), got=error, expected="the result of a unit", do="delete its folder to repeat the unit"
        ) from error


def print_line(text: str) -> None:
    """Print a progress line to stderr."""
    print(f"study: {text}", file=sys.stderr, flush=True)
