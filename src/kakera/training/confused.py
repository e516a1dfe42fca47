"""What a classifier confuses with what, for the page of a fine-tuning."""

from __future__ import annotations

import numpy as np

from kakera.reports import html
from kakera.training.evaluation import Evaluation

CONFUSED = 16  # classes in the picture of the confusion
PAIRS = 15  # of classes, most confused first


def confused(evaluation: Evaluation) -> list[str]:
    """Counts of each class taken for each other, of many classes the most confused ones."""
    if evaluation.confusion is None:
        return []
    counts = np.array(evaluation.confusion)
    names = [row.name for row in evaluation.per_class]
    wrong = counts - np.diag(counts.diagonal())
    parts = [html.heading("What is confused with what")]
    chosen = np.arange(len(names))
    if len(names) > CONFUSED:
        chosen = np.sort(np.argsort(-(wrong.sum(axis=0) + wrong.sum(axis=1)), kind="stable")[:CONFUSED])
        parts.append(html.note(f"The {CONFUSED} of {len(names)} classes with the most mistakes."))
    parts.append(html.confusion(counts[np.ix_(chosen, chosen)].tolist(), [names[i] for i in chosen]))
    parts.append(
        html.note("Rows are the truth, columns the answers; the darker, the larger the share of a row.")
    )
    order = np.argsort(-wrong, axis=None, kind="stable")[:PAIRS]
    pairs = [(int(place) // len(names), int(place) % len(names)) for place in order]
    rows = [(names[i], names[j], f"{wrong[i, j]} of {counts[i].sum()}") for i, j in pairs if wrong[i, j]]
    if len(names) > 3 and rows:
        parts.append(
            html.details(
                "The pairs that are confused most", html.table([("truth", "taken for", "files"), *rows])
            )
        )
    return parts
