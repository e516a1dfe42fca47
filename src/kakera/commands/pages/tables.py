"""Parts that all pages of a run share: comparison, settings, skipped files. Does not import torch."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kakera.data.checks.findings import skipped_words
from kakera.reports import html
from kakera.training.baselines.baselines import Baselines
from kakera.training.baselines.verdict import score_of
from kakera.training.run_folder import UNREADABLE


def compared(own: Mapping[str, float], measure: str, baselines: Baselines | None, marked: str) -> list[str]:
    """Return bars that compare the trained classifiers with the baselines, best first.

    `own` are the scores of the trained classifiers by name, 0 to 1; `marked` is the name to highlight.
    Return an empty list without baselines.

    Example:

        >>> from kakera.training.baselines.baselines import Baseline
        >>> known = Baseline("mean colour", 0.5, 0.5, None)
        >>> baselines = Baselines(train=100, train_of=100, test_of=2, rows=(0, 1), found=(known,))
        >>> compared({"ViT": 0.9}, "accuracy", baselines, "ViT")[0]
        '<h2>Comparison with simple classifiers, on the same files</h2>'
    """
    if baselines is None:
        return []
    rows = [*own.items(), *((one.name, score_of(one, measure) or 0.0) for one in baselines.found)]
    rows.sort(key=lambda row: -row[1])
    lines = [(name, score, (f"{100 * score:.1f} %",)) for name, score in rows]
    text = f"Each baseline was fitted to {baselines.train} labelled training files"
    text += f" (drawn from {baselines.train_of})" if baselines.train < baselines.train_of else ""
    text += f" and measured on {len(baselines.rows)} files"
    text += f" (drawn from {baselines.test_of})" if len(baselines.rows) < baselines.test_of else ""
    return [
        html.heading("Comparison with simple classifiers, on the same files"),
        html.bars(lines, ("classifier", measure), own=marked),
        html.note(f"{text}. All baselines together took {words(baselines.seconds)}."),
        *(html.note(text) for text in baselines.notes),
    ]


def settings(options: Mapping[str, Any]) -> str:
    """Return a table of all options, closed until the reader opens it.

    Example:

        >>> "<td>epochs</td>" in settings({"epochs": 10})
        True
    """
    rows = [
        (name, " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value))
        for name, value in options.items()
    ]
    return html.details("All settings", html.table([("option", "value"), *rows]))


def skipped(folder: Path) -> str:
    """Return a warning with the number of skipped files; an empty string if no file was skipped.

    Example:

        >>> _ = Path("unreadable.csv").write_text("path,reason" + chr(10) + "a.png,empty file")
        >>> "1 unreadable file skipped" in skipped(Path())
        True
    """
    path = folder / UNREADABLE
    if not path.exists():
        return ""
    with path.open(newline="") as file:
        reasons = [row["reason"] for row in csv.DictReader(file)]
    if not reasons:
        return ""
    return html.warning(f"{skipped_words(reasons)} skipped; {UNREADABLE} lists them")


def words(seconds: float) -> str:
    """Return a duration in words, in seconds, minutes or hours, with three digits.

    Example:

        >>> words(12.3), words(600), words(7200)
        ('12.3 seconds', '10 minutes', '2 hours')
    """
    if seconds < 90:
        return f"{seconds:.3g} seconds"
    if seconds < 5400:
        return f"{seconds / 60:.3g} minutes"
    return f"{seconds / 3600:.3g} hours"
