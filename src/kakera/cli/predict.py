"""`kakera predict MODEL FILE…`."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from kakera.cli.arguments import Arguments
from kakera.cli.output import print_table

if TYPE_CHECKING:
    from kakera.training.predict import Prediction


def run(words: Sequence[str]) -> int:
    """Print predictions; exit code 2 where a file could not be read, after all others were."""
    parser = Arguments("predict", "What pictures show, with probabilities.")
    parser.add_argument("model", metavar="MODEL", help="a fine-tuned run")
    parser.add_argument(
        "files", metavar="FILE", nargs="+", help="pictures, folders, or a built-in name such as demo"
    )
    parser.add_argument("--top", type=int, default=3, help="classes shown for each picture (default: 3)")
    parser.add_argument("--workers", type=int, default=0, help="processes that read (default: 0)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", default=False, help="print JSON")
    form.add_argument("--csv", action="store_true", default=False, help="print CSV with every class")
    given = parser.parse_args(words)
    from kakera.training.predict import predict

    found = predict(given.model, given.files, workers=given.workers)
    if given.json:
        print(json.dumps([asdict(prediction) for prediction in found], indent=2))
    elif given.csv:
        _print_csv(found)
    else:
        print_table(
            [("file", "label", "probabilities"), *(_row(prediction, given.top) for prediction in found)]
        )
    broken = [prediction for prediction in found if prediction.unreadable]
    for prediction in broken:
        print(f"kakera: {prediction.file}: {prediction.unreadable}", file=sys.stderr)
    return 2 if broken else 0


def _row(prediction: Prediction, top: int) -> tuple[str, str, str]:
    if prediction.unreadable:
        return prediction.file, "unreadable", ""
    best = list(prediction.probabilities.items())[:top]
    shown = ", ".join(f"{name} {100 * value:.1f} %" for name, value in best)
    return prediction.file, " | ".join(prediction.labels) or "–", shown


def _print_csv(found: Sequence[Prediction]) -> None:
    names = sorted({name for prediction in found for name in prediction.probabilities})
    writer = csv.writer(sys.stdout)
    writer.writerow(["file", "label", *names, "unreadable"])
    for prediction in found:
        values = [prediction.probabilities.get(name, "") for name in names]
        writer.writerow([prediction.file, "|".join(prediction.labels), *values, prediction.unreadable])
