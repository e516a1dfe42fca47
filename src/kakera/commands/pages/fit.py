"""The page of a fit: accuracy, heads, calibration, mistakes. Imports torch only for numbers to predict."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kakera.commands.fitting.baselines import class_baselines
from kakera.commands.fitting.head import FittedHead
from kakera.commands.fitting.setup import FitSetup
from kakera.commands.pages import tables
from kakera.commands.pages.predicted import class_table, class_warnings, predicted_parts
from kakera.reports import html
from kakera.storage import write_atomically
from kakera.training.baselines import confidence
from kakera.training.baselines.verdict import VERDICT, Verdict, judge, method_of
from kakera.training.metrics_report import Evaluation
from kakera.training.planning.next_commands import after_finetune, bare
from kakera.training.planning.situation import is_published, situation_of
from kakera.training.predictions import Predictions

OWN = "this head"


def fit_page(
    setup: FitSetup,
    head: FittedHead,
    facts: Mapping[str, Any],
    evaluation: Evaluation | None,
    predictions: Predictions | None,
) -> str:
    """Return the page as HTML; measure the baselines if the cache lacks them, and store the verdict.

    `facts` are those of `fit.json`. Evaluation and predictions are None without test files.
    """
    verdict, compared, below = None, list[str](), list[str]()
    if evaluation is not None and predictions is not None:
        if setup.dataset.regression:
            from kakera.commands.pages.fit_numbers import number_parts

            verdict, compared, below = number_parts(setup, head, evaluation, predictions)
        else:
            verdict, compared = _compared(setup, predictions)
            table = class_table(evaluation, setup.train)
            below = predicted_parts(setup.test, predictions, setup.inputs, classes=table)
        values = {"text": verdict.text, "measure": verdict.measure, "baseline": verdict.baseline}
        write_atomically(Path(setup.options.out) / VERDICT, json.dumps(values).encode(), parents=False)
    return html.page(
        f"kakera fit: {setup.dataset.name}",
        _opening(verdict),
        tables.skipped(Path(setup.options.out)),
        *(html.warning(text) for text in _warnings(setup, evaluation)),
        *_next(setup),
        *compared,
        *_heads(head),
        *_calibration(facts),
        *_none_of_these(facts),
        *below,
        html.heading("Cost and settings"),
        html.paragraph(_story(setup, facts)),
        tables.settings(asdict(setup.options)),
    )


def _opening(verdict: Verdict | None) -> str:
    if verdict is None:
        text = "The accuracy is unknown, because the data have no labelled test files."
        return html.verdict(f"{text} Put some files into a test part to measure it.", "doubt")
    return html.verdict(verdict.text, verdict.level)


def _warnings(setup: FitSetup, evaluation: Evaluation | None) -> list[str]:
    found = [*setup.leaked]
    if not setup.dataset.regression:
        found += class_warnings(evaluation, setup.part)
    if evaluation is not None and setup.part == "val":
        found.append("the data have no test files, so the evaluation is on the validation files")
    return found


def _next(setup: FitSetup) -> list[str]:
    options = setup.options
    situation = situation_of(setup.dataset, options.data)
    commands = after_finetune(situation, options.out, from_hub=is_published(options.init_from))
    texts = [
        "Look at the worst mistakes below: they show wrong labels and unusual files.",
        "Label more files: tokens of files that were seen before are read from the cache.",
        "kakera finetune with the same --init-from trains all weights: slower, and often more accurate "
        "with many labels.",
    ]
    return [html.heading("What to try next"), html.items(texts), html.code(bare(commands))]


def _compared(setup: FitSetup, predictions: Predictions) -> tuple[Verdict, list[str]]:
    baselines = class_baselines(setup) if setup.options.baselines else None
    verdict = judge(setup.test, setup.part, predictions, baselines)
    bars = tables.compared({OWN: verdict.value.value}, verdict.measure, baselines, OWN)
    return verdict, [*bars, html.note(method_of(verdict.measure))]


def _heads(head: FittedHead) -> list[str]:
    """Return a table of all heads that were tried, the chosen one first."""
    if head.mean:
        rows = [("head", "tokens", "error on left-out labels")]
        rows += [(one["head"], one["pool"], f"{one['error']:.3f}") for one in head.tried]
        text = "The error is a root mean square in standard deviations of the numbers."
        text = f"{text} {_attentive(head)}" if head.pooling else text
    else:
        rows = [("head", "tokens", "accuracy on left-out labels", "log loss there", "temperature")]
        rows += [
            (
                one["head"],
                one["pool"],
                "–" if one["accuracy"] is None else f"{100 * one['accuracy']:.1f} %",
                "–" if one["log_loss"] is None else f"{one['log_loss']:.3f}",
                f"{one['temperature']:.3g}",
            )
            for one in head.tried
        ]
        text = "The head with the lowest log loss is used. Test files took no part in this choice."
        text = _attentive(head) if head.pooling else text
    return [html.heading("Heads"), html.table(rows), html.note(text)]


def _attentive(head: FittedHead) -> str:
    return f"The head is attentive because of --head: {head.note}. Test files took no part in this."


def _calibration(facts: Mapping[str, Any]) -> list[str]:
    found = facts.get("calibration_error")
    if not found or found["before"] is None:
        return []
    return [
        html.paragraph(
            f"The probabilities differ from the accuracy by {100 * found['after']:.1f} points on the test "
            f"files (expected calibration error, 15 bins), and by {100 * found['before']:.1f} points without "
            f"the temperature of {facts['temperature']:.3g}, which is part of the weights of the head."
        )
    ]


def _none_of_these(facts: Mapping[str, Any]) -> list[str]:
    found = facts.get("rejection")
    if not found or "test_files" not in found:
        return []
    count, alarms, rate = found["test_files"], found["test_alarms"], found["rate"]
    share = confidence.wilson(alarms / count, count)
    return [
        html.heading("Files of none of these classes"),
        html.paragraph(
            f"kakera predict --reject {rate:g} calls a file “none of these” if it is more unlike the "
            f"training files than {100 * (1 - rate):.0f} % of {found['held_out']} held-out ones. It "
            f"would reject {100 * alarms / count:.1f} % of the test files (95 % interval "
            f"{100 * share.low:.1f} to {100 * share.high:.1f} %)."
        ),
    ]


def _story(setup: FitSetup, facts: Mapping[str, Any]) -> str:
    encoder, train = setup.encoder, setup.train
    total = len(train) + len(setup.test)
    tokens = f"is linear and reads {facts['pool']} tokens"
    if facts["head"] == "attentive":
        also = "class and patch" if facts["pool"] == "class and attention" else "patch"
        tokens = f"pools the patch tokens by attention, and is linear after that. It reads {also} tokens"
    return (
        f"The head {tokens} of {setup.options.init_from}, an encoder of {encoder.depth} layers and width "
        f"{encoder.width}, whose weights did not change. The training files "
        f"were {len(train)} labelled {train.kind}. The tokens of {facts['tokens_computed']} of {total} files "
        f"were computed, the others came from the cache. All of it took {tables.words(facts['seconds'])}, "
        "without this page."
    )
