"""Predictions on standard output, printed as soon as they are computed: a table, JSON or CSV."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import fields
from itertools import islice
from typing import TYPE_CHECKING

from kakera.cli.output import print_table
from kakera.training.metrics_report import number_text

if TYPE_CHECKING:
    from kakera.commands.label_counts import LabelCounts
    from kakera.commands.prediction import Prediction

SHOWN = 20  # most rows of the table


def print_json(found: Iterator[Prediction], top: int | None = None) -> None:
    """Print a JSON array, one line per prediction, with all classes or the `top` most probable."""
    before = "[\n"
    for prediction in found:
        values = {one.name: getattr(prediction, one.name) for one in fields(prediction)}
        if top is not None:
            values["probabilities"] = dict(islice(prediction.probabilities.items(), top))
        for name in ("window", "typical", "values"):
            if values[name] is None:
                del values[name]
        if prediction.values is not None:
            del values["labels"], values["probabilities"]
        print(before + json.dumps(values), end="", flush=True)
        before = ",\n"
    print("[]" if before == "[\n" else "\n]")


def print_csv(
    found: Iterator[Prediction], classes: Sequence[str], *, windows: bool, typical: bool = False
) -> None:
    """Print CSV with the probabilities of all classes; `windows` adds start and end, in seconds.

    `typical` adds the share of held-out training files that are at least as unusual.
    """
    names = sorted(classes)
    writer = csv.writer(sys.stdout)
    writer.writerow(
        ["file", *["start", "end"] * windows, "label", *["typical"] * typical, *names, "unreadable"]
    )
    for prediction in found:
        values = [prediction.probabilities.get(name, "") for name in names]
        span = [*(prediction.window or ("", ""))] if windows else []
        labels = "|".join(prediction.labels)
        share = ["" if prediction.typical is None else prediction.typical] * typical
        writer.writerow([prediction.file, *span, labels, *share, *values, prediction.unreadable])
        sys.stdout.flush()


def print_numbers(found: Iterator[Prediction], targets: Sequence[str], *, windows: bool) -> None:
    """Print CSV with the predicted number of each target; `windows` adds start and end, in seconds."""
    writer = csv.writer(sys.stdout)
    writer.writerow(["file", *["start", "end"] * windows, *targets, "unreadable"])
    for prediction in found:
        span = [*(prediction.window or ("", ""))] if windows else []
        values = [(prediction.values or {}).get(name, "") for name in targets]
        writer.writerow([prediction.file, *span, *values, prediction.unreadable])
        sys.stdout.flush()


def print_some_numbers(found: Iterator[Prediction], targets: Sequence[str], *, windows: bool) -> None:
    """Print the first `SHOWN` predicted numbers as a table, and the number of others."""
    rows = list[tuple[str, ...]]()
    for prediction in islice(found, SHOWN):
        start, end = prediction.window or (0.0, 0.0)
        values = prediction.values or {}
        shown = [number_text(values[name]) if name in values else "unreadable" for name in targets]
        rows.append((*(prediction.file, f"{start:.2f}–{end:.2f}")[: 1 + windows], *shown))
    print_table([(*("file", "seconds")[: 1 + windows], *targets), *rows])
    sys.stdout.flush()
    rest = sum(1 for _ in found)
    if rest:
        print(f"… {rest:,} more: use --csv or --json to print all")


def print_some(found: Iterator[Prediction], top: int, counts: LabelCounts, *, windows: bool) -> None:
    """Print the first `SHOWN` predictions as a table, the number of others, and the files per label."""
    header = ("file", "seconds")[: 1 + windows]
    rows = [_row(prediction, top, windows=windows) for prediction in islice(found, SHOWN)]
    print_table([(*header, "label", "probabilities"), *rows])
    sys.stdout.flush()
    rest = sum(1 for _ in found)
    if rest:
        print(f"… {rest:,} more: use --csv or --json to print all")
    labels = counts.rows()
    if len(rows) > 1 and len(labels) > 1:
        print_table(labels, title="files per label")


def _row(prediction: Prediction, top: int, *, windows: bool) -> tuple[str, ...]:
    start, end = prediction.window or (0.0, 0.0)
    name = (prediction.file, f"{start:.2f}–{end:.2f}")[: 1 + windows]
    if prediction.unreadable:
        return *name[:1], *("" for _ in name[1:]), "unreadable", ""
    best = list(prediction.probabilities.items())[:top]
    shown = ", ".join(f"{name} {100 * value:.1f} %" for name, value in best)
    return *name, " | ".join(prediction.labels) or "–", shown
