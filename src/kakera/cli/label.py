"""`kakera label DATA --init-from ENCODER --out TABLE.csv`."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from contextlib import suppress

from kakera.cli.arguments import WRITING, Arguments
from kakera.cli.encoder_arguments import add_inputs, parse
from kakera.errors import missing_extra
from kakera.web.serve_options import ServeOptions


def run(words: Sequence[str]) -> int:
    """Serve the page until Ctrl-C; Ctrl-C is the normal end, so return 0. Raises OptionError."""
    parser = Arguments("label", "Label files in the browser; a head on frozen tokens chooses which.")
    parser.add_argument("data", metavar="DATA", help="a folder or a table of pictures or recordings")
    parser.add_argument(
        "--init-from",
        dest="init_from",
        metavar="ENCODER",
        help="run folder, or weights of another library, whose encoder computes the tokens",
    )
    parser.group(WRITING).add_argument(
        "--out", metavar="TABLE", help="the .csv table of labels; an existing one is continued"
    )
    choice = parser.group("labelling")
    choice.add_argument(
        "--classes",
        metavar="A,B,C",
        help="names of the classes, separated by commas; new ones can be typed on the page (default: those "
        "of the folders or the table)",
    )
    choice.add_argument(
        "--batch", type=int, metavar="N", help="files after which the head is trained again (default: 10)"
    )
    choice.add_argument(
        "--pool",
        metavar="POOL",
        help="tokens that the head reads: class, mean, class and mean, attention; auto: class and mean, or "
        "mean for an encoder without class token (default: auto)",
    )
    choice.add_argument("--plan", action="store_true", help="print the plan, with its time, and exit")
    parser.add_options(ServeOptions, without=("pictures",))
    add_inputs(parser)
    given = parse(parser, words, "a .csv table", "labels.csv")
    for package in ("fastapi", "orjson", "uvicorn"):
        if importlib.util.find_spec(package) is None:
            raise missing_extra(package, "web")
    if "classes" in given:
        given["classes"] = [name for name in map(str.strip, given["classes"].split(",")) if name]
    from kakera.web.labelling.server import label

    with suppress(KeyboardInterrupt):
        label(given.pop("data"), **given)
    return 0
