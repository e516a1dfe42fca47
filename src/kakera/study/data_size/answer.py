"""What the data-size study found, in numbers and in sentences that claim no more than these."""

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
    """Test scores of each network at each number of labels, one a seed, seeds in order."""

    scores: dict[str, dict[int, list[float]]]

    @property
    def counts(self) -> list[int]:
        """Numbers of labels, rising."""
        return sorted(next(iter(self.scores.values())))

    @property
    def seeds(self) -> int:
        """Repetitions."""
        return len(self.scores[CNN][self.counts[0]])

    def best(self, count: int) -> str:
        """The network with the highest mean."""
        return max(self.scores, key=lambda model: fmean(self.scores[model][count]))

    def differences(self, first: str, second: str) -> list[Difference]:
        """first − second at each number of labels, paired by seed."""
        return [paired(self.scores[first][count], self.scores[second][count]) for count in self.counts]

    def surely_behind(self, count: int) -> list[str]:
        """Networks that the best one beats outside the noise, judged together."""
        best = self.best(count)
        others = [model for model in self.scores if model != best]
        found = signs([paired(self.scores[best][count], self.scores[model][count]) for model in others])
        return [model for model, sign in zip(others, found, strict=True) if sign > 0]

    def crossings(self, first: str, second: str) -> list[Crossing]:
        """Where first overtakes second or falls behind it, outside the noise."""
        return crossings(self.counts, self.differences(first, second))

    def at(self, count: int) -> str:
        """Which network is best with so many labels, and which cannot be told from it."""
        best, behind = self.best(count), self.surely_behind(count)
        value = per_cent(interval(self.scores[best][count]))
        opening = f"with {count} labels {TITLES[best]} has the highest mean ({value} %)"
        if self.seeds < 2:
            return f"{opening}, from one seed, so nothing is claimed"
        alike = [TITLES[model] for model in self.scores if model != best and model not in behind]
        if not alike:
            return f"{opening}, outside the noise"
        return f"{opening}, but {listed(alike)} cannot be told from it"

    def crossing(self, first: str, second: str) -> str:
        """Where two curves cross, or why none is claimed."""
        names = f"{TITLES[first]} and {TITLES[second]}"
        found = self.crossings(first, second)
        if found:
            return "; ".join(_overtaken(first, second, crossing) for crossing in found)
        sure = signs(self.differences(first, second))
        ahead = [count for count, sign in zip(self.counts, sure, strict=True) if sign]
        if not ahead:
            return f"{names}: inside the noise at every size, so neither order nor crossing is claimed"
        winner = TITLES[first if sum(sure) > 0 else second]
        where = "at every size" if len(ahead) == len(sure) else f"at {listed([str(n) for n in ahead])} labels"
        rest = "" if len(ahead) == len(sure) else ", elsewhere inside the noise"
        return f"{names}: no crossing; {winner} is ahead {where}{rest}"

    def sentences(self) -> list[str]:
        """The answer: who is best at both ends, and where curves cross; then what to do."""
        few, many = self.counts[0], self.counts[-1]
        ends = self.at(few) if few == many else f"{self.at(few)}; {self.at(many)}"
        crossed = [self.crossing(*pair) for pair in PAIRS if self.crossings(*pair)]
        second = "; ".join(crossed) or "no two curves cross outside the noise"
        return [capital(ends) + ".", capital(second) + ".", self.recommendation()]

    def recommendation(self) -> str:
        """For all labels that there are; how sure."""
        count = self.counts[-1]
        best, behind = self.best(count), self.surely_behind(count)
        opening = f"For these pictures, with {count} labels: take {TITLES[best]}."
        gaps = {m: paired(self.scores[best][count], self.scores[m][count]) for m in self.scores if m != best}
        told = [f"{points(gaps[model])} points over {TITLES[model]}" for model in gaps]
        if self.seeds < 2:
            return f"{opening} Not sure at all: one seed shows no spread ({listed(told)})."
        if len(behind) == len(gaps):
            return f"{opening} Sure within this study: {listed(told)}, over {self.seeds} seeds."
        alike = listed([TITLES[model] for model in gaps if model not in behind])
        return f"{opening} Not sure: {listed(told)}; {alike} may be as good, so the cheaper one will do."


def _overtaken(first: str, second: str, found: Crossing) -> str:
    winner, loser = (first, second) if found.upwards else (second, first)
    where = f"between {found.low:g} and {found.high:g} labels, near {found.at:.0f}"
    return f"{TITLES[winner]} overtakes {TITLES[loser]} {where}"
