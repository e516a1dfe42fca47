"""`kakera curate DATA --init-from ENCODER --out FOLDER`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from kakera.cli.arguments import WRITING, Arguments, or_auto
from kakera.cli.encoder_arguments import add_inputs, parse


def run(words: Sequence[str]) -> int:
    """Write the findings and print a summary; return 2 if a file is unreadable. Raises OptionError."""
    parser = Arguments("curate", "Find copies, wrong labels, unusual files and gaps of a data set.")
    parser.add_argument("data", metavar="DATA", help="a folder, a table, shards, or any other data set")
    parser.add_argument(
        "--init-from",
        dest="init_from",
        metavar="ENCODER",
        help="run folder, or weights of another library, whose encoder computes the tokens",
    )
    writing = parser.group(WRITING)
    writing.add_argument("--out", metavar="FOLDER", help="folder of findings.csv and report.html")
    writing.add_argument(
        "--apply",
        metavar="TABLE",
        help="also write a .csv table without copies (file, label, part), which kakera finetune reads",
    )
    writing.add_argument(
        "--relabel",
        action="store_true",
        help="in the table, give suspect training files their suggested label",
    )
    search = parser.group("search")
    search.add_argument(
        "--pool",
        metavar="POOL",
        help="tokens that are compared: class, mean, class and mean, attention; auto: class and mean, or "
        "mean for an encoder without class token (default: auto)",
    )
    search.add_argument(
        "--mirrored",
        action=argparse.BooleanOptionalAction,
        help="also find mirrored copies of pictures; the encoder reads each picture twice (default: True)",
    )
    search.add_argument(
        "--unusual",
        type=or_auto(int),
        metavar="N|auto",
        help="number of unusual files to list; auto: up to 50 that are above a limit (default: auto)",
    )
    add_inputs(parser)
    given = parse(parser, words, "a folder", "FOLDER")
    from kakera.cli.output import print_report
    from kakera.commands.curate import curate

    found = curate(given.pop("data"), **given)
    print("\n".join(found.lines()))
    print(f"{found.folder / 'findings.csv'}: {len(found.findings):,} findings")
    print_report(Path(given["out"]))
    for error in found.unreadable:
        print(f"kakera: {error}", file=sys.stderr)
    return 2 if found.unreadable else 0
