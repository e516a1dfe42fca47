"""The answer of the data-size study: numbers, and sentences that claim only significant differences."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from statistics import fmean

from kakera.reports.intervals import Crossing, Difference, crossings, interval, paired, signs
from kakera.reports.prose import capital, listed
from kakera.reports.tables import per_cent, points
from kakera.study.data_size.work import CNN, MAE, VIT

TITLES = {CNN: "the CNN", VIT: "the ViT from scratch", MAE: "the ViT after the MAE"}
PAIRS = tuple(combinations((MAE, VIT, CNN), 2))


@dataclass(frozen=True)
class Comparison:
    """Test scores (0 … 1) of each network at each number of labels, one for each seed, seeds in order.

    Example:

        >>> comparison = Comparison({CNN: {10: [0.5]}, VIT: {10: [0.4]}, MAE: {10: [0.7]}})
        >>> comparison.best(10)
        'mae'
        >>> comparison.counts, comparison.seeds
        ([10], 1)
    """

    scores: dict[str, dict[int, list[float]]]

    @property
    def counts(self) -> list[int]:
        """The numbers of labels, in ascending order."""
        return sorted(next(iter(self.scores.values())))

    @property
    def seeds(self) -> int:
        """The number of repetitions."""
        return len(self.scores[CNN][self.counts[0]])

    def best(self, count: int) -> str:
        """Return the network with the highest mean at `count` labels."""
        return max(self.scores, key=lambda model: fmean(self.scores[model][count]))

    def differences(self, first: str, second: str) -> list[Difference]:
        """Return first − second at each number of labels, paired by seed."""
        return [paired(self.scores[first][count], self.scores[second][count]) for count in self.counts]

    def significantly_worse(self, count: int) -> list[str]:
        """Return the networks that are significantly worse than the best one (Holm correction)."""
        best = self.best(count)
        others = [model for model in self.scores if model != best]
        tested = signs([paired(self.scores[best][count], self.scores[model][count]) for model in others])
        return [model for model, sign in zip(others, tested, strict=True) if sign > 0]

    def crossings(self, first: str, second: str) -> list[Crossing]:
        """Return the crossings of two curves with a significant difference on both sides."""
        return crossings(self.counts, self.differences(first, second))

    def at(self, count: int) -> str:
        """Return a clause: the best network at `count` labels, and those without significant difference."""
        best, behind = self.best(count), self.significantly_worse(count)
        value = per_cent(interval(self.scores[best][count]))
        opening = f"with {count} labels {TITLES[best]} has the highest mean ({value} %)"
        if self.seeds < 2:
            return f"{opening}, but one seed cannot show whether the difference is significant"
        alike = [TITLES[model] for model in self.scores if model != best and model not in behind]
        if not alike:
            return f"{opening}, significantly higher than the others"
        return f"{opening}, but the difference to {listed(alike)} is not significant"

    def crossing(self, first: str, second: str) -> str:
        """Return a clause: the place where two curves cross, or the reason why no crossing is claimed."""
        names = f"{TITLES[first]} and {TITLES[second]}"
        crossed = self.crossings(first, second)
        if crossed:
            return "; ".join(_overtaken(first, second, crossing) for crossing in crossed)
        sure = signs(self.differences(first, second))
        ahead = [count for count, sign in zip(self.counts, sure, strict=True) if sign]
        if not ahead:
            return f"{names}: no significant difference at any size"
        winner = TITLES[first if sum(sure) > 0 else second]
        where = "at every size" if len(ahead) == len(sure) else f"at {listed([str(n) for n in ahead])} labels"
        rest = "" if len(ahead) == len(sure) else ", with no significant difference at other sizes"
        return f"{names}: no crossing; {winner} is significantly better {where}{rest}"

    def sentences(self) -> list[str]:
        """Return three sentences: the best network with few and many labels, crossings, recommendation."""
        few, many = self.counts[0], self.counts[-1]
        ends = self.at(few) if few == many else f"{self.at(few)}; {self.at(many)}"
        crossed = [self.crossing(*pair) for pair in PAIRS if self.crossings(*pair)]
        second = "; ".join(crossed) or "no two curves cross significantly"
        return [capital(ends) + ".", capital(second) + ".", self.recommendation()]

    def recommendation(self) -> str:
        """Return the recommendation for the largest number of labels, and how certain it is."""
        count = self.counts[-1]
        best, behind = self.best(count), self.significantly_worse(count)
        opening = f"For these pictures, with {count} labels: take {TITLES[best]}."
        gaps = {m: paired(self.scores[best][count], self.scores[m][count]) for m in self.scores if m != best}
        texts = [f"{points(gaps[model])} points compared with {TITLES[model]}" for model in gaps]
        if self.seeds < 2:
            return f"{opening} Very uncertain: one seed shows no variation ({listed(texts)})."
        if len(behind) == len(gaps):
            return f"{opening} Certain within this study: {listed(texts)}, {self.seeds} seeds."
        alike = listed([TITLES[model] for model in gaps if model not in behind])
        return f"{opening} Uncertain: {listed(texts)}; {alike} may be as good, so prefer the cheapest one."


def _overtaken(first: str, second: str, crossing: Crossing) -> str:
    winner, loser = (first, second) if crossing.upwards else (second, first)
    where = f"between {crossing.low:g} and {crossing.high:g} labels, near {crossing.at:.0f}"
    return f"{TITLES[winner]} overtakes {TITLES[loser]} {where}"
