"""What a call of `kakera probe` measured: one number for each method, number of labels and draw of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

FINETUNED = "fine-tuned"


@dataclass(frozen=True)
class ProbeResult:
    """One measurement: a `score` (0 … 1) of the measure that `measure` names.

    Accuracy; balanced accuracy where a class has more than 1.5 times the test files of another; mean average
    precision where a file may carry several labels.
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
        """Of the method, in a sentence."""
        if self.probe == FINETUNED:
            return FINETUNED
        return f"{self.probe} on {self.pool} tokens of {layer_name(self.layer)}"


@dataclass(frozen=True)
class ProbeReport:
    """All measurements of one call."""

    results: tuple[ProbeResult, ...]

    @property
    def measure(self) -> str:
        """In which measure the scores are."""
        return self.results[0].measure if self.results else "accuracy"

    @property
    def counts(self) -> list[int]:
        """The numbers of labels, rising."""
        return sorted({result.labels for result in self.results})

    def mean(self, name: str, labels: int) -> float | None:
        """The mean score of a method over the draws of so many labels; None where there is none."""
        scores = [r.score for r in self.results if (r.name, r.labels) == (name, labels)]
        return fmean(scores) if scores else None

    def best_probe(self) -> ProbeResult:
        """The first draw of the probe with the best mean at the most labels."""
        most = self.counts[-1]
        probes = [r for r in self.results if r.labels == most and r.probe != FINETUNED]
        return max(probes, key=lambda result: self.mean(result.name, most) or 0.0)

    def table(self) -> list[tuple[str, ...]]:
        """Rows of text, header first: mean ± standard deviation over the seeds, in per cent."""
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
    """A layer in a sentence."""
    return "the last layer" if layer == -1 else f"layer {layer}"


def spread(scores: Sequence[float]) -> str:
    """Mean ± standard deviation in per cent; – for none."""
    if not scores:
        return "–"
    mean = f"{100 * fmean(scores):.1f}"
    return f"{mean} ± {100 * stdev(scores):.1f}" if len(scores) > 1 else mean
