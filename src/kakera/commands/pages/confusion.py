"""What a classifier confuses with what, for the page of a fine-tuning."""

from __future__ import annotations

import numpy as np

from kakera.data.dataset import Dataset
from kakera.reports import html
from kakera.training.predictions import Predictions

CONFUSED = 16  # classes in the picture of the confusion
PAIRS = 15  # of classes, most confused first


def confused(dataset: Dataset, predictions: Predictions) -> list[str]:
    """Counts of each class taken for each other, of many classes the most confused ones."""
    if dataset.multi_label:
        return []
    assert dataset.labels is not None
    labels, guesses, names = dataset.labels[predictions.numbers], predictions.guesses, dataset.classes
    wrong, count = labels != guesses, len(names)
    parts = [html.heading("What is confused with what")]
    chosen = np.arange(count)
    if count > CONFUSED:
        mistakes = np.bincount(np.concatenate([labels[wrong], guesses[wrong]]), minlength=count)
        chosen = np.sort(np.argsort(-mistakes, kind="stable")[:CONFUSED])
        parts.append(html.note(f"The {CONFUSED} of {count} classes with the most mistakes."))
    counts = [[int(((labels == i) & (guesses == j)).sum()) for j in chosen] for i in chosen]
    parts.append(html.confusion(counts, [names[i] for i in chosen]))
    parts.append(
        html.note("Rows are the truth, columns the answers; the darker, the larger the share of a row.")
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
                "The pairs that are confused most", html.table([("truth", "taken for", "files"), *rows])
            )
        )
    return parts
