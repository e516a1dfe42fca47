"""The sections of the data-size study's page: tables, and how to read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kakera.reports import html
from kakera.reports.intervals import interval, paired
from kakera.reports.prose import capital, listed
from kakera.reports.tables import amount, per_cent, points
from kakera.study.data_size.answer import PAIRS, TITLES, Comparison
from kakera.study.data_size.shift_test import MOST
from kakera.study.data_size.work import CNN, MAE, MODELS, SAMPLE, VIT, Trainer, cut_short
from kakera.study.scheduler import StudyResult
from kakera.study.setup import PRETRAIN

ROUGHLY = 1.2  # networks whose parameters differ by more than this factor are not of equal size


@dataclass(frozen=True)
class Final:
    """The measures of one trained network."""

    model: str
    labels: int
    seed: int
    result: dict[str, Any]


def numbers(comparison: Comparison, measure: str) -> list[str]:
    """Scores, paired differences, and where curves cross."""
    counts = comparison.counts
    header = ("", *(f"{count} labels" for count in counts))
    rows = [
        (TITLES[m], *(per_cent(interval(comparison.scores[m][count])) for count in counts)) for m in MODELS
    ]
    gaps = [(f"{TITLES[a]} − {TITLES[b]}", *map(points, comparison.differences(a, b))) for a, b in PAIRS]
    crossed = [comparison.crossing(a, b) + "." for a, b in PAIRS]
    return [
        html.heading("The numbers"),
        html.table([header, *rows]),
        html.paragraph(
            f"Test {measure} in per cent, mean ± half of the 95 % t-interval over {comparison.seeds} seeds. "
            "A seed draws the labels (subsets are nested and class-balanced), first weights and order."
        ),
        html.table([header, *gaps]),
        html.paragraph(
            "Differences in points, paired by seed: all networks saw the same labels. Claims are made where "
            "a difference stays outside the noise with all those of its row judged together (Holm)."
        ),
        *(html.paragraph(capital(text)) for text in crossed),
    ]


def longer(
    comparison: Comparison,
    found: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]],
    measure: str,
    epochs: float,
) -> list[str]:
    """What longer pretrainings give, and how far they carry the network above the others; empty for none."""
    if not found:
        return []
    scores = {epochs: comparison.scores[MAE]}
    for at, result in found:
        by_count = scores.setdefault(at["epochs"], {})
        by_count.setdefault(at["labels"], []).append(result["test"])
    counts = comparison.counts
    rows = [("epochs", *(f"{count} labels" for count in counts))]
    gaps = [("epochs, and minus what", *(f"{count} labels" for count in counts))]
    for length in sorted(scores):
        by_count = scores[length]
        rows.append((f"{length:g}", *(per_cent(interval(by_count[count])) for count in counts)))
        for other in (VIT, CNN):
            others = comparison.scores[other]
            differences = [points(paired(by_count[count], others[count])) for count in counts]
            gaps.append((f"{length:g}, − {TITLES[other]}", *differences))
    return [
        html.heading("What longer pretraining gives"),
        html.paragraph(
            f"{capital(TITLES[MAE])}, test {measure} in per cent after pretrainings of so many epochs, "
            f"fine-tuned at the rates that were chosen after {epochs:g}:"
        ),
        html.table(rows),
        html.paragraph("The same, in points above the others, paired by seed:"),
        html.table(gaps),
    ]


def saturation(finals: list[Final]) -> list[str]:
    """Which trainings were cut short, if any."""
    short = [f for f in finals if cut_short(f.result["train"], f.result["late_gain"])]
    places = dict.fromkeys((f.model, f.labels) for f in short)
    rows = [("", "labels", "steps", f"right of its training pictures (of at most {SAMPLE})", "late gain")]
    for model, labels in dict.fromkeys((f.model, f.labels) for f in finals):
        group = [f.result for f in finals if (f.model, f.labels) == (model, labels)]
        gains = [result["late_gain"] for result in group if result["late_gain"] is not None]
        gain = f"{100 * max(gains):.1f} %" if gains else "–"
        train = per_cent(interval([result["train"] for result in group]))
        rows.append((TITLES[model], str(labels), str(group[0]["steps"]), train, gain))
    text = "No training was cut short: each knows its training pictures, or had stopped to get better."
    if places:
        where = listed([f"{TITLES[model]} at {labels} labels" for model, labels in places])
        text = f"Warning: cut short, so that more epochs might change their place: {where}."
    return [
        html.heading("Were the schedules long enough?"),
        html.paragraph(text),
        html.table(rows),
        html.paragraph(
            "Late gain: how much the last quarter of the steps lowered the training loss. A training counts "
            "as cut short with less than 99 % of its training pictures right and a late gain above 2 %, "
            "or less than 90 % right."
        ),
    ]


def shifted(finals: list[Final], comparison: Comparison, measure: str) -> list[str]:
    """What moving the test pictures does to each network."""
    count = comparison.counts[-1]
    group = {m: [f.result for f in finals if (f.model, f.labels) == (m, count)] for m in MODELS}
    shifts = list(group[MAE][0]["moved"]["scores"])

    def row(model: str, value: Callable[[dict[str, Any]], float], scale: float) -> str:
        found = interval([scale * value(result) for result in group[model]])
        half = f" ± {found.half:.1f}" if found.count > 1 else ""
        return f"{found.mean:.1f}{half}"

    unit = group[MAE][0]["moved"].get("unit", "px")
    ways, behind = ("in four directions", "black, as in training")
    if unit == "frames":
        ways, behind = ("to and fro in time", "the mean, as padding is")
    scores = [("", "in place", *(f"by {n} {unit}" for n in shifts))]
    changes = [("", *(f"by {n} {unit}" for n in shifts), "maps, by one cell")]
    for model in MODELS:
        moved = [row(model, lambda r, n=n: r["moved"]["scores"][n], 100) for n in shifts]
        scores.append((TITLES[model], row(model, lambda r: r["test"], 100), *moved))
        features = [row(model, lambda r, n=n: r["moved"]["features"][n], 100) for n in shifts]
        cell = group[model][0]["moved"]["cell"]
        maps = row(model, lambda r: r["moved"]["maps"], 100)
        changes.append((TITLES[model], *features, f"{maps} ({cell} {unit})"))
    return [
        html.heading(f"What a shift does ({count} labels)"),
        html.paragraph(f"Test {measure} in per cent, the pictures moved {ways}, the mean of these:"),
        html.table(scores),
        html.paragraph("Change of what the head sees, and of the maps beside the shifted maps, in per cent:"),
        html.table(changes),
        html.paragraph(
            "0 is the same, 100 as different as two unrelated pictures. A CNN's maps move with the picture "
            "(translation equivariance), but for borders; a Transformer's tokens need not. What moves in "
            f"from outside is {behind}. On at most {MOST} test pictures; “in place” on all."
        ),
    ]


def networks(school: Trainer, finals: list[Final], finished: StudyResult) -> list[str]:
    """Parameters, operations and seconds."""
    rows = [("", "parameters", "FLOPs a picture", "training, s (at most)")]
    sizes: dict[str, int] = {}
    for model in MODELS:
        found = [f.result for f in finals if f.model == model]
        sizes[model] = found[0]["parameters"]
        seconds = max(result["training_seconds"] for result in found)
        name = f"{TITLES[model]} ({school.cnn})" if model == CNN else TITLES[model]
        rows.append((name, amount(sizes[model]), amount(found[0]["flops"]), f"{seconds:.0f}"))
    pretrained = next(finished.results[u.name] for u in finished.plan.units if u.kind == PRETRAIN)
    rows.append(
        (
            "pretraining, a picture and step",
            amount(pretrained["parameters"]),
            amount(pretrained["flops"]),
            f"{pretrained['training_seconds']:.0f}",
        )
    )
    factor = max(sizes.values()) / min(sizes.values())
    text = f"Parameters differ by a factor of {factor:.2f}"
    text += (
        ": not of equal size, which the comparison must be read with."
        if factor > ROUGHLY
        else ": about equal."
    )
    return [html.heading("The networks"), html.table(rows), html.paragraph(text)]


def tuning(school: Trainer, finals: list[Final], validation: str, chosen: dict[str, Any]) -> list[str]:
    """Which rates were tried and which were chosen."""
    rates = sorted(set(chosen["rates"]))
    rows: list[tuple[str, ...]] = [("labels", *(TITLES[model] for model in MODELS))]
    edge = False
    for count in dict.fromkeys(f.labels for f in finals):
        cells: list[str] = []
        for model in MODELS:
            rate = next(f.result["rate"] for f in finals if (f.model, f.labels) == (model, count))
            edge |= len(rates) > 1 and rate in (rates[0], rates[-1])
            cells.append(f"x {rate:g} = {school.rate(model, rate):.2g}")
        rows.append((str(count), *cells))
    texts = [
        f"The same rates for each network and size: {listed([f'{r:g}' for r in rates])} times the base rate "
        f"of its recipe, tried with {min(chosen['tuning_seeds'], chosen['seeds'])} seed(s) and chosen by "
        f"{validation}; the test pictures were not looked at. Chosen:",
    ]
    if edge:
        texts.append(
            "Some chosen rates lie at the edge of what was tried: a wider grid may find better ones."
        )
    if len(rates) == 1:
        texts = ["One rate for each network, its recipe's times this: nothing was tuned."]
    return [
        html.heading("Learning rates"),
        html.paragraph(texts[0]),
        html.table(rows),
        *map(html.paragraph, texts[1:]),
    ]
