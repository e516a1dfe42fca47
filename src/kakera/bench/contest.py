"""Measurements of several programs that do the same work in turns. Ratios within a round are reliable."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

OURS = "kakera"


@dataclass(frozen=True)
class Contender:
    """A program with a name, ready to run.

    Example:

        >>> Contender("kakera", lambda: sum(range(10))).work()
        45
    """

    name: str
    work: Callable[[], object]
    """A function that does the work once."""


@dataclass(frozen=True)
class ResultUnit:
    """The unit of results: items per second (`rate`), or the measured value times `scale`.

    Example:

        >>> ResultUnit("ms", rate=False, scale=1000).name
        'ms'
    """

    name: str
    rate: bool = True
    scale: float = 1.0


PICTURES = ResultUnit("pictures/s")


@dataclass(frozen=True)
class Work:
    """The work of a case: its contenders, and the number of items of one run.

    Example:

        >>> Work([Contender("kakera", lambda: None)], items=16).unit.name
        'pictures/s'
    """

    contenders: list[Contender]
    items: int
    unit: ResultUnit = PICTURES
    flops: int = 0
    """FLOPs that kakera needs for one item; 0 if matrix products do not limit the speed."""
    not_installed: tuple[str, ...] = ()
    """Other libraries that could take part but are not installed."""
    warm: bool = True
    """True if each contender runs once before the measurement; False for memory of new processes."""
    details: Mapping[str, Any] | None = None
    """Further results, such as the difference between the outputs of the contenders."""


def wall_clock(work: Callable[[], object]) -> float:
    """Run `work` and return its wall-clock time in seconds.

    Example:

        >>> wall_clock(lambda: None) < 0.1
        True
    """
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def one_core(work: Callable[[], object]) -> float:
    """Run `work` with one torch thread and return its CPU time in seconds, without that of other programs.

    Example:

        >>> one_core(lambda: None) < 0.1
        True
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        began = time.process_time()
        work()
        return time.process_time() - began
    finally:
        torch.set_num_threads(threads)


def returned_value(work: Callable[[], Any]) -> float:
    """Run `work` and return its result as the measured value, such as a number of bytes.

    Example:

        >>> returned_value(lambda: 1024)
        1024.0
    """
    return float(work())


@dataclass(frozen=True)
class Outcome:
    """The measured values of each contender in each round; smaller is better.

    Example:

        >>> outcome = Outcome({"kakera": (1.0, 1.0), "timm": (2.0, 3.0)}, items=10)
        >>> outcome.result("kakera"), outcome.ratios("kakera", "timm")
        (10.0, [2.0, 3.0])
    """

    measured: Mapping[str, tuple[float, ...]]
    items: int
    """Number of pictures, clips or files of one run."""
    unit: ResultUnit = PICTURES

    def result(self, name: str) -> float:
        """Return the median over the rounds, in the unit."""
        middle = statistics.median(self.measured[name])
        return self.items / middle if self.unit.rate else middle * self.unit.scale

    def ratios(self, name: str, to: str) -> list[float]:
        """Return how many times faster (or smaller) `name` is than `to` in each round, in ascending order."""
        pairs = zip(self.measured[to], self.measured[name], strict=True)
        return sorted(theirs / ours for theirs, ours in pairs)

    def to_json(self) -> dict[str, Any]:
        """Return results and ratios for JSON.

        The ratios compare each contender of kakera with all others: median, smallest and largest round.
        """
        found: dict[str, Any] = {
            "unit": self.unit.name,
            "items": self.items,
            "rounds": len(next(iter(self.measured.values()))),
            "results": {name: round(self.result(name), 4) for name in self.measured},
        }
        found["ratios"] = {
            ours: {
                name: [round(value, 3) for value in (statistics.median(ratios), ratios[0], ratios[-1])]
                for name in self.measured
                if name != ours and (ratios := self.ratios(ours, name))
            }
            for ours in self.measured
            if ours.startswith(OURS)
        }
        found["measured"] = {
            name: [round(value, 6) for value in values] for name, values in self.measured.items()
        }
        return found


def contest(
    contenders: list[Contender],
    *,
    items: int,
    rounds: int,
    unit: ResultUnit = PICTURES,
    warm: bool = True,
    measure: Callable[[Callable[[], Any]], float] = wall_clock,
) -> Outcome:
    """Measure all contenders in turns, `rounds` times.

    If `warm`, each contender first runs once without measurement. Every second round has the reverse order,
    so that no contender always follows the same other one.

    Example:

        >>> contest([Contender("kakera", lambda: 2.0)], items=1, rounds=3, measure=returned_value).measured
        {'kakera': (2.0, 2.0, 2.0)}
    """
    for contender in contenders if warm else ():
        contender.work()
    measured: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    for number in range(rounds):
        for contender in contenders if number % 2 == 0 else contenders[::-1]:
            measured[contender.name].append(measure(contender.work))
    return Outcome({name: tuple(values) for name, values in measured.items()}, items, unit)
