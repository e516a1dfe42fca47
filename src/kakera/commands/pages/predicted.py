"""The part of a page about the predictions for the test files: mistakes, classes. Does not import torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kakera.commands.pages import samples
from kakera.commands.pages.confusion import confusion_parts
from kakera.data.dataset import Dataset
from kakera.inputs import InputSpec
from kakera.reports import html
from kakera.training.baselines.verdict import PARTS
from kakera.training.metrics_report import Evaluation
from kakera.training.predictions import Predictions

ROWS = 30  # most rows of the table of classes that the page shows without a click
FEW = 3  # with at most this many test files, the accuracy of a class is almost meaningless


def predicted_parts(
    unseen: Dataset,
    predictions: Predictions,
    inputs: InputSpec,
    thresholds: tuple[float, ...] = (),
    sentence: str = "",
    classes: str = "",
) -> list[str]:
    """Return confusion matrix, worst mistakes, most confident correct predictions, and the table `classes`.

    `unseen` are the test files, and `sentence` stands above the table.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> test = open_dataset("demo").part("test").take(range(10))
        >>> found = Predictions.of(np.eye(10)[test.labels], test.labels, np.arange(10))
        >>> "<p>None.</p>" in predicted_parts(test, found, InputSpec(1, 28, 28, (0.5,), (0.5,)))
        True
    """
    sounds = unseen.sounds is not None
    wrong = samples.mistakes(unseen, predictions, inputs, thresholds)
    right = samples.successes(unseen, predictions, inputs, thresholds)
    parts = [*confusion_parts(unseen, predictions), html.heading("The worst mistakes")]
    parts.append(html.gallery(wrong, sounds=sounds) if wrong else html.paragraph("None."))
    parts.append(html.heading("The most confident correct predictions"))
    parts.append(html.gallery(right, sounds=sounds) if right else html.paragraph("None."))
    own_parts = [html.paragraph(sentence)] if sentence else []
    return [*parts, html.heading("Class by class"), *own_parts, classes]


def class_table(evaluation: Evaluation, train: Dataset) -> str:
    """Return the table of classes, with the number of training files of each; closed if it is long.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> from kakera.training.metrics import evaluate
        >>> demo = open_dataset("demo").take(range(100))
        >>> evaluation = evaluate(np.eye(10)[demo.labels], demo.labels, demo.classes)
        >>> "<th>training</th>" in class_table(evaluation, demo)
        True
    """
    assert train.labels is not None
    labels = train.labels
    count = len(train.classes)
    counts = labels.sum(axis=0) if train.multi_label else np.bincount(labels, minlength=count)
    header, *body = evaluation.table()
    rows = [(header[0], "training", "test", *header[2:])]
    rows += [(row[0], str(count), *row[1:]) for row, count in zip(body, counts.tolist(), strict=True)]
    table = html.table(rows)
    return table if len(rows) <= ROWS + 1 else html.details(f"All {len(rows) - 1} classes", table)


def class_warnings(evaluation: Evaluation | None, part: str) -> list[str]:
    """Return sentences about classes with few files, or none, of the part "test" or "val".

    Example:

        >>> from kakera.training.metrics import evaluate
        >>> class_warnings(evaluate(np.eye(2), np.array([0, 1]), ("cat", "dog")), "test")
        ['cat, dog: at most 3 test files per class, so their accuracy is unreliable']
    """
    if evaluation is None:
        return []
    found, few = list[str](), [row.name for row in evaluation.per_class if 0 < row.count <= FEW]
    if few:
        files = f"at most {FEW} {PARTS[part]} files per class"
        found.append(f"{some_names(few)}: {files}, so their accuracy is unreliable")
    if evaluation.classes_without_samples:
        names = some_names(evaluation.classes_without_samples)
        found.append(f"{names}: no {PARTS[part]} file, so their accuracy is unknown")
    return found


def some_names(names: Sequence[str], most: int = 6) -> str:
    """Return the names as a text; of more than `most`, the first and the number of others.

    Example:

        >>> some_names(["cat", "dog", "owl"], most=2)
        'cat, dog and 1 more'
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
