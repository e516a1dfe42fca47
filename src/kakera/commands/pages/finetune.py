"""The page of a fine-tuning: is it any good, where is it wrong, what did it cost, what to try next."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kakera import duration
from kakera.commands.labelled import held_out, labelled_part
from kakera.commands.pages import parts as page_parts
from kakera.commands.pages import samples
from kakera.commands.pages.advice import next_steps
from kakera.commands.pages.confusion import confused
from kakera.commands.pages.history import History, chance_loss, memorised, stalled
from kakera.commands.result import TrainResult, predict_part
from kakera.data.dataset import Dataset
from kakera.formats.bundle import Pretrained
from kakera.option_fields import AUTO
from kakera.reports import html
from kakera.reports.plot import Line, plot
from kakera.storage import write_atomically
from kakera.training.baselines.baselines import Baselines, measure_baselines
from kakera.training.baselines.verdict import PARTS, VERDICT, Verdict, judge, method_of
from kakera.training.metrics_report import Evaluation
from kakera.training.options import FinetuneOptions
from kakera.training.planning.baseline_costs import frozen_limit
from kakera.training.planning.next_commands import Situation, after_finetune, bare
from kakera.training.planning.situation import is_published
from kakera.training.predictions import Predictions

BASELINES, OWN = "baselines.json", "this network"
ROWS = 30  # of the table of classes that are not folded away
FEW = 3  # test files of a class say next to nothing


@dataclass(frozen=True, eq=False)
class FinetunePage:
    """What the page needs beside the finished run."""

    data: Dataset
    train: Dataset
    """The labelled files that were trained on."""
    options: FinetuneOptions
    workers: int
    start: Callable[[], Pretrained] | None
    """Makes the classifier as it was before training, where it began from another's weights."""
    situation: Situation
    """What advice and commands follow from."""
    given: Mapping[str, Any]
    """The options that somebody gave."""
    leaked: tuple[str, ...] = ()
    """A sentence where training files are measured on too."""

    def __call__(self, trained: TrainResult, predictions: Predictions | None) -> str:
        """Make the page. Baselines are measured, and stored, the first time."""
        part, unseen = held_out(self.data)
        history = History.of(trained.folder)
        evaluation, verdict, baselines = trained.evaluation, None, None
        if evaluation is not None and len(unseen):
            if predictions is None:
                predictions = predict_part(trained.saved, unseen, self.workers, device=self.options.device)
            baselines = self._baselines(trained.folder, unseen, predictions, history)
            verdict = judge(unseen, part, predictions, baselines)
            self._keep(trained.folder, verdict)
        advice = next_steps(self.options, self.data, history, verdict, self.situation, self.given)
        return html.page(
            f"kakera finetune: {self.data.name}",
            self._opening(verdict, advice),
            page_parts.skipped(trained.folder),
            *self._warnings(history, trained, part),
            *self._try_next(trained, advice, verdict),
            *(
                [
                    *page_parts.compared({OWN: verdict.value.value}, verdict.measure, baselines, OWN),
                    html.note(method_of(verdict.measure)),
                ]
                if verdict
                else []
            ),
            *self._curves(history),
            *self._looked_at(unseen, trained, predictions, evaluation),
            html.heading("What it cost, and how it was set"),
            html.paragraph(self._story(trained)),
            page_parts.cost(history, trained.saved, self.options, len(self.train), self.train.kind),
            page_parts.settings(asdict(self.options)),
        )

    def _keep(self, folder: Path, verdict: Verdict) -> None:
        """The verdict's sentence beside the page: the command prints it too."""
        values = {"text": verdict.text, "measure": verdict.measure, "baseline": verdict.baseline}
        write_atomically(folder / VERDICT, json.dumps(values).encode() + b"\n", parents=False)

    def _baselines(
        self, folder: Path, unseen: Dataset, predictions: Predictions, history: History
    ) -> Baselines | None:
        """Those stored in the run, or measured now and stored."""
        if not self.options.baselines:
            return None
        path = folder / BASELINES
        try:
            return Baselines.from_json(json.loads(path.read_text()))
        except (OSError, ValueError, TypeError, KeyError):
            pass  # none yet, or cut short
        each = max(predictions.seconds / max(len(predictions.numbers), 1), 1e-6)
        limit = duration.seconds(self.options.time) if self.options.time != AUTO else 0.0
        try:
            found = measure_baselines(
                self.train,
                unseen,
                start=self.start,
                frozen=int(frozen_limit(history.seconds, limit) / each),
                workers=self.workers,
                device=self.options.device,
            )
        except Exception as error:  # the page is worth more than they are
            print(f"warning: the baselines were left out: {type(error).__name__}, {error}", file=sys.stderr)
            return None
        write_atomically(path, json.dumps(found.to_json()).encode() + b"\n", parents=False)
        return found

    def _opening(self, verdict: Verdict | None, advice: list[str]) -> str:
        if verdict is None:
            text = "Nothing was measured, since the data have no labelled test files."
            return html.verdict(
                f"{text} Put some files into a test part to know what this is worth.", "doubt"
            )
        text = verdict.text if verdict.level == "good" else f"{verdict.text} {advice[0]}"
        return html.verdict(text, verdict.level)

    def _warnings(self, history: History, trained: TrainResult, part: str) -> list[str]:
        evaluation = trained.evaluation
        val = len(labelled_part(self.data, "val"))
        train, held = history.points("train_accuracy"), history.points("val_accuracy")
        found = [
            *self.leaked,
            stalled(history.values("loss"), chance_loss(trained.saved)),
            memorised(train, held, val),
        ]
        if evaluation is not None:
            few = [row.name for row in evaluation.per_class if 0 < row.count <= FEW]
            if few:
                found.append(f"at most {FEW} {PARTS[part]} files in {_some(few)}: their numbers say little")
            if evaluation.absent:
                found.append(f"no {PARTS[part]} file in {_some(evaluation.absent)}: nothing is known of them")
        if evaluation is not None and part == "val":
            found.append("there are no test files; measured on the validation part")
        return [html.warning(text) for text in found if text]

    def _curves(self, history: History) -> list[str]:
        parts = [html.heading("How it learned"), page_parts.loss_curves(history)]
        names = {"train_accuracy": "training files", "val_accuracy": "validation files"}
        lines = [Line(name, [(x, 100 * y) for x, y in history.points(key)]) for key, name in names.items()]
        drawn = plot([line for line in lines if line.points], x="epoch", y="accuracy", high=100.0)
        if drawn:
            return [
                *parts,
                html.figure(
                    drawn,
                    caption="Accuracy in per cent, without augmentation, on a fixed sample of each part.",
                ),
            ]
        return [*parts, html.note("Too short a training to measure the accuracy on the way.")]

    def _looked_at(
        self,
        unseen: Dataset,
        trained: TrainResult,
        predictions: Predictions | None,
        evaluation: Evaluation | None,
    ) -> list[str]:
        if evaluation is None or predictions is None:
            return []
        sounds, inputs = unseen.sounds is not None, trained.saved.inputs
        wrong = samples.mistakes(unseen, predictions, inputs)
        right = samples.successes(unseen, predictions, inputs)
        parts = [*confused(unseen, predictions), html.heading("The worst mistakes")]
        parts.append(html.gallery(wrong, sounds=sounds) if wrong else html.paragraph("None."))
        parts.append(html.heading("The surest right answers"))
        parts.append(html.gallery(right, sounds=sounds) if right else html.paragraph("None."))
        return [*parts, html.heading("Class by class"), self._classes(evaluation)]

    def _classes(self, evaluation: Evaluation) -> str:
        assert self.train.labels is not None
        labels = self.train.labels
        counts = (
            labels.sum(axis=0)
            if self.train.multi_label
            else np.bincount(labels, minlength=len(self.data.classes))
        )
        header, *body = evaluation.table()
        rows = [(header[0], "training", "test", *header[2:])]
        rows += [(row[0], str(count), *row[1:]) for row, count in zip(body, counts.tolist(), strict=True)]
        table = html.table(rows)
        return table if len(rows) <= ROWS + 1 else html.details(f"All {len(rows) - 1} classes", table)

    def _try_next(self, trained: TrainResult, advice: list[str], verdict: Verdict | None) -> list[str]:
        transformer = trained.saved.model.has_attention
        commands = after_finetune(
            self.situation,
            trained.folder,
            transformer=transformer,
            from_hub=is_published(self.options.init_from),
        )
        heading = "What to do" if verdict is not None and verdict.level != "good" else "What to try next"
        return [html.heading(heading), html.items(advice), html.code(bare(commands))]

    def _story(self, trained: TrainResult) -> str:
        start = (
            f"It started from {self.options.init_from}."
            if self.options.init_from
            else "It started from scratch."
        )
        return (
            f"{page_parts.network(trained.saved)} {start} It was trained on {len(self.train)} labelled "
            f"{self.train.kind} of {len(self.data.classes)} classes for {self.options.epochs:g} epochs"
            f"{f', at least {self.options.min_steps} steps' if self.options.min_steps else ''}."
        )


def _some(names: list[str] | tuple[str, ...], most: int = 6) -> str:
    """Names, of many the first few."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
