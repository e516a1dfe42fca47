"""The report of the mask-ratio study: Fig. 5 of the MAE paper, on the user's own pictures."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any

import numpy as np

from kakera.data.images.resize import visible
from kakera.explain.picture import png, sheet, upright
from kakera.explain.reconstruct import legend
from kakera.formats.bundle import require_mae
from kakera.formats.looking import sheet_rows
from kakera.formats.native import load_model
from kakera.reports import html
from kakera.reports.curves import Curve, draw
from kakera.reports.intervals import interval
from kakera.reports.tables import RESULTS, amount, per_cent, write_csv
from kakera.storage import write_atomically
from kakera.study.mask_ratio.answer import TUNED, Answer, Method, title
from kakera.study.scheduler import UNITS, StudyResult
from kakera.study.setup import StudyData
from kakera.study.study_options import MaskRatioOptions
from kakera.study.study_page import settings, time_and_command, write_costs
from kakera.training.preview import preview


def gather(finished: StudyResult) -> Answer:
    """Collect the scores from the results, seeds in order.

    Example:

        >>> from pathlib import Path
        >>> from kakera.study.plan import StudyPlan, WorkUnit
        >>> unit = WorkUnit("tuned", "finetune", {"ratio": 0.75, "labels": 100, "seed": 0})
        >>> finished = StudyResult(Path(), StudyPlan((unit,)), {"tuned": {"score": 0.9}}, {})
        >>> gather(finished).scores
        {('fine-tuned', 100): {0.75: [0.9]}}
    """
    scores: dict[Method, dict[float, list[float]]] = {}
    for row in _records(finished):
        scores.setdefault((row["method"], row["labels"]), {}).setdefault(row["ratio"], []).append(
            row["score"]
        )
    return Answer(scores)


def write(
    finished: StudyResult, material: StudyData, options: MaskRatioOptions, kept: Mapping[float, int]
) -> Answer:
    """Write `results.csv`, `costs.csv` and `report.html`, and return the scores."""
    answer, count = gather(finished), material.grid.count
    rows = [
        (r["ratio"], kept[r["ratio"]], count, r["method"], r["labels"], r["seed"], r["score"])
        for r in _records(finished)
    ]
    header = ("ratio", "visible", "patches", "method", "labels", "seed", "score")
    write_csv(finished.folder / RESULTS, header, rows)
    write_costs(finished)
    page = _page(finished, material, options, kept, answer)
    write_atomically(finished.folder / "report.html", page.encode())
    return answer


def _records(finished: StudyResult) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for unit in finished.plan.units:
        result, at = finished.results[unit.name], unit.values
        if unit.kind == "finetune":
            found.append({**at, "method": TUNED, "score": result["score"]})
        for score in result.get("scores", ()):
            name = {"mean": "probe on the mean", "class": "probe on the class token"}[score["pool"]]
            found.append({**at, "method": name, "labels": score["labels"], "score": score["score"]})
    return found


def _page(
    finished: StudyResult,
    material: StudyData,
    options: MaskRatioOptions,
    kept: Mapping[float, int],
    answer: Answer,
) -> str:
    tuned = [method for method in answer.methods() if method[0] == TUNED]
    probed = [method for method in answer.methods() if method[0] != TUNED]
    measure = "mean average precision" if material.dataset.multi_label else "accuracy"
    texts = [text for method in answer.methods() if (text := answer.paper(method))]
    share = {ratio: 100 * (1 - keep / material.grid.count) for ratio, keep in kept.items()}

    def figure(methods: list[tuple[str, int]]) -> str:
        curves = [
            Curve(title(m), [share[r] for r in kept], [interval(answer.scores[m][r]) for r in kept])
            for m in methods
        ]
        return html.drawing(
            draw(curves, x="patches hidden, per cent", y=f"test {measure}, per cent", scale=100),
            caption=f"Means and 95 % intervals over {finished.plan.chosen['seeds']} seeds; true shares.",
        )

    return html.page(
        f"Which mask ratio? {material.dataset.name}",
        html.paragraph("Question: which mask ratio is best for a masked autoencoder on these pictures?"),
        html.paragraph("Answer: " + " ".join(answer.sentences())),
        html.heading("Fine-tuning"),
        figure(tuned),
        html.heading("Probes on frozen tokens (ridge regression)"),
        figure(probed),
        html.heading("Results"),
        _table(answer, kept, material.grid.count),
        html.paragraph(
            f"Test {measure} in per cent: mean ± half of the 95 % t-interval over the seeds. “Significant” "
            "means significant at 5 %, from paired differences over the seeds (same labels, same initial "
            "weights), after the Holm correction over all ratios."
        ),
        *([html.heading("Comparison with the paper's 75 %"), *map(html.paragraph, texts)] if texts else []),
        html.heading("Costs of each ratio"),
        _costs(finished, kept),
        html.heading("The same pictures at each ratio"),
        html.picture(_sheet(finished, material, kept), caption=_legend(finished, material, kept)),
        html.heading("What would change the answer"),
        html.paragraph(
            "Longer pretraining: the paper uses 800 epochs. Another patch size: 75 % of few large patches is "
            "another task than 75 % of many small ones. Learning rates tuned for each ratio: here all ratios "
            "use one recipe. More seeds, which narrow the intervals. In the MAE paper (ViT-L, ImageNet), "
            "75 % is best for both, and fine-tuning changes little from 40 to 80 %."
        ),
        *settings(material, finished.plan.chosen),
        *time_and_command(finished, "mask-ratio", options),
    )


def _table(answer: Answer, kept: Mapping[float, int], count: int) -> str:
    rows = [("hidden", "visible patches", *(title(m) for m in answer.methods()))]
    for ratio, keep in kept.items():
        cells = (per_cent(interval(answer.scores[m][ratio])) for m in answer.methods())
        rows.append((f"{ratio:.0%}", f"{keep} of {count}", *cells))
    return html.table(rows)


def _costs(finished: StudyResult, kept: Mapping[float, int]) -> str:
    rows = [("hidden", "pretraining, s", "relative", "FLOPs per picture and step", "FLOPs of a pretraining")]
    units = [unit for unit in finished.plan.units if unit.kind == "pretrain"]
    seconds, flops, whole = dict[float, float](), dict[float, int](), dict[float, float]()
    for ratio in kept:
        found = [finished.results[unit.name] for unit in units if unit.values["ratio"] == ratio]
        seconds[ratio] = median(result["training_seconds"] for result in found)
        flops[ratio] = found[0]["flops"]
        whole[ratio] = found[0]["flops"] * found[0]["pictures_seen"]
    longest = max(seconds.values()) or 1.0
    for ratio in kept:
        rows.append(
            (
                f"{ratio:.0%}",
                f"{seconds[ratio]:.0f}",
                f"{seconds[ratio] / longest:.2f}",
                amount(flops[ratio]),
                amount(whole[ratio]),
            )
        )
    return html.table(rows)


def _sheet(finished: StudyResult, material: StudyData, kept: Mapping[float, int]) -> bytes:
    """Return a PNG with two rows for each picture, and nested masks.

    The first row has the original and the visible patches at each ratio, the second row the original and the
    reconstructions.
    """
    seed = finished.plan.chosen["seed"]
    columns: list[Any] = []
    for ratio in kept:
        saved = require_mae(load_model(finished.folder / UNITS / f"pretrain-{ratio:g}-s{seed}"))
        looked = preview(material.shown, saved.front_end)
        samples = looked.batch.samples.numpy()
        found = sheet_rows(saved, looked.pictures, looked.padding, samples, ratio, seed=0)
        columns.append(upright(found, saved.inputs))
    whole = columns[0][:, :1]
    seen = np.concatenate([whole, *(column[:, 1:2] for column in columns)], axis=1)
    guessed = np.concatenate([whole, *(column[:, 2:] for column in columns)], axis=1)
    return png(sheet(visible(np.stack([seen, guessed], axis=1).reshape(-1, *seen.shape[1:]))))


def _legend(finished: StudyResult, material: StudyData, kept: Mapping[float, int]) -> str:
    seed = finished.plan.chosen["seed"]
    saved = require_mae(load_model(finished.folder / UNITS / f"pretrain-{next(iter(kept)):g}-s{seed}"))
    ratios = ", ".join(f"{ratio:.0%}" for ratio in kept)
    return (
        f"Two rows for each of {len(material.shown)} test pictures, from left to right: the original, then "
        f"{ratios} hidden. Upper rows: the visible patches; lower rows: the reconstruction. A larger ratio "
        f"also hides all patches that a smaller ratio hides. ({legend(saved.model)}.)"
    )
