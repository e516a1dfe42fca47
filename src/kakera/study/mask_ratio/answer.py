"""The answer of the mask-ratio study: numbers, and sentences that claim only significant differences."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean

from kakera.reports.intervals import interval, paired, signs
from kakera.reports.prose import capital, listed
from kakera.reports.tables import per_cent, points

PAPER = 0.75
TUNED = "fine-tuned"
Method = tuple[str, int]
"""A method (fine-tuning or a probe) and its number of labels."""


@dataclass(frozen=True)
class Answer:
    """Test scores (0 … 1) of each method at each mask ratio, one for each seed.

    Example:

        >>> answer = Answer({("fine-tuned", 100): {0.5: [0.80], 0.75: [0.85]}})
        >>> answer.best(("fine-tuned", 100))
        0.75
        >>> answer.advised()
        0.75
    """

    scores: dict[Method, dict[float, list[float]]]

    def methods(self) -> list[Method]:
        """Return the methods: fine-tuning first, then the probes; few labels before many."""
        return sorted(self.scores, key=lambda m: (m[0] != TUNED, m[0], m[1]))

    def best(self, method: Method) -> float:
        """Return the mask ratio with the highest mean."""
        by_ratio = self.scores[method]
        return max(by_ratio, key=lambda ratio: fmean(by_ratio[ratio]))

    def judged(self, method: Method) -> dict[float, bool]:
        """Return for each other ratio True if it is significantly worse than the best (Holm correction)."""
        by_ratio, best = self.scores[method], self.best(method)
        others = [ratio for ratio in by_ratio if ratio != best]
        tested = signs([paired(by_ratio[best], by_ratio[ratio]) for ratio in others])
        return {ratio: sign > 0 for ratio, sign in zip(others, tested, strict=True)}

    def sentence(self, method: Method) -> str:
        """Return a sentence: the best ratio, and the ratios without significant difference."""
        best, judged, by_ratio = self.best(method), self.judged(method), self.scores[method]
        seeds, value = len(by_ratio[best]), per_cent(interval(by_ratio[best]))
        opening = f"{capital(title(method))}: {best:.0%} hidden has the highest mean, {value} %"
        if seeds < 2:
            return f"{opening}; one seed cannot show whether the difference is significant."
        alike = [f"{ratio:.0%}" for ratio, worse in judged.items() if not worse]
        worse = [f"{ratio:.0%}" for ratio, worse in judged.items() if worse]
        parts = [f"the difference to {listed(alike)} is not significant ({seeds} seeds)"] if alike else []
        parts += [f"{listed(worse)} {'is' if len(worse) == 1 else 'are'} significantly worse"] * bool(worse)
        return "; ".join([opening, *parts]) + "."

    def advised(self) -> float:
        """Return the best ratio of fine-tuning with the largest number of labels."""
        return self.best([method for method in self.methods() if method[0] == TUNED][-1])

    def sentences(self) -> list[str]:
        """Return the answer: one sentence on fine-tuning, one on the best probe, with the most labels."""
        tuned = [method for method in self.methods() if method[0] == TUNED]
        probed = [method for method in self.methods() if method[0] != TUNED]
        probe = max(probed, key=lambda m: (m[1], fmean(self.scores[m][self.best(m)])))
        return [self.sentence(tuned[-1]), self.sentence(probe)]

    def paper(self, method: Method) -> str:
        """Return a sentence that compares the paper's 75 % with the best ratio; empty if they are equal."""
        known = next((ratio for ratio in self.scores[method] if abs(ratio - PAPER) < 1e-9), None)
        if known is None or known == self.best(method):
            return ""
        by_ratio = self.scores[method]
        gap = paired(by_ratio[self.best(method)], by_ratio[known])
        verdict = "is significant" if self.judged(method)[known] else "is not significant"
        best = f"{capital(title(method))}: {self.best(method):.0%}"
        return f"{best} − 75 % is {points(gap)} points, which {verdict}."


def title(method: Method) -> str:
    """Return a method as text.

    Example:

        >>> title(("fine-tuned", 100))
        'fine-tuned, 100 labels'
    """
    return f"{method[0]}, {method[1]} labels"
