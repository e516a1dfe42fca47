"""The sections of the data-size report: tables with explanations."""

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
    """The results of one trained network.

    Example:

        >>> result = {"train": 1.0, "late_gain": 0.0, "steps": 100}
        >>> Final(VIT, labels=100, seed=0, result=result).labels
        100
    """

    model: str
    labels: int
    seed: int
    result: dict[str, Any]


def numbers(comparison: Comparison, measure: str) -> list[str]:
    """Return the section with scores, paired differences, and crossings.

    Example:

        >>> comparison = Comparison({model: {10: [0.5, 0.6]} for model in MODELS})
        >>> "Results" in numbers(comparison, "accuracy")[0]
        True
    """
    counts = comparison.counts
    header = ("", *(f"{count} labels" for count in counts))
    rows = [
        (TITLES[m], *(per_cent(interval(comparison.scores[m][count])) for count in counts)) for m in MODELS
    ]
    gaps = [(f"{TITLES[a]} − {TITLES[b]}", *map(points, comparison.differences(a, b))) for a, b in PAIRS]
    crossed = [comparison.crossing(a, b) + "." for a, b in PAIRS]
    return [
        html.heading("Results"),
        html.table([header, *rows]),
        html.paragraph(
            f"Test {measure} in per cent: mean ± half of the 95 % t-interval over {comparison.seeds} seeds. "
            "Each seed draws the labels (nested, class-balanced subsets), initial weights and order."
        ),
        html.table([header, *gaps]),
        html.paragraph(
            "Differences in percentage points, paired by seed: all networks use the same labels. "
            "“Significant” means significant at 5 % after the Holm correction over all differences of a row."
        ),
        *(html.paragraph(capital(text)) for text in crossed),
    ]


def longer(
    comparison: Comparison,
    found: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]],
    measure: str,
    epochs: float,
) -> list[str]:
    """Return the section on longer pretrainings and their advantage over the other networks.

    It is empty without longer pretrainings.

    Example:

        >>> comparison = Comparison({model: {10: [0.5, 0.6]} for model in MODELS})
        >>> found = [({"epochs": 200.0, "labels": 10}, {"test": score}) for score in (0.6, 0.7)]
        >>> "Effect of longer pretraining" in longer(comparison, found, "accuracy", epochs=100.0)[0]
        True
    """
    if not found:
        return []
    scores = {epochs: comparison.scores[MAE]}
    for at, result in found:
        by_count = scores.setdefault(at["epochs"], {})
        by_count.setdefault(at["labels"], []).append(result["test"])
    counts = comparison.counts
    rows = [("epochs", *(f"{count} labels" for count in counts))]
    gaps = [("epochs, compared with", *(f"{count} labels" for count in counts))]
    for length in sorted(scores):
        by_count = scores[length]
        rows.append((f"{length:g}", *(per_cent(interval(by_count[count])) for count in counts)))
        for other in (VIT, CNN):
            others = comparison.scores[other]
            differences = [points(paired(by_count[count], others[count])) for count in counts]
            gaps.append((f"{length:g}, − {TITLES[other]}", *differences))
    return [
        html.heading("Effect of longer pretraining"),
        html.paragraph(
            f"{capital(TITLES[MAE])}: test {measure} in per cent after each number of pretraining epochs, "
            f"fine-tuned at the rates that were chosen after {epochs:g} epochs:"
        ),
        html.table(rows),
        html.paragraph("Differences to the other networks in percentage points, paired by seed:"),
        html.table(gaps),
    ]


def saturation(finals: list[Final]) -> list[str]:
    """Return the section on trainings that were too short.

    Example:

        >>> final = Final(VIT, 100, 0, {"train": 0.5, "late_gain": 0.1, "steps": 100})
        >>> "Warning: trainings that were too short" in saturation([final])[1]
        True
    """
    short = [f for f in finals if cut_short(f.result["train"], f.result["late_gain"])]
    places = dict.fromkeys((f.model, f.labels) for f in short)
    rows = [("", "labels", "steps", f"training pictures correct, % (of at most {SAMPLE})", "late gain")]
    for model, labels in dict.fromkeys((f.model, f.labels) for f in finals):
        group = [f.result for f in finals if (f.model, f.labels) == (model, labels)]
        gains = [result["late_gain"] for result in group if result["late_gain"] is not None]
        gain = f"{100 * max(gains):.1f} %" if gains else "–"
        train = per_cent(interval([result["train"] for result in group]))
        rows.append((TITLES[model], str(labels), str(group[0]["steps"]), train, gain))
    text = (
        "No training was too short: each network fits its training pictures, or its loss had stopped falling."
    )
    if places:
        where = listed([f"{TITLES[model]} at {labels} labels" for model, labels in places])
        text = f"Warning: trainings that were too short, so more epochs may change the order: {where}."
    return [
        html.heading("Were the schedules long enough?"),
        html.paragraph(text),
        html.table(rows),
        html.paragraph(
            "Late gain: the share by which the last quarter of the steps lowered the training loss. A "
            "training counts as too short with less than 99 % of its training pictures correct and a late "
            "gain above 2 %, or with less than 90 % correct."
        ),
    ]


def shifted(finals: list[Final], comparison: Comparison, measure: str) -> list[str]:
    """Return the section on the effect of shifts of the test pictures.

    Example:

        >>> comparison = Comparison({model: {10: [0.5]} for model in MODELS})
        >>> moved = {"scores": {"1": 0.4}, "features": {"1": 0.1}, "maps": 0.2, "cell": 4}
        >>> finals = [Final(model, 10, 0, {"test": 0.5, "moved": moved}) for model in MODELS]
        >>> "Effect of a shift (10 labels)" in shifted(finals, comparison, "accuracy")[0]
        True
    """
    count = comparison.counts[-1]
    group = {m: [f.result for f in finals if (f.model, f.labels) == (m, count)] for m in MODELS}
    shifts = list(group[MAE][0]["moved"]["scores"])

    def row(model: str, value: Callable[[dict[str, Any]], float], scale: float) -> str:
        mean = interval([scale * value(result) for result in group[model]])
        half = f" ± {mean.half:.1f}" if mean.count > 1 else ""
        return f"{mean.mean:.1f}{half}"

    unit = group[MAE][0]["moved"].get("unit", "px")
    ways, behind = ("in four directions", "black, as in training")
    if unit == "frames":
        ways, behind = ("forward and backward in time", "the mean, like padding")
    scores = [("", "not shifted", *(f"by {n} {unit}" for n in shifts))]
    changes = [("", *(f"by {n} {unit}" for n in shifts), "maps, by one cell")]
    for model in MODELS:
        moved = [row(model, lambda r, n=n: r["moved"]["scores"][n], 100) for n in shifts]
        scores.append((TITLES[model], row(model, lambda r: r["test"], 100), *moved))
        features = [row(model, lambda r, n=n: r["moved"]["features"][n], 100) for n in shifts]
        cell = group[model][0]["moved"]["cell"]
        maps = row(model, lambda r: r["moved"]["maps"], 100)
        changes.append((TITLES[model], *features, f"{maps} ({cell} {unit})"))
    return [
        html.heading(f"Effect of a shift ({count} labels)"),
        html.paragraph(f"Test {measure} in per cent with shifted test pictures, the mean of shifts {ways}:"),
        html.table(scores),
        html.paragraph(
            "Change in per cent of the features (the input of the head), and of the maps compared with the "
            "shifted maps:"
        ),
        html.table(changes),
        html.paragraph(
            "0 means equal; 100 means as different as two unrelated pictures. The maps of a CNN move with "
            "the picture (translation equivariance), except near borders; the tokens of a Transformer need "
            f"not. New pixels at the border are {behind}. At most {MOST} test pictures are shifted; “not "
            "shifted” uses all of them."
        ),
    ]


def networks(trainer: Trainer, finals: list[Final], finished: StudyResult) -> list[str]:
    """Return the section with parameters, FLOPs and training seconds.

    Example:

        >>> from types import SimpleNamespace
        >>> from kakera.study.plan import StudyPlan, WorkUnit
        >>> result = {"parameters": 1e6, "flops": 1e7, "training_seconds": 60.0}
        >>> finals = [Final(model, 10, 0, result) for model in MODELS]
        >>> plan = SimpleNamespace(plan=StudyPlan((WorkUnit("p", PRETRAIN, {}),)), results={"p": result})
        >>> networks(SimpleNamespace(cnn="resnet-micro"), finals, plan)[-1]
        '<p>Parameters differ by a factor of 1.00: about equal.</p>'
    """
    rows = [("", "parameters", "FLOPs per picture", "training, s (longest)")]
    sizes: dict[str, int] = {}
    for model in MODELS:
        found = [f.result for f in finals if f.model == model]
        sizes[model] = found[0]["parameters"]
        seconds = max(result["training_seconds"] for result in found)
        name = f"{TITLES[model]} ({trainer.cnn})" if model == CNN else TITLES[model]
        rows.append((name, amount(sizes[model]), amount(found[0]["flops"]), f"{seconds:.0f}"))
    pretrained = next(finished.results[u.name] for u in finished.plan.units if u.kind == PRETRAIN)
    rows.append(
        (
            "pretraining, per picture and step",
            amount(pretrained["parameters"]),
            amount(pretrained["flops"]),
            f"{pretrained['training_seconds']:.0f}",
        )
    )
    factor = max(sizes.values()) / min(sizes.values())
    text = f"Parameters differ by a factor of {factor:.2f}"
    text += (
        ": the networks are not of equal size, so compare them with care."
        if factor > ROUGHLY
        else ": about equal."
    )
    return [html.heading("The networks"), html.table(rows), html.paragraph(text)]


def tuning(trainer: Trainer, finals: list[Final], validation: str, chosen: dict[str, Any]) -> list[str]:
    """Return the section on the tried and the chosen learning rates.

    Example:

        >>> from types import SimpleNamespace
        >>> trainer = SimpleNamespace(rate=lambda model, multiple: 0.001 * multiple)
        >>> finals = [Final(model, 10, 0, {"rate": 1.0}) for model in MODELS]
        >>> chosen = {"rates": [1.0], "tuning_seeds": 1, "seeds": 1}
        >>> "Learning rates" in tuning(trainer, finals, "the val part", chosen)[0]
        True
    """
    rates = sorted(set(chosen["rates"]))
    rows: list[tuple[str, ...]] = [("labels", *(TITLES[model] for model in MODELS))]
    edge = False
    for count in dict.fromkeys(f.labels for f in finals):
        cells: list[str] = []
        for model in MODELS:
            rate = next(f.result["rate"] for f in finals if (f.model, f.labels) == (model, count))
            edge |= len(rates) > 1 and rate in (rates[0], rates[-1])
            cells.append(f"x {rate:g} = {trainer.rate(model, rate):.2g}")
        rows.append((str(count), *cells))
    texts = [
        f"The tried rates are {listed([f'{r:g}' for r in rates])} times the base rate of the recipe, for "
        f"each network and size, with {min(chosen['tuning_seeds'], chosen['seeds'])} seed(s). They "
        f"were chosen on {validation}; the test pictures were not used. Chosen rates:",
    ]
    if edge:
        texts.append(
            "Some chosen rates are the smallest or largest of the tried rates: a wider range may be better."
        )
    if len(rates) == 1:
        texts = ["Each network has one rate, a multiple of its recipe rate. No rates were tuned."]
    return [
        html.heading("Learning rates"),
        html.paragraph(texts[0]),
        html.table(rows),
        *map(html.paragraph, texts[1:]),
    ]
