"""The page of a fine-tuning that predicts numbers: errors, predicted against true numbers, worst mistakes."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial

import numpy as np
from numpy.typing import NDArray

from kakera.commands.evaluation import predict_part
from kakera.commands.labelled import held_out
from kakera.commands.pages import parts as page_parts
from kakera.commands.pages import samples, tables
from kakera.commands.pages.finetune import OWN, FinetunePage
from kakera.commands.pages.history import History, stalled
from kakera.commands.result import TrainResult
from kakera.commands.validation import measured_on_chosen
from kakera.data.dataset import Dataset
from kakera.formats.target_scale import TargetScale
from kakera.inputs import InputSpec
from kakera.reports import html
from kakera.reports.plot import Line, plot
from kakera.training.baselines.number_baselines import (
    NumberBaselines,
    absolute_errors,
    measure_number_baselines,
)
from kakera.training.baselines.number_verdict import METHOD, judge_numbers
from kakera.training.baselines.verdict import Verdict
from kakera.training.metrics_report import Evaluation, TargetResult, number_text
from kakera.training.planning.next_commands import after_regression, bare
from kakera.training.predictions import Predictions

PLOTTED = 6  # most targets with a plot
RANGES = 5  # ranges of the true number in the table of errors
RATIO = 1.5  # error on validation files over that on training files above which the network overfits


class RegressionPage(FinetunePage):
    """A function that makes the page of predicted numbers, with the same parts as `FinetunePage`."""

    def __call__(self, trained: TrainResult, predictions: Predictions | None) -> str:
        """Return the page as HTML; measure and store the baselines if the run has none."""
        part, unseen = held_out(self.data)
        history, scale = History.of(trained.folder), trained.saved.targets
        assert scale is not None
        verdict, baselines = None, None
        if trained.evaluation is not None and len(unseen):
            if predictions is None:
                predictions = predict_part(trained.saved, unseen, self.workers, device=self.options.device)
            measure = partial(measure_number_baselines, self.train, unseen, scale)
            read = NumberBaselines.from_json
            baselines = self._once(trained.folder, predictions, history, read, measure)
            verdict = judge_numbers(unseen, part, predictions, baselines, scale)
            self._keep(trained.folder, verdict)
        return html.page(
            f"kakera finetune: {self.data.name}",
            _first(verdict),
            tables.skipped(trained.folder),
            *self._doubts(history, trained, part),
            *self._next_steps(trained, history),
            *compared_numbers(trained.evaluation, baselines),
            *_error_curves(history),
            *self._errors(unseen, trained, predictions, scale),
            html.heading("Cost and settings"),
            html.paragraph(self._story(trained)),
            page_parts.cost(history, trained.saved, self.options, len(self.train), self.train.kind),
            tables.settings(asdict(self.options)),
        )

    def _doubts(self, history: History, trained: TrainResult, part: str) -> list[str]:
        found = [*self.leaked, stalled(history.values("loss"), 1.0)]
        if trained.evaluation is not None and part == "val":
            text = "the data have no test files, so the error is that on the validation files"
            chosen = ", which also chose the epoch: on new files it is probably a little larger"
            found.append(text + (chosen if measured_on_chosen(self.data, self.options) else ""))
        return [html.warning(text) for text in found if text]

    def _next_steps(self, trained: TrainResult, history: History) -> list[str]:
        seen, held = history.values("train_error"), history.values("val_error")
        advice = list[str]()
        if not self.options.init_from:
            advice.append("Start from a pretrained encoder (--init-from): it needs fewer labelled files.")
        if held and seen and held[-1] > RATIO * max(seen[-1], 1e-6):
            advice.append(
                "The network fits the training files better than the validation files: label more files, add "
                "--keep best, or allow changes that do not change your number, such as --flip or --shift 2."
            )
        advice.append("Look at the worst mistakes below: they show wrong labels and unusual files.")
        advice.append(f"To train with other options, use another run folder: --out {self.options.out}-2.")
        lines = after_regression(self.situation.files, trained.folder)
        code = [html.code(bare(lines))] if lines else []
        return [html.heading("What to try next"), html.items(advice), *code]

    def _errors(
        self,
        unseen: Dataset,
        trained: TrainResult,
        predictions: Predictions | None,
        scale: TargetScale,
    ) -> list[str]:
        if predictions is None or predictions.values is None or unseen.labels is None:
            return []
        return worst_numbers(unseen, predictions, trained.saved.inputs, scale)


def worst_numbers(
    unseen: Dataset, predictions: Predictions, inputs: InputSpec, scale: TargetScale
) -> list[str]:
    """Return plots of predicted against true numbers, and cards of the worst mistakes.

    Example:

        >>> from kakera.data.holders import ArrayPictures
        >>> pictures = ArrayPictures(np.zeros((2, 8, 8, 1), np.uint8))
        >>> test = Dataset("ages", pictures, 1, np.full(2, "test"), labels=np.array([30.0, 40.0]))
        >>> found = Predictions(np.arange(2), np.empty(0), values=test.labels + 1)
        >>> inputs, scale = InputSpec(1, 8, 8, (0.5,), (0.5,)), TargetScale((35.0,), (5.0,))
        >>> worst_numbers(test, found, inputs, scale)[0]
        '<h2>Predicted and true numbers</h2>'
    """
    assert predictions.values is not None
    assert unseen.labels is not None
    truth, values = unseen.labels[predictions.numbers], predictions.values.astype(np.float64)
    parts = [html.heading("Predicted and true numbers")]
    for number, name in enumerate(unseen.classes[:PLOTTED]):
        parts += _target_parts(name, truth[:, number], values[:, number])
    order = np.argsort(-absolute_errors(values, truth, scale), kind="stable")
    names = unseen.classes if len(unseen.classes) > 1 else ("",)
    cards = samples.gallery_of(
        unseen,
        predictions,
        inputs,
        order,
        lambda row: ", ".join(
            f"{name} {number_text(true)}, predicted {number_text(value)}".strip()
            for name, true, value in zip(names, truth[row], values[row], strict=True)
        ),
    )
    gallery = html.gallery(cards, sounds=unseen.sounds is not None)
    return [*parts, html.heading("The worst mistakes"), gallery]


def _first(verdict: Verdict | None) -> str:
    if verdict is None:
        text = "The error is unknown, because the data have no labelled test files."
        return html.verdict(f"{text} Put some files into a test part to measure it.", "doubt")
    return html.verdict(verdict.text, verdict.level)


def compared_numbers(evaluation: Evaluation | None, baselines: NumberBaselines | None) -> list[str]:
    """Return a table of errors of the network and of the baselines, for each target the best first.

    Example:

        >>> compared_numbers(None, None)
        []
    """
    own = evaluation.per_target if evaluation is not None else None
    if own is None:
        return []
    found = [(one.name, one.per_target) for one in baselines.found] if baselines else []
    parts = [html.heading("Errors, beside simple methods on the same files")]
    for number, target in enumerate(own):
        rows = sorted([(OWN, own), *found], key=lambda row: row[1][number].mean_absolute_error)
        header = (target.name, "mean absolute error", "root mean squared error", "R²")
        parts.append(html.table([header, *((name, *_cells(each[number])) for name, each in rows)]))
    text = "R² compares with predicting the mean of the training files: 0 is no better, 1 is perfect."
    if baselines:
        text += f" Each baseline was fitted to {baselines.train} training files and measured on "
        text += f"{len(baselines.rows)} files, in {tables.words(baselines.seconds)} together."
    return [
        *parts,
        html.note(f"{text} {METHOD}"),
        *(html.note(each) for each in (baselines.notes if baselines else ())),
    ]


def _cells(result: TargetResult) -> tuple[str, ...]:
    errors = (result.mean_absolute_error, result.root_mean_squared_error)
    return *map(number_text, errors), "–" if result.r2 is None else f"{result.r2:.3f}"


def _error_curves(history: History) -> list[str]:
    parts = [html.heading("Training curves"), page_parts.loss_curves(history)]
    names = {"train_error": "training files", "val_error": "validation files"}
    lines = [Line(name, history.points(key)) for key, name in names.items()]
    drawn = plot([line for line in lines if line.points], x="epoch", y="error", low=0.0)
    if not drawn:
        return [*parts, html.note("The training was too short to measure the error during it.")]
    caption = (
        "Root mean squared error on a fixed sample of each part, without augmentation, as a share of the "
        "standard deviation of the training targets: 1 is no better than their mean."
    )
    return [*parts, html.figure(drawn, caption=caption)]


def _target_parts(name: str, truth: NDArray[np.float64], values: NDArray[np.float64]) -> list[str]:
    """Return a plot of predicted against true numbers, and a table of errors by range of the true number."""
    ends = [float(min(truth.min(), values.min())), float(max(truth.max(), values.max()))]
    points = list(zip(truth.tolist(), values.tolist(), strict=True))
    lines = [Line("perfect prediction", [(end, end) for end in ends]), Line("files", points, dots=True)]
    drawn = plot(lines, x=f"true {name}", y=f"predicted {name}")
    rows = [("true " + name, "files", "mean absolute error", "mean of predicted − true")]
    order = np.argsort(truth, kind="stable")
    for chosen in np.array_split(order, min(RANGES, len(order))):
        errors, edges = values[chosen] - truth[chosen], truth[chosen[[0, -1]]].tolist()
        size, bias = number_text(float(np.abs(errors).mean())), number_text(float(errors.mean()))
        rows.append((" to ".join(map(number_text, edges)), str(len(chosen)), size, bias))
    return [html.figure(drawn, caption=f"Predicted {name} over true {name}."), html.table(rows)]
