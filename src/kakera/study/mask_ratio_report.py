"""The page of the mask-ratio study: Fig. 5 of the MAE paper, on the user's own pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean, median
from typing import Any

import numpy as np
import torch

from kakera import chance
from kakera.data.loader import evaluation_batches
from kakera.explain.picture import png, sheet
from kakera.explain.reconstruct import legend, reconstructions
from kakera.formats.native import load_model, write_atomically
from kakera.model.mae import MaskedAutoencoder
from kakera.model.masking import random
from kakera.study import report
from kakera.study.conduct import UNITS, Finished
from kakera.study.curves import Curve, draw
from kakera.study.intervals import interval, paired, signs
from kakera.study.ledger import RESULTS, amount, per_cent, points, write_csv
from kakera.study.material import Material
from kakera.study.study_options import MaskRatioOptions
from kakera.study.study_page import listed, settings, time_and_command, write_costs

PAPER = 0.75
TUNED = "fine-tuned"
Method = tuple[str, int]
"""What reads the tokens, and with how many labels."""


@dataclass(frozen=True)
class Answer:
    """Scores of each method at each ratio, one a seed."""

    scores: dict[Method, dict[float, list[float]]]

    def methods(self) -> list[Method]:
        """Fine-tuning first, then the probes; few labels before many."""
        return sorted(self.scores, key=lambda m: (m[0] != TUNED, m[0], m[1]))

    def best(self, method: Method) -> float:
        """The ratio with the highest mean."""
        by_ratio = self.scores[method]
        return max(by_ratio, key=lambda ratio: fmean(by_ratio[ratio]))

    def judged(self, method: Method) -> dict[float, bool]:
        """For each other ratio: is it worse than the best outside the noise?"""
        by_ratio, best = self.scores[method], self.best(method)
        others = [ratio for ratio in by_ratio if ratio != best]
        found = signs([paired(by_ratio[best], by_ratio[ratio]) for ratio in others])
        return {ratio: sign > 0 for ratio, sign in zip(others, found, strict=True)}

    def sentence(self, method: Method) -> str:
        """Which ratio is best, and which ones cannot be told from it."""
        best, judged, by_ratio = self.best(method), self.judged(method), self.scores[method]
        seeds, value = len(by_ratio[best]), per_cent(interval(by_ratio[best]))
        opening = f"{title(method)}: {best:.0%} hidden has the highest mean, {value} %"
        if seeds < 2:
            return f"{opening}; with one seed there is no spread, so nothing is claimed."
        alike = [f"{ratio:.0%}" for ratio, worse in judged.items() if not worse]
        worse = [f"{ratio:.0%}" for ratio, worse in judged.items() if worse]
        parts = [f"{listed(alike)} cannot be told from it over {seeds} seeds"] if alike else []
        parts += [f"{listed(worse)} fall{'s' if len(worse) == 1 else ''} behind outside the noise"] * bool(
            worse
        )
        return "; ".join([opening, *parts]) + "."

    def sentences(self) -> list[str]:
        """The answer: of fine-tuning with the most labels, and of the better probe with the most."""
        tuned = [method for method in self.methods() if method[0] == TUNED]
        probed = [method for method in self.methods() if method[0] != TUNED]
        probe = max(probed, key=lambda m: (m[1], fmean(self.scores[m][self.best(m)])))
        return [self.sentence(tuned[-1]), self.sentence(probe)]

    def paper(self, method: Method) -> str:
        """The paper's 75 %, beside what is best here."""
        known = next((ratio for ratio in self.scores[method] if abs(ratio - PAPER) < 1e-9), None)
        if known is None or known == self.best(method):
            return ""
        by_ratio = self.scores[method]
        gap = paired(by_ratio[self.best(method)], by_ratio[known])
        told = "is outside" if self.judged(method)[known] else "is inside"
        return f"{title(method)}: {self.best(method):.0%} − 75 % is {points(gap)} points, which {told} the noise."


def title(method: Method) -> str:
    """A method in words."""
    return f"{method[0]}, {method[1]} labels"


def gather(finished: Finished) -> Answer:
    """The scores out of the results, seeds in order."""
    scores: dict[Method, dict[float, list[float]]] = {}
    for row in _records(finished):
        scores.setdefault((row["method"], row["labels"]), {}).setdefault(row["ratio"], []).append(
            row["score"]
        )
    return Answer(scores)


def write(
    finished: Finished, material: Material, options: MaskRatioOptions, kept: Mapping[float, int]
) -> Answer:
    """`results.csv`, `costs.csv` and `report.html`."""
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


def _records(finished: Finished) -> list[dict[str, Any]]:
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
    finished: Finished,
    material: Material,
    options: MaskRatioOptions,
    kept: Mapping[float, int],
    answer: Answer,
) -> str:
    tuned = [method for method in answer.methods() if method[0] == TUNED]
    probed = [method for method in answer.methods() if method[0] != TUNED]
    measure = "mean average precision" if material.dataset.several else "accuracy"
    texts = [text for method in answer.methods() if (text := answer.paper(method))]
    share = {ratio: 100 * (1 - keep / material.grid.count) for ratio, keep in kept.items()}

    def figure(methods: list[tuple[str, int]]) -> str:
        curves = [
            Curve(title(m), [share[r] for r in kept], [interval(answer.scores[m][r]) for r in kept])
            for m in methods
        ]
        return report.drawing(
            draw(curves, x="patches hidden, per cent", y=f"test {measure}, per cent", scale=100),
            caption=f"Means and 95 % intervals over {finished.plan.chosen['seeds']} seeds, at the true shares.",
        )

    return report.page(
        f"Which masking ratio? {material.dataset.name}",
        report.paragraph(
            "Question: how large a share of the patches should a masked autoencoder hide, for these pictures?"
        ),
        report.paragraph("Answer: " + " ".join(answer.sentences())),
        report.heading("Fine-tuning"),
        figure(tuned),
        report.heading("Probes on frozen tokens (ridge regression)"),
        figure(probed),
        report.heading("The numbers"),
        _table(answer, kept, material.grid.count),
        report.paragraph(
            f"Test {measure} in per cent, mean ± half of the 95 % t-interval over the seeds. “Behind” and "
            "“cannot be told” come from paired differences over the seeds (same labels, same first weights), "
            "all ratios judged together (Holm)."
        ),
        *([report.heading("Beside the paper's 75 %"), *map(report.paragraph, texts)] if texts else []),
        report.heading("What each ratio costs"),
        _costs(finished, kept),
        report.heading("The same pictures at each ratio"),
        report.picture(_sheet(finished, material, kept), caption=_legend(finished, material, kept)),
        report.heading("What would change the answer"),
        report.paragraph(
            "Longer pretraining, which the paper gives 800 epochs; another patch size, since 75 % of few large "
            "patches is another task than 75 % of many small ones; rates of fine-tuning tuned for each ratio, "
            "where here one recipe serves all; more seeds, which narrow the intervals. The MAE paper (ViT-L, "
            "ImageNet) finds 75 % best for both, with fine-tuning flat from 40 to 80 %."
        ),
        *settings(material, finished.plan.chosen),
        *time_and_command(finished, "mask-ratio", options),
    )


def _table(answer: Answer, kept: Mapping[float, int], count: int) -> str:
    rows = [("hidden", "visible patches", *(title(m) for m in answer.methods()))]
    for ratio, keep in kept.items():
        cells = (per_cent(interval(answer.scores[m][ratio])) for m in answer.methods())
        rows.append((f"{ratio:.0%}", f"{keep} of {count}", *cells))
    return report.table(rows)


def _costs(finished: Finished, kept: Mapping[float, int]) -> str:
    rows = [("hidden", "pretraining, s", "relative", "FLOPs a picture and step", "FLOPs of a pretraining")]
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
    return report.table(rows)


def _sheet(finished: Finished, material: Material, kept: Mapping[float, int]) -> bytes:
    """Two rows a picture: it and what the encoder sees at each ratio; it and the guesses. Masks are nested."""
    seed = finished.plan.chosen["seed"]
    columns: list[Any] = []
    for ratio in kept:
        saved = load_model(finished.folder / UNITS / f"pretrain-{ratio:g}-s{seed}")
        assert isinstance(saved.model, MaskedAutoencoder)
        batch = next(evaluation_batches(material.shown, saved.inputs.size, batch=len(material.shown)))
        noise = chance.uniform(0, 0, batch.samples.numpy(), "shown mask", material.grid.count)
        hidden = torch.from_numpy(random(noise, material.grid, ratio))
        columns.append(reconstructions(saved.model, saved.inputs, batch.pictures, hidden))
    whole = columns[0][:, :1]
    seen = np.concatenate([whole, *(column[:, 1:2] for column in columns)], axis=1)
    guessed = np.concatenate([whole, *(column[:, 2:] for column in columns)], axis=1)
    return png(sheet(np.stack([seen, guessed], axis=1).reshape(-1, *seen.shape[1:])))


def _legend(finished: Finished, material: Material, kept: Mapping[float, int]) -> str:
    seed = finished.plan.chosen["seed"]
    saved = load_model(finished.folder / UNITS / f"pretrain-{next(iter(kept)):g}-s{seed}")
    assert isinstance(saved.model, MaskedAutoencoder)
    ratios = ", ".join(f"{ratio:.0%}" for ratio in kept)
    return (
        f"Two rows for each of {len(material.shown)} test pictures, from left to right: the original, then "
        f"{ratios} hidden. Upper rows: what the encoder sees; lower rows: what it makes of it. What a smaller "
        f"ratio hides a larger one hides too. ({legend(saved.model)}.)"
    )
