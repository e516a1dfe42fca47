"""Results of `kakera probe`: one number for each method, number of labels and draw of labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

FINETUNED = "fine-tuned"


@dataclass(frozen=True)
class ProbeResult:
    """One result: the value `score` (0 … 1) of the measure named by `measure`.

    The measure is accuracy. It is balanced accuracy if a class has more than 1.5 times the test files of
    another class, and mean average precision for multi-label data.

    Example:

        >>> ProbeResult("ridge", layer=-1, pool="mean", labels=100, seed=0, score=0.9).name
        'ridge on mean tokens of the last layer'
    """

    probe: str
    layer: int
    pool: str
    labels: int
    seed: int
    score: float
    measure: str = "accuracy"

    @property
    def name(self) -> str:
        """The name of the method, for a sentence."""
        if self.probe == FINETUNED:
            return FINETUNED
        return f"{self.probe} on {self.pool} tokens of {layer_name(self.layer)}"


@dataclass(frozen=True)
class ProbeReport:
    """The results of one call of `kakera probe`.

    Example:

        >>> draws = [ProbeResult("ridge", -1, "mean", 100, seed, 0.9 - seed / 10) for seed in (0, 1)]
        >>> ProbeReport(tuple(draws)).table()
        [('probe', 'tokens', '100 labels'), ('ridge', 'mean, layer last', '85.0 ± 7.1')]
    """

    results: tuple[ProbeResult, ...]

    @property
    def measure(self) -> str:
        """The name of the measure of all results."""
        return self.results[0].measure if self.results else "accuracy"

    @property
    def counts(self) -> list[int]:
        """The numbers of labels, in ascending order."""
        return sorted({result.labels for result in self.results})

    def mean(self, name: str, labels: int) -> float | None:
        """Return the mean of a method over the draws of `labels` labels; None if there is no result."""
        scores = [r.score for r in self.results if (r.name, r.labels) == (name, labels)]
        return fmean(scores) if scores else None

    def best_probe(self) -> ProbeResult:
        """Return the first draw of the probe with the best mean at the largest number of labels."""
        most = self.counts[-1]
        probes = [r for r in self.results if r.labels == most and r.probe != FINETUNED]
        return max(probes, key=lambda result: self.mean(result.name, most) or 0.0)

    def table(self) -> list[tuple[str, ...]]:
        """Return rows of text with a header: mean ± standard deviation over the seeds, in per cent."""
        counts = self.counts
        rows = [("probe", "tokens", *(f"{count} labels" for count in counts))]
        for kind in dict.fromkeys((r.probe, r.layer, r.pool) for r in self.results):
            probe, layer, pool = kind
            of_kind = [r for r in self.results if (r.probe, r.layer, r.pool) == kind]
            cells = [spread([r.score for r in of_kind if r.labels == count]) for count in counts]
            where = "all" if probe == FINETUNED else f"{pool}, layer {'last' if layer == -1 else layer}"
            rows.append((probe, where, *cells))
        return rows


def layer_name(layer: int) -> str:
    """Return the name of a layer for a sentence.

    Example:

        >>> layer_name(-1), layer_name(3)
        ('the last layer', 'layer 3')
    """
    return "the last layer" if layer == -1 else f"layer {layer}"


def spread(scores: Sequence[float]) -> str:
    """Return mean ± standard deviation in per cent as text; "–" for no values.

    Example:

        >>> spread([0.9, 0.8]), spread([0.9])
        ('85.0 ± 7.1', '90.0')
    """
    if not scores:
        return "–"
    mean = f"{100 * fmean(scores):.1f}"
    return f"{mean} ± {100 * stdev(scores):.1f}" if len(scores) > 1 else mean
