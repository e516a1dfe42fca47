"""`kakera demo`: the whole path in a few minutes, on pictures that ship inside; ends with a report."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Unpack

import numpy as np
from numpy.typing import NDArray

from kakera.commands.finetune import finetune
from kakera.commands.pretrain import pretrain
from kakera.commands.result import TrainResult
from kakera.data.dataset import Dataset
from kakera.data.sources.open import open_dataset
from kakera.data.split import few
from kakera.explain.reconstruct import legend
from kakera.formats.inference import features
from kakera.model.mae import MAE
from kakera.reports import html
from kakera.storage import write_atomically
from kakera.training.metrics import evaluate
from kakera.training.option_args import DemoArgs
from kakera.training.probes.probes import PROBES

LABELS = (100, 1000)
RECIPE = "demo"
QUICK: dict[str, Any] = {"epochs": 1.0, "min_steps": 1}
BRIEF = (
    "quick: one epoch of each, to see that all of it works; its figures are far below those of the full demo"
)
PIXELS, SCRATCH, PROBE, TUNED = (
    "pixels, logistic regression",
    "ViT from scratch",
    "MAE, frozen, ridge probe",
    "MAE, fine-tuned",
)


@dataclass(frozen=True)
class DemoResult:
    """Accuracies by method and number of labels, and the page that shows them."""

    report: Path
    accuracy: dict[str, dict[int, float]] = field(default_factory=dict)
    quick: bool = False
    """Whether each training took one epoch only."""

    def table(self) -> list[tuple[str, ...]]:
        """Rows of text, the header first, in per cent."""
        counts = sorted({count for row in self.accuracy.values() for count in row})
        header = ("", *(f"{count} labels" for count in counts))
        return [
            header,
            *(
                (name, *(f"{100 * row[count]:.1f}" if count in row else "–" for count in counts))
                for name, row in self.accuracy.items()
            ),
        ]


def demo(
    out: str | Path = "runs/demo",
    *,
    data: str | Path | Dataset = "demo",
    labels: tuple[int, ...] = LABELS,
    recipe: str = RECIPE,
    quick: bool = False,
    **options: Unpack[DemoArgs],
) -> DemoResult:
    """Pretrain without labels, then classify with few of them, four ways; write `report.html` into `out`.

    `quick` takes one epoch of each training, to see that all of it works, and says so in the report.
    `options` go to pretraining and fine-tuning alike. Called again it goes on where it stopped.
    Raises DataError, OptionError, RunError, StorageError.
    """
    began, out = time.monotonic(), Path(out)
    given: dict[str, Any] = {**QUICK, **options} if quick else {**options}
    if quick:
        _say(BRIEF)
    dataset = data if isinstance(data, Dataset) else open_dataset(data)
    _say(f"1 of 3: pretraining on {len(dataset.part('train'))} pictures, no labels")
    pretrained = pretrain(dataset, out=out / "pretrain", recipe=recipe, **given)
    _say("2 of 3: reading pixels and frozen tokens")
    accuracy = {
        PIXELS: _probed("logistic", dataset, _pixels(dataset), labels),
        SCRATCH: {},
        PROBE: _probed("ridge", dataset, _tokens(pretrained, dataset), labels),
        TUNED: {},
    }
    tuned: TrainResult | None = None
    for count in labels:
        _say(f"3 of 3: fine-tuning with {count} labels, from scratch and from the masked autoencoder")
        for name, start in ((SCRATCH, ""), (TUNED, out / "pretrain")):
            folder = out / f"{'finetuned' if start else 'scratch'}-{count}"
            words: dict[str, Any] = {
                "init_from": start,
                "labels": count,
                "recipe": recipe,
                "baselines": False,
            }
            tuned = finetune(dataset, out=folder, **{**words, **given})
            assert tuned.evaluation is not None
            accuracy[name][count] = tuned.evaluation.accuracy or 0.0
    assert tuned is not None
    found = DemoResult(out / "report.html", accuracy, quick)
    text = _page(found, pretrained, tuned, max(labels), time.monotonic() - began)
    write_atomically(found.report, text.encode())
    return found


def _probed(
    probe: str, dataset: Dataset, seen: dict[str, NDArray[np.float32]], labels: tuple[int, ...]
) -> dict[int, float]:
    train, test = dataset.part("train"), dataset.part("test")
    assert train.labels is not None
    assert test.labels is not None
    found: dict[int, float] = {}
    for count in labels:
        rows = few(train.labels, count, 0)
        classes = len(dataset.classes)
        scores = PROBES[probe](seen["train"][rows], train.labels[rows], seen["test"], classes=classes, seed=0)
        found[count] = evaluate(scores, test.labels, dataset.classes).accuracy or 0.0
    return found


def _pixels(dataset: Dataset) -> dict[str, NDArray[np.float32]]:
    parts = {name: dataset.part(name) for name in ("train", "test")}
    return {
        name: np.stack([part.pictures.read(i).ravel() for i in range(len(part))]).astype(np.float32)
        for name, part in parts.items()
    }


def _tokens(pretrained: TrainResult, dataset: Dataset) -> dict[str, NDArray[np.float32]]:
    return {
        name: features(pretrained.saved, dataset.part(name), [-1], ["mean"])[0][-1, "mean"]
        for name in ("train", "test")
    }


def _page(
    found: DemoResult, pretrained: TrainResult[MAE], tuned: TrainResult, most: int, seconds: float
) -> str:
    sheet = sorted((pretrained.folder / "pictures").glob("*.png"))[-1]
    model, evaluation = pretrained.saved.model, tuned.evaluation
    assert evaluation is not None
    assert evaluation.confusion is not None
    classes = tuned.saved.classes
    return html.page(
        "kakera demo",
        html.paragraph(
            "A masked autoencoder saw pictures without labels and learned to guess the three quarters of "
            "each that were hidden. Then a classifier was trained with few labels, once from scratch and "
            f"once from what the autoencoder had learned. This run took {seconds:.0f} seconds."
        ),
        *([html.warning(BRIEF)] if found.quick else []),
        html.heading("What was learned without labels"),
        html.picture(sheet.read_bytes(), caption=f"Unseen pictures, in threes: {legend(model)}."),
        html.heading("What that is worth with few labels"),
        html.table(found.table()),
        html.paragraph(
            f"Accuracy in per cent on {evaluation.count} unseen pictures, one draw of the labels. The two "
            "fine-tuned rows are the same network with the same recipe; they differ in where they start."
        ),
        html.heading(f"What is confused with what, {most} labels, fine-tuned"),
        html.confusion(evaluation.confusion, classes),
        html.heading("Your own pictures"),
        html.paragraph("One folder a class, or one folder of anything for pretraining alone:"),
        html.code(
            "kakera inspect FOLDER\n"
            "kakera pretrain FOLDER --out runs/mine\n"
            "kakera finetune FOLDER --init-from runs/mine --out runs/classifier\n"
            "kakera predict runs/classifier NEW-PICTURES"
        ),
    )


def _say(text: str) -> None:
    print(f"demo: {text}", file=sys.stderr)
