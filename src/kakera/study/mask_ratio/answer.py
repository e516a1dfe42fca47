"""What the mask-ratio study found, in numbers and in sentences that claim no more than these."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean

from kakera.reports.intervals import interval, paired, signs
from kakera.reports.prose import capital, listed
from kakera.reports.tables import per_cent, points

PAPER = 0.75
TUNED = "fine-tuned"
Method = tuple[str, int]
"""What reads the tokens, and with how many labels."""


@dataclass(frozen=True)
class Answer:
    """Scores of each method at each ratio, one a seed."""

    scores: dict[Method, dict[float, list[float]]]

    def methods(self) -> list[Method]:
        """Fine-tuning first, then the probes; few labels before many."""
        return sorted(self.scores, key=lambda m: (m[0] != TUNED, m[0], m[1]))

    def best(self, method: Method) -> float:
        """The ratio with the highest mean."""
        by_ratio = self.scores[method]
        return max(by_ratio, key=lambda ratio: fmean(by_ratio[ratio]))

    def judged(self, method: Method) -> dict[float, bool]:
        """For each other ratio: is it worse than the best outside the noise?"""
        by_ratio, best = self.scores[method], self.best(method)
        others = [ratio for ratio in by_ratio if ratio != best]
        found = signs([paired(by_ratio[best], by_ratio[ratio]) for ratio in others])
        return {ratio: sign > 0 for ratio, sign in zip(others, found, strict=True)}

    def sentence(self, method: Method) -> str:
        """Which ratio is best, and which ones cannot be told from it."""
        best, judged, by_ratio = self.best(method), self.judged(method), self.scores[method]
        seeds, value = len(by_ratio[best]), per_cent(interval(by_ratio[best]))
        opening = f"{capital(title(method))}: {best:.0%} hidden has the highest mean, {value} %"
        if seeds < 2:
            return f"{opening}; with one seed there is no spread, so nothing is claimed."
        alike = [f"{ratio:.0%}" for ratio, worse in judged.items() if not worse]
        worse = [f"{ratio:.0%}" for ratio, worse in judged.items() if worse]
        parts = [f"{listed(alike)} cannot be told from it over {seeds} seeds"] if alike else []
        parts += [f"{listed(worse)} fall{'s' if len(worse) == 1 else ''} behind outside the noise"] * bool(
            worse
        )
        return "; ".join([opening, *parts]) + "."

    def advised(self) -> float:
        """The best ratio of fine-tuning with the most labels."""
        return self.best([method for method in self.methods() if method[0] == TUNED][-1])

    def sentences(self) -> list[str]:
        """The answer: of fine-tuning with the most labels, and of the better probe with the most."""
        tuned = [method for method in self.methods() if method[0] == TUNED]
        probed = [method for method in self.methods() if method[0] != TUNED]
        probe = max(probed, key=lambda m: (m[1], fmean(self.scores[m][self.best(m)])))
        return [self.sentence(tuned[-1]), self.sentence(probe)]

    def paper(self, method: Method) -> str:
        """The paper's 75 %, beside what is best here."""
        known = next((ratio for ratio in self.scores[method] if abs(ratio - PAPER) < 1e-9), None)
        if known is None or known == self.best(method):
            return ""
        by_ratio = self.scores[method]
        gap = paired(by_ratio[self.best(method)], by_ratio[known])
        told = "is outside" if self.judged(method)[known] else "is inside"
        best = f"{capital(title(method))}: {self.best(method):.0%}"
        return f"{best} − 75 % is {points(gap)} points, which {told} the noise."


def title(method: Method) -> str:
    """A method in words."""
    return f"{method[0]}, {method[1]} labels"
