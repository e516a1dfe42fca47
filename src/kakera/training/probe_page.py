"""The page of a probe: what simple classifiers read from frozen tokens, for each number of labels."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from kakera.reports import html
from kakera.reports.plot import Line, plot
from kakera.training.next_commands import after_probe, bare
from kakera.training.options import ProbeOptions
from kakera.training.situation import is_published

Score = tuple[str, int, float]
"""A method by its name, the number of labels, and a score 0 … 1 of one draw of them."""


def probe_page(
    options: ProbeOptions, scores: Sequence[Score], table: Sequence[Sequence[str]], test: str, measure: str
) -> str:
    """Make the page; `table` is that of the terminal, `test` says what was measured on."""
    counts = sorted({count for _, count, _ in scores})
    names = list(dict.fromkeys(name for name, _, _ in scores))
    means = {
        name: {
            count: fmean(of_count)
            for count in counts
            if (of_count := [score for n, c, score in scores if (n, c) == (name, count)])
        }
        for name in names
    }
    most = counts[-1]
    best = max((name for name in names if most in means[name]), key=lambda name: means[name][most])
    lines = [Line(name, [(count, 100 * value) for count, value in means[name].items()]) for name in names]
    drawn = plot(lines, x="labels", y=f"{measure} in per cent") if len(counts) > 1 else ""
    return html.page(
        f"kakera probe: {options.data}",
        html.verdict(
            f"With {most} labels {best} reaches {measure} {100 * means[best][most]:.1f} % on {test}, "
            f"on what {options.start} has learned.",
            "good",
        ),
        html.heading("Every method"),
        html.table(table),
        html.note(f"{measure.capitalize()} in per cent, mean ± standard deviation over draws of the labels."),
        *([html.figure(drawn, caption=f"{measure.capitalize()} in per cent over labels.")] if drawn else []),
        html.heading("What to try next"),
        html.items(
            [
                "Frozen tokens far below fine-tuning: the network is worth training further on these files.",
                "Frozen tokens close to it: a probe is enough, and takes seconds.",
            ]
        ),
        html.code(bare(after_probe(options.data, options.start, from_hub=is_published(options.start)))),
    )
