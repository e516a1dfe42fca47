"""`kakera bench time-to-accuracy`."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from kakera.cli.arguments import WRITING, Arguments

NAME = "time-to-accuracy"
SECONDS, LABELS, DRAWS = (60.0, 120.0, 240.0), (100, 1000), 5
QUICK = {"model": "nano", "patch": (14,)}


def run(words: Sequence[str]) -> int:
    """Compare the processor time that kakera and other libraries need to reach the same accuracy."""
    from kakera.bench.foreign import add_peers_folder
    from kakera.bench.time_to_accuracy.comparison import Comparison
    from kakera.bench.time_to_accuracy.contenders import PEER_OPTIONS, contenders
    from kakera.bench.time_to_accuracy.record import Record
    from kakera.bench.time_to_accuracy.setting import Setting
    from kakera.bench.time_to_accuracy.table import lines

    parser = Arguments(
        f"bench {NAME}",
        "Pretrain equal networks without labels for given processor seconds on one core, with kakera and\n"
        "with other libraries. Read their frozen tokens with the same ridge regression, and print accuracy\n"
        "against time. This takes hours; a stopped comparison resumes with the same --out.",
    )
    compared = parser.group("compared")
    compared.add_argument(
        "--data", default="fashion-mnist", help="folder, or built-in name (default: fashion-mnist)"
    )
    compared.add_argument(
        "--contenders",
        nargs="+",
        default=["kakera", "transformers"],
        metavar="NAME",
        help="kakera or transformers, also with an ending such as transformers-bf16, see --options",
    )
    compared.add_argument(
        "--kakera",
        action="append",
        default=[],
        metavar="[NAME=]FOLDER",
        help="also run kakera from this checkout, as contender kakera-NAME (default name: its version)",
    )
    compared.add_argument(
        "--options",
        action="append",
        default=[],
        metavar="NAME=WORDS",
        help=f"more options of one contender: those of kakera pretrain, or {PEER_OPTIONS}",
    )
    compared.add_argument(
        "--recipe", default="", help="recipe of kakera, also for the peers' crops (default: micro)"
    )
    compared.add_argument("--model", help="size of all networks (default: that of the recipe)")
    compared.add_argument("--image-size", type=int, help="side of the input in pixels (default: auto)")
    compared.add_argument("--patch", type=int, nargs="+", help="side of a patch, or height and width")
    measuring = parser.group("measuring")
    measuring.add_argument(
        "--seconds", type=float, nargs="+", default=SECONDS, help="processor seconds (default: 60 120 240)"
    )
    measuring.add_argument("--seeds", type=int, default=1, help="trainings of each point (default: 1)")
    measuring.add_argument(
        "--labels", type=int, nargs="+", default=LABELS, help="numbers of labels (default: 100 1000)"
    )
    measuring.add_argument(
        "--draws", type=int, default=DRAWS, help="random draws of each number of labels (default: 5)"
    )
    measuring.add_argument(
        "--quick", action="store_true", default=False, help="use the smallest sizes, as a smoke test"
    )
    measuring.add_argument(
        "--peers", default="", metavar="FOLDER", help="folder with more libraries to compare with"
    )
    parser.group(WRITING).add_argument("--out", default="", help="JSON file of the results; also to resume")
    given = parser.parse_args(words)
    if given.peers:
        add_peers_folder(given.peers)
    shared = {name: getattr(given, name) for name in ("model", "image_size", "patch") if hasattr(given, name)}
    if "patch" in shared:
        shared["patch"] = tuple(shared["patch"])
    chosen = contenders(given.contenders, given.kakera, given.options)
    record = Record.open(Path(given.out) if given.out else None, quick=given.quick)
    setting = Setting.of(
        given.data,
        {**QUICK, **shared} if given.quick else shared,
        labels=tuple(given.labels),
        draws=given.draws,
        recipe=given.recipe,
    )
    with tempfile.TemporaryDirectory() as work:
        Comparison(setting, chosen, record, Path(work), _say).run(given.seconds, given.seeds)
    print("\n".join(lines(record.to_json())))
    return 0


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
