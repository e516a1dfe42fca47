"""`kakera predict MODEL FILE…`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from kakera.cli.arguments import WRITING, Arguments, add_ranges, add_workers
from kakera.cli.output import require_page
from kakera.cli.prediction_output import (
    print_csv,
    print_json,
    print_numbers,
    print_some,
    print_some_numbers,
)
from kakera.errors import OptionError
from kakera.option_fields import or_none

if TYPE_CHECKING:
    from kakera.commands.prediction import Prediction

SHOWN, CARD = 3, 3  # number of classes in a row of the table, and on a card of the page


def run(words: Sequence[str]) -> int:
    """Print predictions; return 2 if a file is unreadable, after all other predictions are printed.

    Raises OptionError if options contradict each other."""
    parser = Arguments("predict", "Predict the labels of pictures or recordings, with probabilities.")
    parser.add_argument(
        "model", metavar="MODEL", help="a fine-tuned run folder, or an ONNX folder written by kakera convert"
    )
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        help="pictures or recordings, folders, or a built-in name such as demo",
    )
    writing = parser.group(WRITING)
    writing.add_argument(
        "--top",
        type=int,
        default=None,
        help="number of classes to show for each file (default: 3; with --json all)",
    )
    add_workers(parser)
    parser.group("computing").add_argument(
        "--device", default="auto", help="cpu, cuda, mps or auto (default: auto)"
    )
    parser.group("computing").add_argument(
        "--engine",
        default="torch",
        metavar="NAME",
        help="torch: exact float32 (the default); auto: the fastest that answers alike on your files; "
        "or bf16, int8, merging, 'bf16 merging', 'int8 merging', 'onnxruntime int8', openvino",
    )
    writing.add_argument(
        "--windows",
        action="store_true",
        default=False,
        help="predict each window of a recording, with its start and end",
    )
    writing.add_argument(
        "--reject",
        type=float,
        default=0.0,
        metavar="RATE",
        help='label files that are unlike the training files "none of these", with this rate of false '
        "alarms, such as 0.05; for a run of kakera fit, or of kakera finetune with --val-share (default: 0, "
        "never)",
    )
    add_ranges(parser)
    form = writing.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", default=False, help="print JSON")
    form.add_argument(
        "--csv", action="store_true", default=False, help="print CSV with the probabilities of all classes"
    )
    writing.add_argument(
        "--page",
        metavar="FILE.html",
        default="",
        help="write a page of the predictions, with thumbnails of pictures or players of recordings",
    )
    writing.add_argument(
        "--order",
        choices=("surest", "given"),
        default="surest",
        help="order on the page; surest: highest probability first, given: as passed (default: surest)",
    )
    given = parser.parse_args(words)
    require_page("--page", given.page)
    if given.page and given.windows:
        raise OptionError(
            "--page", got="--windows as well", expected="whole files", do="remove --page or --windows"
        )
    if given.reject and given.windows:
        do = "remove --reject or --windows"
        raise OptionError("--reject", got="--windows as well", expected="whole files", do=do)
    if not 0 <= given.reject < 1:
        raise OptionError("--reject", got=given.reject, expected="a rate from 0 to below 1", do="correct it")
    if given.top is not None and given.top < 1:
        raise OptionError("--top", got=given.top, expected="1 or more", do="pass a larger number")
    from kakera.commands.label_counts import LabelCounts
    from kakera.commands.predict import each_prediction, iter_predict, predict_windows
    from kakera.commands.prediction import open_model
    from kakera.commands.rejecting import rejection_for, require_distances
    from kakera.commands.seen_files import seen_files
    from kakera.data.checks.findings import left_lines
    from kakera.data.images import value_range
    from kakera.data.sources.files import open_files
    from kakera.data.sources.measured_range import range_warnings
    from kakera.formats.bundle import Pretrained
    from kakera.formats.rejection import NONE
    from kakera.training.planning.next_commands import after_predict

    require_distances(given.model, given.reject)
    model = open_model(given.model)
    work: Callable[..., Iterator[Prediction]] = predict_windows if given.windows else iter_predict
    if given.reject:
        rejection = rejection_for(given.model, model, given.reject, given.engine)
        work = partial(each_prediction, reject=given.reject, rejection=rejection)
    regression = isinstance(model, Pretrained) and model.regression
    if regression and given.top is not None:
        do = "leave it out; every target is shown"
        raise OptionError("--top", got=given.top, expected="a model of classes", do=do)
    if ranges := value_range.range_from_options(or_none(given.bits) or 0, given.value_range):
        model = replace(model, inputs=replace(model.inputs, values=ranges))
    dataset = open_files(given.files, model.inputs)
    seen = seen_files(given.model, dataset)
    for line in (
        range_warnings(dataset, model.inputs.values) + left_lines(dataset.left_out, ()) + [seen] * bool(seen)
    ):
        print(f"kakera: {line}", file=sys.stderr)
    counts = LabelCounts()
    broken: list[Prediction] = []
    kept: list[Prediction] = []

    def counted(found: Iterator[Prediction]) -> Iterator[Prediction]:
        for prediction in found:
            counts.add(prediction)
            broken.extend([prediction] * bool(prediction.unreadable))
            if given.page:
                names = dict.fromkeys([*islice(prediction.probabilities, CARD), *prediction.labels])
                likely = {name: prediction.probabilities.get(name, 0.0) for name in names if name != NONE}
                kept.append(replace(prediction, probabilities=likely))
            yield prediction

    shown = given.top or SHOWN
    every = (given.json and given.top is None) or given.csv or model.multi_label
    top = 0 if every else max(shown, CARD)  # a card of the page needs CARD classes, whatever the table shows
    found = counted(
        work(model, dataset, top=top, workers=given.workers, device=given.device, engine=given.engine)
    )
    if given.json:
        print_json(found, given.top)
    elif regression:
        printed = print_numbers if given.csv else print_some_numbers
        printed(found, model.classes, windows=given.windows)
    elif given.csv:
        print_csv(found, model.classes, windows=given.windows, typical=bool(given.reject))
    else:
        print_some(found, shown, counts, windows=given.windows)
        print(*after_predict(given.model, given.files, page=given.page), sep="\n")
    if given.page:
        from kakera.commands.pages.prediction import write_prediction_page

        write_prediction_page(given.page, given.model, dataset, model.inputs, kept, order=given.order)
        print(f"kakera: {given.page}: open it in a browser", file=sys.stderr)
    clipped = dataset.pictures.clipped
    if clipped:
        first = next(iter(clipped))
        many = f"values in {len(clipped)} files ({first}: {clipped[first]}, …)"
        print(f"kakera: {many}: outside of the value range, clipped", file=sys.stderr)
    for prediction in broken:
        print(f"kakera: {prediction.file}: {prediction.unreadable}", file=sys.stderr)
    return 2 if broken else 0
