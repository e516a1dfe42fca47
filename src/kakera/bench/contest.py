"""Several programs that do the same work, timed in turns: ratios within a round are what can be trusted."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

WARM_UPS = 1
OURS = "kakera"


@dataclass(frozen=True)
class Contender:
    """A program, ready to run."""

    name: str
    work: Callable[[], object]
    """Does the work once, to its end."""


@dataclass(frozen=True)
class Outcome:
    """Seconds of every round for each contender, in the order they ran."""

    seconds: Mapping[str, tuple[float, ...]]
    items: int
    """How many pictures, clips or files one run works on."""

    def rate(self, name: str) -> float:
        """Items a second, the median over the rounds."""
        return self.items / statistics.median(self.seconds[name])

    def ratios(self, name: str, to: str) -> list[float]:
        """How many times as fast as `to`, round by round, rising."""
        pairs = zip(self.seconds[to], self.seconds[name], strict=True)
        return sorted(theirs / ours for theirs, ours in pairs)

    def to_json(self) -> dict[str, Any]:
        """Rates, and ours against each other contender: the median, the lowest and the highest round."""
        found: dict[str, Any] = {"items": self.items, "rounds": len(next(iter(self.seconds.values())))}
        found["rates"] = {name: round(self.rate(name), 4) for name in self.seconds}
        found["ratios"] = {}
        for name in self.seconds:
            if name != OURS and OURS in self.seconds:
                ratios = self.ratios(OURS, name)
                found["ratios"][name] = [
                    round(value, 3) for value in (statistics.median(ratios), ratios[0], ratios[-1])
                ]
        return found


def contest(contenders: list[Contender], *, items: int, rounds: int) -> Outcome:
    """Each once unmeasured, then all in turns, every other round backwards: none always follows another."""
    for contender in contenders:
        for _ in range(WARM_UPS):
            contender.work()
    seconds: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    for number in range(rounds):
        for contender in contenders if number % 2 == 0 else contenders[::-1]:
            began = time.perf_counter()
            contender.work()
            seconds[contender.name].append(time.perf_counter() - began)
    return Outcome({name: tuple(values) for name, values in seconds.items()}, items)
