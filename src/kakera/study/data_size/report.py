"""The report of the data-size study: HTML page and CSV files."""

from __future__ import annotations

from typing import Any

from kakera.option_fields import or_none
from kakera.reports import html
from kakera.reports.curves import Curve, draw
from kakera.reports.intervals import interval
from kakera.reports.tables import RESULTS, write_csv
from kakera.storage import write_atomically
from kakera.study.data_size import tables
from kakera.study.data_size.answer import TITLES, Comparison
from kakera.study.data_size.tables import Final
from kakera.study.data_size.work import MODELS, Trainer
from kakera.study.scheduler import StudyResult
from kakera.study.setup import FINETUNE, PRETRAIN
from kakera.study.study_options import DataSizeOptions
from kakera.study.study_page import settings, time_and_command, write_costs

TUNE, FINAL, LONGER = "tune", "final", "longer"


def write(finished: StudyResult, trainer: Trainer, options: DataSizeOptions, validation: str) -> Comparison:
    """Write `results.csv`, `costs.csv` and `report.html`, and return the comparison of the networks."""
    finals = [
        Final(u.values["model"], u.values["labels"], u.values["seed"], finished.results[u.name])
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
    page = _page(finished, trainer, options, validation, comparison, finals)
    write_atomically(finished.folder / "report.html", page.encode())
    return comparison


def _records(finished: StudyResult, finals: list[Final]) -> list[tuple[object, ...]]:
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
    for at, result in _longer(finished):
        network = f"{at['model']} after {at['epochs']:g} epochs"
        rows.append((network, at["labels"], at["seed"], f"{result['rate']:g}", "test", result["test"]))
    return rows


def _longer(finished: StudyResult) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Return settings and results of the trainings after longer pretrainings."""
    return [(u.values, finished.results[u.name]) for u in finished.plan.units if u.kind == LONGER]


def _page(
    finished: StudyResult,
    trainer: Trainer,
    options: DataSizeOptions,
    validation: str,
    comparison: Comparison,
    finals: list[Final],
) -> str:
    measure = "mean average precision" if trainer.material.dataset.multi_label else "accuracy"
    ends, crossed, advice = comparison.sentences()
    counts, chosen = comparison.counts, finished.plan.chosen
    curves = [
        Curve(TITLES[model], counts, [interval(comparison.scores[model][count]) for count in counts])
        for model in MODELS
    ]
    picture = draw(curves, x="labels", y=f"test {measure}, per cent", logarithmic=len(counts) > 1, scale=100)
    caption = f"Means and 95 % intervals over {comparison.seeds} seeds."
    return html.page(
        f"CNN, Transformer or masked autoencoder? {trainer.material.dataset.name}",
        html.paragraph("Question: which network is best for these pictures, at each number of labels?"),
        html.paragraph(f"Answer: {ends} {crossed}"),
        html.paragraph(f"Recommendation: {advice}"),
        html.drawing(picture, caption=caption),
        *tables.numbers(comparison, measure),
        *tables.longer(comparison, _longer(finished), measure, _epochs(trainer, chosen)),
        *tables.saturation(finals),
        *tables.shifted(finals, comparison, measure),
        *tables.networks(trainer, finals, finished),
        *tables.tuning(trainer, finals, validation, chosen),
        html.heading("What would change the answer"),
        html.paragraph(_changes(trainer, chosen)),
        *settings(trainer.material, chosen),
        *time_and_command(finished, "data-size", options),
    )


def _epochs(trainer: Trainer, chosen: dict[str, Any]) -> float:
    return or_none(chosen["pretrain_epochs"]) or trainer.material.recipes[PRETRAIN].epochs


def _changes(trainer: Trainer, chosen: dict[str, Any]) -> str:
    shared = chosen["pretrainings"]
    spread = (
        "All seeds share one pretraining, so the intervals do not include its variation. "
        if shared == 1
        else f"The seeds share {shared} pretrainings. "
    )
    head = getattr(trainer.material.recipes[FINETUNE], "head", "zero")
    start = "Its head starts from ridge regression on frozen tokens. " if head == "ridge" else ""
    return (
        "Longer pretraining, or more pictures without labels, helps only the ViT after the MAE. Longer "
        "schedules help the networks that the check above lists. Stronger augmentation helps Transformers "
        "from scratch most. The ViT after the MAE was pretrained on all training pictures, without labels. "
        f"{spread}{start}With all labels, the repetitions differ only in initial weights and order. The "
        "rates were chosen with more labelled pictures than the smallest sizes have, the same ones for all "
        "networks. According to the lecture, the CNN is better with few labels, and the Transformer with "
        "very many (millions of pictures)."
    )
