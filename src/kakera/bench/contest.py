"""Several programs that do the same work, measured in turns: trust ratios within a round."""

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
    """A program, ready to run."""

    name: str
    work: Callable[[], object]
    """Does the work once, to its end."""


@dataclass(frozen=True)
class ResultUnit:
    """What results are told in: items a second, or what was measured itself, `scale` times."""

    name: str
    rate: bool = True
    scale: float = 1.0


PICTURES = ResultUnit("pictures/s")


@dataclass(frozen=True)
class Work:
    """Contenders, and how many items each works on at a time."""

    contenders: list[Contender]
    items: int
    unit: ResultUnit = PICTURES
    flops: int = 0
    """Operations that ours needs for one item; 0 where matrix products are not what limits it."""
    not_installed: tuple[str, ...] = ()
    """Other libraries that would take part if they were installed."""
    warm: bool = True
    """Whether a first turn changes the next ones: not where each is a process whose bytes count."""
    details: Mapping[str, Any] | None = None
    """What else belongs to the result, such as how far the contenders' answers lie apart."""


def wall_clock(work: Callable[[], object]) -> float:
    """Seconds, as on the wall."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def one_core(work: Callable[[], object]) -> float:
    """Seconds of the processor, with one thread of torch: what other programs take is not counted."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        began = time.process_time()
        work()
        return time.process_time() - began
    finally:
        torch.set_num_threads(threads)


def returned_value(work: Callable[[], Any]) -> float:
    """What the work itself says that it took, such as bytes."""
    return float(work())


@dataclass(frozen=True)
class Outcome:
    """What was measured in every round for each contender, in the order they ran; less is better."""

    measured: Mapping[str, tuple[float, ...]]
    items: int
    """How many pictures, clips or files one run works on."""
    unit: ResultUnit = PICTURES

    def result(self, name: str) -> float:
        """The median over the rounds, in the unit."""
        middle = statistics.median(self.measured[name])
        return self.items / middle if self.unit.rate else middle * self.unit.scale

    def ratios(self, name: str, to: str) -> list[float]:
        """How many times as fast as `to` (or how many times less), round by round, rising."""
        pairs = zip(self.measured[to], self.measured[name], strict=True)
        return sorted(theirs / ours for theirs, ours in pairs)

    def to_json(self) -> dict[str, Any]:
        """Results, and each of ours against every other contender: the median, lowest and highest round."""
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
            name: [round(one, 6) for one in values] for name, values in self.measured.items()
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
    """Each once unmeasured where `warm`, then all in turns, every other round backwards.

    So none always follows another.
    """
    for contender in contenders if warm else ():
        contender.work()
    measured: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    for number in range(rounds):
        for contender in contenders if number % 2 == 0 else contenders[::-1]:
            measured[contender.name].append(measure(contender.work))
    return Outcome({name: tuple(values) for name, values in measured.items()}, items, unit)
