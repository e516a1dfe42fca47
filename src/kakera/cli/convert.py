"""`kakera convert SRC DST --to …`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import get_args

from kakera.cli.arguments import Arguments


def run(words: Sequence[str]) -> int:
    """Write a model for another library and say how far apart both are."""
    from kakera.formats.convert import Format, convert

    parser = Arguments("convert", "A model for another library, run beside the original before it is kept.")
    parser.add_argument(
        "source",
        metavar="SRC",
        help="a run, a folder of transformers, a .pth of MAE's code, or a name on the hub",
    )
    parser.add_argument("target", metavar="DST", help="a new folder; for mae a new .pth file")
    parser.add_argument("--to", choices=get_args(Format), required=True, help="who shall read it")
    parser.add_argument(
        "--encoder", action="store_true", default=False, help="without its decoder or its head"
    )
    given = parser.parse_args(words)
    found = convert(given.source, given.target, to=given.to, encoder=given.encoder)
    print("\n".join(found.lines()))
    return 0
