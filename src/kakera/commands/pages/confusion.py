"""The confusion matrix of a classifier, for the page of a fine-tuning."""

from __future__ import annotations

import numpy as np

from kakera.data.dataset import Dataset
from kakera.reports import html
from kakera.training.predictions import Predictions

CONFUSED = 16  # most classes in the drawn confusion matrix, so that it stays readable
PAIRS = 15  # most pairs of classes in the table, the most confused pair first


def confusion_parts(dataset: Dataset, predictions: Predictions) -> list[str]:
    """Return the page parts of the confusion matrix; with many classes, only the most confused ones.

    Return an empty list for a multi-label data set, which has no confusion matrix.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> from kakera.training.predictions import judged
        >>> test = open_dataset("demo").part("test")
        >>> rows = judged(np.eye(10, dtype=np.float32)[test.labels], test.labels)
        >>> confusion_parts(test, Predictions(np.arange(len(test)), rows))[0]
        '<h2>Confused classes</h2>'
    """
    if dataset.multi_label:
        return []
    assert dataset.labels is not None
    labels, guesses, names = dataset.labels[predictions.numbers], predictions.guesses, dataset.classes
    wrong, count = labels != guesses, len(names)
    parts = [html.heading("Confused classes")]
    chosen = np.arange(count)
    if count > CONFUSED:
        mistakes = np.bincount(np.concatenate([labels[wrong], guesses[wrong]]), minlength=count)
        chosen = np.sort(np.argsort(-mistakes, kind="stable")[:CONFUSED])
        parts.append(
            html.note(f"This matrix shows the {CONFUSED} of {count} classes with the most mistakes.")
        )
    counts = [[int(((labels == i) & (guesses == j)).sum()) for j in chosen] for i in chosen]
    parts.append(html.confusion(counts, [names[i] for i in chosen]))
    parts.append(
        html.note(
            "Each row is a true class, each column a predicted class. A darker cell has a larger share of "
            "the files of its row."
        )
    )
    pairs, often = np.unique(labels[wrong] * count + guesses[wrong], return_counts=True)
    files = np.bincount(labels, minlength=count)
    rows = [
        (names[pair // count], names[pair % count], f"{number} of {files[pair // count]}")
        for pair, number in sorted(zip(pairs.tolist(), often.tolist(), strict=True), key=lambda one: -one[1])
    ][:PAIRS]
    if count > 3 and rows:
        parts.append(
            html.details(
                "The most confused pairs", html.table([("true class", "predicted class", "files"), *rows])
            )
        )
    return parts
