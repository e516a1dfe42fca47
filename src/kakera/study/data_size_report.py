"""The page of the data-size study."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kakera.formats.native import write_atomically
from kakera.study import report
from kakera.study.conduct import Finished
from kakera.study.curves import Curve, draw
from kakera.study.data_size_answer import PAIRS, TITLES, Comparison
from kakera.study.data_size_work import MAE, MODELS, SAMPLE, School
from kakera.study.intervals import interval
from kakera.study.ledger import RESULTS, amount, per_cent, points, write_csv
from kakera.study.material import FINETUNE, PRETRAIN
from kakera.study.moved import MOST
from kakera.study.saturation import cut_short
from kakera.study.study_options import DataSizeOptions
from kakera.study.study_page import listed, settings, time_and_command, write_costs

ROUGHLY = 1.2  # networks whose parameters differ by more than this factor are not of equal size
TUNE, FINAL = "tune", "final"


@dataclass(frozen=True)
class _Final:
    """The measures of one trained network."""

    model: str
    labels: int
    seed: int
    result: dict[str, Any]


def write(finished: Finished, school: School, options: DataSizeOptions, validation: str) -> Comparison:
    """`results.csv`, `costs.csv` and `report.html`."""
    finals = [
        _Final(u.values["model"], u.values["labels"], u.values["seed"], finished.results[u.name])
        for u in finished.plan.units
        if u.kind == FINAL
    ]
    scores: dict[str, dict[int, list[float]]] = {}
    for final in finals:
        by_count = scores.setdefault(final.model, {})
        by_count.setdefault(final.labels, []).append(final.result["test"])
    comparison = Comparison(scores)
    header = ("network", "labels", "seed", "rate", "measure", "value")
    write_csv(finished.folder / RESULTS, header, _records(finished, finals))
    write_costs(finished)
    page = _page(finished, school, options, validation, comparison, finals)
    write_atomically(finished.folder / "report.html", page.encode())
    return comparison


def _records(finished: Finished, finals: list[_Final]) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = []
    for unit in finished.plan.units:
        if unit.kind == TUNE:
            at, score = unit.values, finished.results[unit.name]["validation"]
            rows.append((at["model"], at["labels"], at["seed"], f"{at['rate']:g}", "validation", score))
    for final in finals:
        at = (final.model, final.labels, final.seed, f"{final.result['rate']:g}")
        shift = final.result["moved"]
        rows += [(*at, "test", final.result["test"]), (*at, "train", final.result["train"])]
        rows += [(*at, f"test moved by {n}", round(v, 4)) for n, v in shift["scores"].items()]
        rows += [(*at, f"features moved by {n}", round(v, 4)) for n, v in shift["features"].items()]
        rows.append((*at, f"maps moved by a cell of {shift['cell']}", round(shift["maps"], 4)))
    return rows


def _page(
    finished: Finished,
    school: School,
    options: DataSizeOptions,
    validation: str,
    comparison: Comparison,
    finals: list[_Final],
) -> str:
    measure = "mean average precision" if school.material.dataset.several else "accuracy"
    ends, crossed, advice = comparison.sentences()
    counts, chosen = comparison.counts, finished.plan.chosen
    curves = [
        Curve(TITLES[model], counts, [interval(comparison.scores[model][count]) for count in counts])
        for model in MODELS
    ]
    picture = draw(curves, x="labels", y=f"test {measure}, per cent", logarithmic=len(counts) > 1, scale=100)
    caption = f"Means and 95 % intervals over {comparison.seeds} seeds."
    return report.page(
        f"CNN, Transformer or masked autoencoder? {school.material.dataset.name}",
        report.paragraph("Question: which network should learn from these pictures, for how many labels?"),
        report.paragraph(f"Answer: {ends} {crossed}"),
        report.paragraph(f"Recommendation: {advice}"),
        report.drawing(picture, caption=caption),
        *_numbers(comparison, measure),
        *_saturation(finals),
        *_shifted(finals, comparison, measure),
        *_networks(school, finals, finished),
        *_tuning(school, finals, validation, chosen),
        report.heading("What would change the answer"),
        report.paragraph(_changes(school, chosen)),
        *settings(school.material, chosen),
        *time_and_command(finished, "data-size", options),
    )


def _numbers(comparison: Comparison, measure: str) -> list[str]:
    counts = comparison.counts
    header = ("", *(f"{count} labels" for count in counts))
    rows = [
        (TITLES[m], *(per_cent(interval(comparison.scores[m][count])) for count in counts)) for m in MODELS
    ]
    gaps = [(f"{TITLES[a]} − {TITLES[b]}", *map(points, comparison.differences(a, b))) for a, b in PAIRS]
    crossed = [comparison.crossing(a, b) + "." for a, b in PAIRS]
    return [
        report.heading("The numbers"),
        report.table([header, *rows]),
        report.paragraph(
            f"Test {measure} in per cent, mean ± half of the 95 % t-interval over {comparison.seeds} seeds. A "
            "seed draws the labels (subsets are nested and class-balanced), first weights and order."
        ),
        report.table([header, *gaps]),
        report.paragraph(
            "Differences in points, paired by seed: all networks saw the same labels. Claims are made where a "
            "difference stays outside the noise with all those of its row judged together (Holm)."
        ),
        *(report.paragraph(text[0].upper() + text[1:]) for text in crossed),
    ]


def _saturation(finals: list[_Final]) -> list[str]:
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
        report.heading("Were the schedules long enough?"),
        report.paragraph(text),
        report.table(rows),
        report.paragraph(
            "Late gain: how much the last quarter of the steps lowered the training loss. A training counts as "
            "cut short with less than 99 % of its training pictures right and a late gain above 2 %."
        ),
    ]


def _shifted(finals: list[_Final], comparison: Comparison, measure: str) -> list[str]:
    count = comparison.counts[-1]
    group = {m: [f.result for f in finals if (f.model, f.labels) == (m, count)] for m in MODELS}
    shifts = list(group[MAE][0]["moved"]["scores"])

    def row(model: str, value: Callable[[dict[str, Any]], float], scale: float) -> str:
        found = interval([scale * value(result) for result in group[model]])
        half = f" ± {found.half:.1f}" if found.count > 1 else ""
        return f"{found.mean:.1f}{half}"

    scores = [("", "in place", *(f"by {n} px" for n in shifts))]
    changes = [("", *(f"by {n} px" for n in shifts), "maps, by one cell")]
    for model in MODELS:
        moved = [row(model, lambda r, n=n: r["moved"]["scores"][n], 100) for n in shifts]
        scores.append((TITLES[model], row(model, lambda r: r["test"], 100), *moved))
        features = [row(model, lambda r, n=n: r["moved"]["features"][n], 100) for n in shifts]
        cell = group[model][0]["moved"]["cell"]
        maps = row(model, lambda r: r["moved"]["maps"], 100)
        changes.append((TITLES[model], *features, f"{maps} ({cell} px)"))
    return [
        report.heading(f"What a shift does ({count} labels)"),
        report.paragraph(f"Test {measure} in per cent, the pictures moved, mean of four directions:"),
        report.table(scores),
        report.paragraph(
            "Change of what the head sees, and of the maps beside the shifted maps, in per cent:"
        ),
        report.table(changes),
        report.paragraph(
            "0 is the same, 100 as different as two unrelated pictures. A CNN's maps move with the picture "
            "(translation equivariance), but for borders; a Transformer's tokens need not. What moves in from "
            f"outside is black, as in training. On at most {MOST} test pictures; “in place” is all of them."
        ),
    ]


def _networks(school: School, finals: list[_Final], finished: Finished) -> list[str]:
    rows = [("", "parameters", "FLOPs a picture", "training, s (at most)")]
    sizes: dict[str, int] = {}
    for model in MODELS:
        found = [f.result for f in finals if f.model == model]
        sizes[model] = found[0]["parameters"]
        seconds = max(result["training_seconds"] for result in found)
        name = f"{TITLES[model]} ({school.cnn})" if model == "cnn" else TITLES[model]
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
    return [report.heading("The networks"), report.table(rows), report.paragraph(text)]


def _tuning(school: School, finals: list[_Final], validation: str, chosen: dict[str, Any]) -> list[str]:
    rates = sorted(set(chosen["rates"]))
    header = ("labels", *(TITLES[model] for model in MODELS))
    rows = [header]
    edge = False
    for count in dict.fromkeys(f.labels for f in finals):
        cells: list[str] = []
        for model in MODELS:
            rate = next(f.result["rate"] for f in finals if (f.model, f.labels) == (model, count))
            edge |= len(rates) > 1 and rate in (rates[0], rates[-1])
            cells.append(f"x {rate:g} = {school.rate(model, rate):.2g}")
        rows.append((str(count), *cells))
    texts = [
        f"The same number of rates for each network and size: {listed([f'{r:g}' for r in rates])} times the base "
        f"rate of its recipe, tried with {min(chosen['tuning_seeds'], chosen['seeds'])} seed(s) and chosen by "
        f"{validation}; the test pictures were not looked at. Chosen:",
    ]
    if edge:
        texts.append(
            "Some chosen rates lie at the edge of what was tried: a wider grid may find better ones."
        )
    if len(rates) == 1:
        texts = ["One rate for each network, its recipe's times this: nothing was tuned."]
    return [
        report.heading("Learning rates"),
        report.paragraph(texts[0]),
        report.table(rows),
        *map(report.paragraph, texts[1:]),
    ]


def _changes(school: School, chosen: dict[str, Any]) -> str:
    shared = chosen["pretrainings"]
    spread = (
        "one pretraining serves all seeds, so the intervals hold nothing of its own luck; "
        if shared == 1
        else f"{shared} pretrainings are shared among the seeds; "
    )
    head = getattr(school.material.recipes[FINETUNE], "head", "zero")
    start = "its head starts from ridge regression on frozen tokens; " if head == "ridge" else ""
    return (
        "Longer pretraining, or more pictures without labels, helps the ViT after the MAE alone; longer "
        "schedules help those that the check above names; stronger augmentation helps Transformers from scratch "
        f"most. The ViT after the MAE has seen all training pictures without their labels; {spread}{start}"
        "with all labels the draws differ in weights and order only. The rates were chosen with more labelled "
        "pictures than the smallest sizes have, the same ones for all networks. The lecture expects the CNN "
        "ahead with few labels and the Transformer with very many (millions of pictures)."
    )
