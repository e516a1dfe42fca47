"""`kakera predict MODEL FILE…`."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from kakera.cli.arguments import Arguments, add_ranges
from kakera.cli.output import print_table
from kakera.errors import OptionError, sentence

if TYPE_CHECKING:
    from kakera.training.predict import Prediction


def run(words: Sequence[str]) -> int:
    """Print predictions; exit code 2 where a file could not be read, after all others were."""
    parser = Arguments("predict", "What pictures show and recordings say, with probabilities.")
    parser.add_argument(
        "model", metavar="MODEL", help="a fine-tuned run, or a graph of ONNX that kakera wrote"
    )
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        help="pictures or recordings, folders, or a built-in name such as demo",
    )
    parser.add_argument("--top", type=int, default=3, help="classes shown for each picture (default: 3)")
    parser.add_argument("--workers", type=int, default=-1, help="processes that read (default: as needed)")
    parser.add_argument("--device", default="auto", help="cpu, cuda, mps or auto (default: auto)")
    parser.add_argument(
        "--windows", action="store_true", default=False, help="of recordings: every window, with its times"
    )
    add_ranges(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", default=False, help="print JSON")
    form.add_argument("--csv", action="store_true", default=False, help="print CSV with every class")
    parser.add_argument(
        "--page",
        metavar="FILE.html",
        default="",
        help="write a page: thumbnails, or players of recordings",
    )
    parser.add_argument(
        "--order",
        choices=("surest", "given"),
        default="surest",
        help="of the page: by probability, highest first, or as the files were given (default: surest)",
    )
    given = parser.parse_args(words)
    if given.page and given.windows:
        raise OptionError(
            sentence("--page", got="--windows as well", expected="whole files", do="leave out one of them")
        )
    from kakera.data import value_range
    from kakera.data.files import open_files
    from kakera.data.findings import left_lines
    from kakera.data.measure import doubts
    from kakera.training.next_commands import after_predict
    from kakera.training.predict import open_model, predict, predict_windows

    model = open_model(given.model)
    if ranges := value_range.given(given.bits, given.value_range):
        model = replace(model, inputs=replace(model.inputs, values=ranges))
    clipped: dict[str, int] = {}
    dataset = open_files(given.files, model.inputs)
    for line in doubts(dataset, model.inputs.values) + left_lines(dataset.left, ()):
        print(f"kakera: {line}", file=sys.stderr)
    if given.windows:
        found = list(predict_windows(model, dataset, workers=given.workers, device=given.device))
    else:
        found = predict(model, dataset, workers=given.workers, device=given.device)
        clipped = getattr(dataset.pictures, "clipped", {})
        if given.page:
            from kakera.training.prediction_page import write_prediction_page

            write_prediction_page(given.page, given.model, dataset, model.inputs, found, order=given.order)
    if given.json:
        print(json.dumps([_plain(prediction) for prediction in found], indent=2))
    elif given.csv:
        _print_csv(found)
    else:
        header = ("file", "seconds")[: 1 + given.windows]
        rows = [_row(prediction, given.top, windows=given.windows) for prediction in found]
        print_table([(*header, "label", "probabilities"), *rows])
        print(*after_predict(given.model, given.files, page=given.page), sep="\n")
    if given.page:
        print(f"kakera: {given.page}: open it in a browser", file=sys.stderr)
    if clipped:
        first = next(iter(clipped))
        many = f"values in {len(clipped)} files ({first}: {clipped[first]}, …)"
        print(f"kakera: {many}: outside of the range, clipped", file=sys.stderr)
    broken = [prediction for prediction in found if prediction.unreadable]
    for prediction in broken:
        print(f"kakera: {prediction.file}: {prediction.unreadable}", file=sys.stderr)
    return 2 if broken else 0


def _plain(prediction: Prediction) -> dict[str, Any]:
    """Without a window where there is none."""
    return {name: value for name, value in asdict(prediction).items() if value is not None}


def _row(prediction: Prediction, top: int, *, windows: bool) -> tuple[str, ...]:
    start, end = prediction.window or (0.0, 0.0)
    name = (prediction.file, f"{start:.2f}–{end:.2f}")[: 1 + windows]
    if prediction.unreadable:
        return *name[:1], *("" for _ in name[1:]), "unreadable", ""
    best = list(prediction.probabilities.items())[:top]
    shown = ", ".join(f"{name} {100 * value:.1f} %" for name, value in best)
    return *name, " | ".join(prediction.labels) or "–", shown


def _print_csv(found: Sequence[Prediction]) -> None:
    names = sorted({name for prediction in found for name in prediction.probabilities})
    writer = csv.writer(sys.stdout)
    times = any(prediction.window for prediction in found)
    writer.writerow(["file", *["start", "end"] * times, "label", *names, "unreadable"])
    for prediction in found:
        values = [prediction.probabilities.get(name, "") for name in names]
        span = [*(prediction.window or ("", ""))] if times else []
        labels = "|".join(prediction.labels)
        writer.writerow([prediction.file, *span, labels, *values, prediction.unreadable])
