"""The page of a probe: the best probe compared with simple classifiers and with fine-tuning."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.commands.pages import tables
from kakera.data.dataset import Dataset
from kakera.reports import html
from kakera.reports.plot import Line, plot
from kakera.training.baselines.baselines import Baselines, measure_baselines
from kakera.training.baselines.verdict import Verdict, judge, method_of
from kakera.training.options import ProbeOptions
from kakera.training.planning.next_commands import after_probe, bare
from kakera.training.planning.situation import is_published, named
from kakera.training.predictions import Predictions
from kakera.training.probes.results import FINETUNED, ProbeReport

WORTH = 0.02  # fine-tuning must raise the score by more than this to be worth its time


@dataclass(frozen=True, eq=False)
class ProbePage:
    """A function that makes the page; it holds what the page needs besides the logits of the best probe."""

    options: ProbeOptions
    report: ProbeReport
    train: Dataset
    """All labelled training files."""
    test: Dataset
    """The labelled files of `part`, on which the probes are measured."""
    part: str
    workers: int
    notes: tuple[str, ...] = ()
    """Notes of the plan on shortened fine-tunings."""

    def __call__(
        self, rows: NDArray[np.int64], scores: NDArray[np.float64], numbers: NDArray[np.int64]
    ) -> str:
        """Return the page as HTML.

        `rows` are the training files that the best probe was fitted to; the baselines are fitted to the same
        files. `scores` (m, classes) are its logits for the test files `numbers` (m,).
        """
        report, measure = self.report, self.report.measure
        data, start = self.options.data, self.options.init_from
        best, most = report.best_probe(), report.counts[-1]
        baselines = self._baselines(rows)
        assert self.test.labels is not None
        predictions = Predictions.of(scores, self.test.labels[numbers], numbers)
        verdict = judge(self.test, self.part, predictions, baselines)
        tuned = report.mean(FINETUNED, most)
        own = {best.name: verdict.value.value} | ({FINETUNED: tuned} if tuned is not None else {})
        return html.page(
            f"kakera probe: {self.options.data}",
            html.verdict(self._opening(verdict, tuned), verdict.level),
            html.note(f"{method_of(measure)} {self._chosen()}"),
            *(html.warning(text) for text in self.notes),
            html.heading("What to try next"),
            html.items(self._advice(verdict, tuned)),
            html.code(bare(after_probe(named(data), start, from_hub=is_published(start)))),
            *tables.compared(own, measure, baselines, best.name),
            html.heading("All methods"),
            html.table(report.table()),
            html.note(
                f"{_capital(measure)} in per cent, mean ± standard deviation over random draws of the labels."
            ),
            *self._curves(),
            html.heading("Settings"),
            tables.settings(asdict(self.options)),
        )

    def _opening(self, verdict: Verdict, tuned: float | None) -> str:
        best, most = self.report.best_probe(), self.report.counts[-1]
        text = f"{verdict.text} This is the result of the best probe, {best.name}, with {most:,} labels."
        if tuned is None:
            return text
        gap = tuned - (self.report.mean(best.name, most) or 0.0)
        how = f"{100 * abs(gap):.1f} points {'more' if gap > 0 else 'less'}" if gap else "the same"
        return f"{text} Fine-tuning with the same labels reaches {100 * tuned:.1f} %, {how}."

    def _chosen(self) -> str:
        count = len({result.name for result in self.report.results if result.probe != FINETUNED})
        if count < 2:
            return ""
        return (
            f"The best of {count} probes was chosen on the test files themselves, so its score is a little "
            "too high."
        )

    def _advice(self, verdict: Verdict, tuned: float | None) -> list[str]:
        best, most = self.report.best_probe(), self.report.counts[-1]
        found: list[str] = []
        if verdict.best is not None and verdict.level != "good":
            found.append(
                "These tokens do not separate the classes better than simple features: pretrain longer or on "
                "more files, or start from published weights."
            )
        if tuned is None:
            found.append("Fine-tune with the command below, to see how much training all weights adds.")
        elif tuned - (self.report.mean(best.name, most) or 0.0) > WORTH:
            found.append("Fine-tuning is better than the probe: fine-tune for as long as you have time.")
        else:
            found.append(
                "Fine-tuning adds little: a probe on frozen tokens is enough, and takes only seconds."
            )
        if most < len(self.train):
            found.append(f"Use all {len(self.train):,} labels: --labels 0.")
        return found

    def _baselines(self, rows: NDArray[np.int64]) -> Baselines | None:
        if not self.options.baselines:
            return None
        try:
            return measure_baselines(
                self.train.take(rows), self.test, workers=self.workers, device=self.options.device
            )
        except Exception as error:  # a failed baseline must not cost the user the page
            print(f"warning: the page has no baselines: {type(error).__name__}, {error}", file=sys.stderr)
            return None

    def _curves(self) -> list[str]:
        counts, means = self.report.counts, dict[str, list[tuple[Any, float]]]()
        for name in dict.fromkeys(result.name for result in self.report.results):
            points = [(count, self.report.mean(name, count)) for count in counts]
            means[name] = [(count, 100 * mean) for count, mean in points if mean is not None]
        if len(counts) < 2:
            return []
        lines = [Line(name, points) for name, points in means.items()]
        drawn = plot(lines, x="labels", y=f"{self.report.measure} in per cent")
        return [
            html.figure(drawn, caption=f"{_capital(self.report.measure)} in per cent, by number of labels.")
        ]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
