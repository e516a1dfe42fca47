"""`kakera demo`: pretrain, fine-tune and compare models on the built-in pictures in a few minutes."""

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
from kakera.formats.features import features
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
    "quick: each training takes only one epoch, to see that everything works; accuracies are far below those "
    "of the full demo"
)
PIXELS, SCRATCH, PROBE, TUNED = (
    "pixels, logistic regression",
    "ViT from scratch",
    "MAE, frozen, ridge probe",
    "MAE, fine-tuned",
)


@dataclass(frozen=True)
class DemoResult:
    """Accuracies by method and number of labels, 0 to 1, and the page that shows them (`report`).

    Example:

        >>> result = DemoResult(Path("report.html"), {"MAE, fine-tuned": {100: 0.812}})
        >>> result.table()
        [('', '100 labels'), ('MAE, fine-tuned', '81.2')]
    """

    report: Path
    accuracy: dict[str, dict[int, float]] = field(default_factory=dict)
    quick: bool = False
    """True if each training took only one epoch."""

    def table(self) -> list[tuple[str, ...]]:
        """Return rows of text with the accuracies in per cent; the first row is the header."""
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
    """Pretrain without labels, classify with few labels in four ways, and write `report.html` into `out`.

    `data` is a data set with labels and a test part; the default is the built-in pictures. `labels` are
    the numbers of training labels to compare. `recipe` names the options of all trainings. `quick` trains
    each model for one epoch only, to see that everything works; the report mentions this. `options` apply
    to pretraining and to fine-tuning. A second call with the same arguments resumes an unfinished demo.

    Return the accuracies and the path of the report. Raises DataError, OptionError, RunError, StorageError.

    Example:

        >>> result = demo("runs/demo", quick=True)  # doctest: +SKIP
        >>> result.report  # doctest: +SKIP
        PosixPath('runs/demo/report.html')
    """
    began, out = time.monotonic(), Path(out)
    given: dict[str, Any] = {**QUICK, **options} if quick else {**options}
    if quick:
        _print(BRIEF)
    dataset = data if isinstance(data, Dataset) else open_dataset(data)
    _print(f"1 of 3: pretraining on {len(dataset.part('train'))} pictures, no labels")
    pretrained = pretrain(dataset, out=out / "pretrain", recipe=recipe, **given)
    _print("2 of 3: fitting simple classifiers to pixels and to frozen tokens")
    accuracy = {
        PIXELS: _probed("logistic", dataset, _pixels(dataset), labels),
        SCRATCH: {},
        PROBE: _probed("ridge", dataset, _tokens(pretrained, dataset), labels),
        TUNED: {},
    }
    tuned: TrainResult | None = None
    for count in labels:
        _print(f"3 of 3: fine-tuning with {count} labels, from scratch and from the masked autoencoder")
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
    found: dict[str, NDArray[np.float32]] = {}
    for name in ("train", "test"):
        tokens, _ = features(pretrained.saved, dataset.part(name), [-1], ["class", "mean"])
        found[name] = np.concatenate([tokens[-1, "class"], tokens[-1, "mean"]], axis=1)
    return found


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
            "First, a masked autoencoder was trained on pictures without labels: three quarters of each "
            "picture were hidden, and the model learned to predict them. Then a classifier was trained with "
            "few labels, once from scratch and once from the weights of the masked autoencoder. This demo "
            f"took {seconds:.0f} seconds."
        ),
        *([html.warning(BRIEF)] if found.quick else []),
        html.heading("Reconstructions, learned without labels"),
        html.picture(sheet.read_bytes(), caption=f"Test pictures, in groups of three: {legend(model)}."),
        html.heading("Accuracy with few labels"),
        html.table(found.table()),
        html.paragraph(
            f"Accuracy in per cent on {evaluation.count} test pictures, for one random draw of the labels. "
            f'The rows "{SCRATCH}" and "{TUNED}" are the same network with the same recipe; only their '
            "starting weights differ."
        ),
        html.heading(f"Confused classes, fine-tuned with {most} labels"),
        html.confusion(evaluation.confusion, classes),
        html.heading("Your own pictures"),
        html.paragraph(
            "Put your pictures into one folder per class. For pretraining alone, a single folder is enough."
        ),
        html.code(
            "kakera inspect FOLDER\n"
            "kakera pretrain FOLDER --out runs/mine\n"
            "kakera finetune FOLDER --init-from runs/mine --out runs/classifier\n"
            "kakera predict runs/classifier NEW-PICTURES"
        ),
    )


def _print(text: str) -> None:
    print(f"demo: {text}", file=sys.stderr)
