"""The answer of the encoders study: scores, paired differences, and one recommendation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.formats.license import license_words
from kakera.reports.crossed import crossed
from kakera.reports.intervals import Difference, Interval, interval, paired, signs
from kakera.reports.prose import listed
from kakera.reports.tables import per_cent, points


@dataclass(frozen=True, eq=False)
class Score:
    """The score of one draw of labels, and the part of each test file in it (n,), if it has such parts.

    Example:

        >>> Score(0.5, np.array([1.0, 0.0])).value
        0.5
    """

    value: float
    of_files: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class EncoderFacts:
    """The costs of an encoder: milliseconds for each file on one thread, parameters, licence (or "").

    Example:

        >>> EncoderFacts("mae", 1.5, 800_000, "mit").title
        'mae'
    """

    title: str
    milliseconds: float
    parameters: int = 0
    license: str = ""
    baseline: bool = False

    def license_text(self) -> str:
        """Return the licence in words."""
        if self.baseline:
            return "no weights"
        return license_words(self.license) if self.license else "licence of the weights unknown"


@dataclass(frozen=True)
class EncoderComparison:
    """Scores of each encoder at each number of labels, one for each draw, draws in order; and its costs.

    `all_labels` is the number of all labels, whose only draw has no variation. `measure` is the name of the
    score.

    Example:

        >>> hits = {"a": np.ones(50), "b": np.zeros(50)}
        >>> scores = {name: {10: [Score(values.mean(), values)] * 3} for name, values in hits.items()}
        >>> facts = {"a": EncoderFacts("A", 2.0), "b": EncoderFacts("B", 1.0)}
        >>> EncoderComparison(scores, facts).recommended()
        ('a', True)
    """

    scores: Mapping[str, Mapping[int, list[Score]]]
    facts: Mapping[str, EncoderFacts]
    all_labels: int = 0
    measure: str = "accuracy"
    part: str = "test"
    kind: str = "pictures"
    device: str = field(default="cpu")

    @property
    def counts(self) -> list[int]:
        """The numbers of labels, in ascending order."""
        return sorted(next(iter(self.scores.values())))

    def draws(self, count: int) -> int:
        """Return the number of draws of `count` labels."""
        return len(next(iter(self.scores.values()))[count])

    def _no_variation(self, count: int) -> bool:
        """Return True if one draw of `count` labels cannot show whether a difference is significant.

        The only draw of all labels can, by its test files.
        """
        parts = _table(next(iter(self.scores.values()))[count])
        return self.draws(count) < 2 and (count != self.all_labels or parts is None)

    def value(self, name: str, count: int) -> Interval:
        """Return the mean score of an encoder, with its interval for new draws and new files."""
        found = self.scores[name][count]
        table = _table(found)
        return interval([one.value for one in found]) if table is None else crossed(_known(table))

    def difference(self, first: str, second: str, count: int) -> Difference:
        """Return first − second, paired by draw and by file; by draw only without parts of files.

        With one draw of some of the labels, `p` is 1: it shows no variation.
        """
        ours, theirs = self.scores[first][count], self.scores[second][count]
        tables = _table(ours), _table(theirs)
        if tables[0] is None or tables[1] is None:
            return paired([one.value for one in ours], [one.value for one in theirs])
        found = crossed(_known(tables[0] - tables[1]))
        p = 1.0 if self._no_variation(count) else found.p
        return Difference(found.mean, found.half, found.count, p)

    def order(self, count: int) -> list[str]:
        """Return the encoders, the highest mean score first; of equal ones the cheaper first."""

        def place(name: str) -> tuple[float, float]:
            return -fmean(one.value for one in self.scores[name][count]), self.facts[name].milliseconds

        return sorted(self.scores, key=place)

    def alike(self, count: int) -> list[str]:
        """Return the best encoder and those that are not clearly worse (Holm correction), the best first."""
        best, *others = self.order(count)
        tested = signs([self.difference(best, name, count) for name in others])
        return [best, *(name for name, sign in zip(others, tested, strict=True) if sign <= 0)]

    def recommended(self) -> tuple[str, bool]:
        """Return the encoder to take with the largest number of labels, and True if it is clearly the best.

        If several are not significantly worse than the best, it is the cheapest of them.
        """
        alike = self.alike(self.counts[-1])
        return min(alike, key=lambda name: self.facts[name].milliseconds), len(alike) == 1

    def sentences(self) -> list[str]:
        """Return the recommendation: two sentences."""
        count = self.counts[-1]
        (name, certain), best = self.recommended(), self.order(count)[0]
        facts, first = self.facts[name], self.facts[best]
        labels = f"all {count} labels" if count == self.all_labels else f"{count} labels"
        score = f"{self.part} {self.measure}, {per_cent(self.value(best, count))} %"
        cost = f"{_milliseconds(facts.milliseconds)} ms for each file on one thread, {facts.license_text()}"
        if certain:
            opening = f"Take {facts.title}: with {labels} it has clearly the highest {score}"
            last = f"It takes {cost}{self._cheaper(name, count)}."
            return [f"{opening} ({self._behind(best, count)}).", last]
        others = [other for other in self.alike(count) if other != best]
        if self._no_variation(count):
            reason = "one draw of the labels shows no variation"
        else:
            others = listed([self.facts[other].title for other in others])
            reason = f"the difference to {others} is not significant"
        opening = f"No clear winner: with {labels} {first.title} has the highest {score}"
        return [
            f"{opening}, but {reason}.",
            f"Take {facts.title}, the cheapest of these: {cost}.",
        ]

    def _behind(self, best: str, count: int) -> str:
        if len(self.scores) < 2:
            return "it is the only one"
        second = self.order(count)[1]
        gap = points(self.difference(best, second, count))
        return f"{gap} points compared with {self.facts[second].title}, the next"

    def _cheaper(self, name: str, count: int) -> str:
        cheap = min(self.scores, key=lambda other: self.facts[other].milliseconds)
        if cheap == name:
            return ", the least of all"
        facts, gap = self.facts[cheap], points(self.difference(cheap, name, count))
        cost = f"{_milliseconds(facts.milliseconds)} ms"
        return f"; the cheapest, {facts.title}, takes {cost}, with {gap} points"

    def to_json(self) -> dict[str, Any]:
        """Return the numbers and the recommendation as values for JSON."""
        name, certain = self.recommended()
        found: dict[str, Any] = {"measure": self.measure, "part": self.part, "threads": 1}
        found |= {"device": self.device, "recommendation": self.sentences(), "recommended": name}
        found |= {"certain": certain, "encoders": []}
        for other in self.order(self.counts[-1]):
            facts = self.facts[other]
            row: dict[str, Any] = {"name": other, "milliseconds": round(facts.milliseconds, 4)}
            row |= {"parameters": facts.parameters, "license": facts.license or None, "scores": []}
            for count in self.counts:
                best, value = self.order(count)[0], self.value(other, count)
                gap = self.difference(other, best, count)
                numbers = {"labels": count, "draws": self.draws(count), "mean": value.mean}
                numbers |= {
                    "half": _finite(value.half),
                    "to_best": gap.mean,
                    "to_best_half": _finite(gap.half),
                }
                row["scores"].append({**numbers, "clearly_below_best": other not in self.alike(count)})
            found["encoders"].append(row)
        return found


def _table(scores: list[Score]) -> NDArray[np.float64] | None:
    rows = [one.of_files for one in scores if one.of_files is not None]
    return np.stack(rows) if len(rows) == len(scores) else None


def _known(table: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the table without files that could not be read."""
    return table[:, np.isfinite(table).all(axis=0)]


def _milliseconds(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.2g}"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
