"""The page of a fine-tuning: accuracy, mistakes, cost, and what to try next."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from kakera import duration
from kakera.commands.evaluation import predict_part
from kakera.commands.labelled import held_out, labelled_part
from kakera.commands.pages import parts as page_parts
from kakera.commands.pages import tables
from kakera.commands.pages.advice import next_steps
from kakera.commands.pages.history import History, chance_loss, memorised, stalled
from kakera.commands.pages.predicted import class_table, class_warnings, predicted_parts, some_names
from kakera.commands.result import TrainResult
from kakera.commands.thresholds import thresholds_sentence
from kakera.commands.validation import kept_sentence, measured_on_chosen
from kakera.data.dataset import Dataset
from kakera.formats.bundle import Pretrained
from kakera.option_fields import AUTO
from kakera.reports import html
from kakera.reports.plot import Line, plot
from kakera.storage import write_atomically
from kakera.training.baselines.baselines import Baselines, measure_baselines
from kakera.training.baselines.number_baselines import NumberBaselines
from kakera.training.baselines.verdict import VERDICT, Verdict, judge, method_of
from kakera.training.metrics_report import Evaluation
from kakera.training.options import FinetuneOptions
from kakera.training.planning.baseline_costs import frozen_limit
from kakera.training.planning.next_commands import Situation, after_finetune, bare
from kakera.training.planning.situation import is_published
from kakera.training.predictions import Predictions

Found = TypeVar("Found", Baselines, NumberBaselines)
BASELINES, OWN = "baselines.json", "this network"


@dataclass(frozen=True, eq=False)
class FinetunePage:
    """A function that makes the page; it holds what the page needs besides the finished run."""

    data: Dataset
    train: Dataset
    """The labelled training files."""
    options: FinetuneOptions
    workers: int
    start: Callable[[], Pretrained] | None
    """Function that makes the classifier as it was before training; None if it started from scratch."""
    situation: Situation
    """The facts that advice and next commands depend on."""
    given: Mapping[str, Any]
    """The options that the user passed."""
    leaked: tuple[str, ...] = ()
    """A sentence for each group of training files that are also among the test files."""

    def __call__(self, trained: TrainResult, predictions: Predictions | None) -> str:
        """Return the page as HTML; measure and store the baselines if the run has none.

        `predictions` are those on the test files; None computes them.
        """
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
            tables.skipped(trained.folder),
            *self._warnings(history, trained, part),
            *self._try_next(trained, advice, verdict),
            *(
                [
                    *tables.compared({OWN: verdict.value.value}, verdict.measure, baselines, OWN),
                    html.note(method_of(verdict.measure)),
                ]
                if verdict
                else []
            ),
            *self._curves(history),
            *self._looked_at(unseen, trained, predictions, evaluation),
            html.heading("Cost and settings"),
            html.paragraph(self._story(trained)),
            page_parts.cost(history, trained.saved, self.options, len(self.train), self.train.kind),
            tables.settings(asdict(self.options)),
        )

    def _keep(self, folder: Path, verdict: Verdict) -> None:
        """Store the sentence of the verdict next to the page, because the command prints it too."""
        values = {"text": verdict.text, "measure": verdict.measure, "baseline": verdict.baseline}
        write_atomically(folder / VERDICT, json.dumps(values).encode() + b"\n", parents=False)

    def _baselines(
        self, folder: Path, unseen: Dataset, predictions: Predictions, history: History
    ) -> Baselines | None:
        measure = partial(measure_baselines, self.train, unseen)
        return self._once(folder, predictions, history, Baselines.from_json, measure)

    def _once(
        self,
        folder: Path,
        predictions: Predictions,
        history: History,
        read: Callable[[dict[str, Any]], Found],
        measure: Callable[..., Found],
    ) -> Found | None:
        """Return the baselines stored in the run, or measure and store them; None if they fail."""
        if not self.options.baselines:
            return None
        path = folder / BASELINES
        try:
            return read(json.loads(path.read_text()))
        except (OSError, ValueError, TypeError, KeyError):
            pass  # not measured yet, or the file is incomplete
        each = max(predictions.seconds / max(len(predictions.numbers), 1), 1e-6)
        limit = duration.seconds(self.options.time) if self.options.time != AUTO else 0.0
        most = int(frozen_limit(history.seconds, limit) / each)
        try:
            found = measure(start=self.start, frozen=most, workers=self.workers, device=self.options.device)
        except Exception as error:  # a failed baseline must not cost the user the page
            print(f"warning: the page has no baselines: {type(error).__name__}, {error}", file=sys.stderr)
            return None
        write_atomically(path, json.dumps(found.to_json()).encode() + b"\n", parents=False)
        return found

    def _opening(self, verdict: Verdict | None, advice: list[str]) -> str:
        if verdict is None:
            text = "The accuracy is unknown, because the data have no labelled test files."
            return html.verdict(f"{text} Put some files into a test part to measure it.", "doubt")
        text = verdict.text if verdict.level == "good" else f"{verdict.text} {advice[0]}"
        return html.verdict(text, verdict.level)

    def _warnings(self, history: History, trained: TrainResult, part: str) -> list[str]:
        evaluation = trained.evaluation
        val = len(labelled_part(self.data, "val"))
        train, held = history.points("train_accuracy"), history.points("val_accuracy")
        found = [
            *self.leaked,
            stalled(history.values("loss"), chance_loss(trained.saved, self.options)),
            memorised(train, held, val),
        ]
        found += class_warnings(evaluation, part)
        if evaluation is not None and part == "val":
            text = "the data have no test files, so the accuracy is that on the validation files"
            chosen = ", which also chose the epoch: on new files it is probably a little lower"
            found.append(text + (chosen if measured_on_chosen(self.data, self.options) else ""))
        return [html.warning(text) for text in found if text]

    def _curves(self, history: History) -> list[str]:
        parts = [html.heading("Training curves"), page_parts.loss_curves(history, self.options.loss)]
        names = {"train_accuracy": "training files", "val_accuracy": "validation files"}
        lines = [Line(name, [(x, 100 * y) for x, y in history.points(key)]) for key, name in names.items()]
        drawn = plot([line for line in lines if line.points], x="epoch", y="accuracy", high=100.0)
        if drawn:
            return [
                *parts,
                html.figure(
                    drawn,
                    caption="Accuracy in per cent, on a fixed sample of each part, without augmentation.",
                ),
            ]
        return [*parts, html.note("The training was too short to measure the accuracy during it.")]

    def _looked_at(
        self,
        unseen: Dataset,
        trained: TrainResult,
        predictions: Predictions | None,
        evaluation: Evaluation | None,
    ) -> list[str]:
        if evaluation is None or predictions is None:
            return []
        saved = trained.saved
        own = thresholds_sentence(saved, self.data, unseen, predictions)
        classes = class_table(evaluation, self.train)
        return predicted_parts(unseen, predictions, saved.inputs, saved.thresholds, own, classes)

    def _try_next(self, trained: TrainResult, advice: list[str], verdict: Verdict | None) -> list[str]:
        transformer = trained.saved.model.has_attention
        commands = after_finetune(
            self.situation,
            trained.folder,
            transformer=transformer,
            from_hub=is_published(self.options.init_from),
        )
        heading = "What to do next" if verdict is not None and verdict.level != "good" else "What to try next"
        return [html.heading(heading), html.items(advice), html.code(bare(commands))]

    def _story(self, trained: TrainResult) -> str:
        start = (
            f"Training started from {self.options.init_from}."
            if self.options.init_from
            else "Training started from scratch."
        )
        names = self.data.classes
        what = f"with {some_names(names)}" if self.data.regression else f"of {len(names)} classes"
        return (
            f"{page_parts.network(trained.saved)} {start} The training files were {len(self.train)} labelled "
            f"{self.train.kind} {what}. "
            f"Training lasted {self.options.epochs:g} epochs"
            f"{f', at least {self.options.min_steps} steps' if self.options.min_steps else ''}."
            f"{page_parts.trained_part(self.options, trained.saved)}"
            f"{kept_sentence(self.options, self.data, History.of(trained.folder))}"
        )
