"""Arguments of the commands that compute the tokens of a whole data set: embed and curate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kakera.cli.arguments import KIND_HELP, KINDS, READING, Arguments, add_workers
from kakera.errors import OptionError
from kakera.option_fields import AUTO


def add_inputs(parser: Arguments) -> None:
    """Add `--kind`, `--workers` and `--device`.

    Example:

        >>> parser = Arguments("check", "Check a data set.")
        >>> add_inputs(parser)
        >>> parser.parse_args(["--kind", "pictures"]).kind
        'pictures'
    """
    parser.group(READING).add_argument("--kind", choices=KINDS, default="any", help=KIND_HELP)
    add_workers(parser)
    parser.add_argument(
        "--device", default=AUTO, help="device for the encoder: cpu, cuda, mps or auto (default: auto)"
    )


def parse(parser: Arguments, words: Sequence[str], out: str, metavar: str) -> dict[str, Any]:
    """Return the given arguments. Raises OptionError without `--init-from` or `--out`.

    `out` says in words what `--out` is, and `metavar` stands for it.

    Example:

        >>> try:
        ...     parse(Arguments("check", "Check a data set."), [], "a folder", "FOLDER")
        ... except OptionError as error:
        ...     print(error)
        kakera check: got no --init-from, expected a run folder; add --init-from RUN
    """
    given = vars(parser.parse_args(words))
    for option, expected, example in (("init_from", "a run folder", "RUN"), ("out", out, metavar)):
        if option not in given:
            flag = "--" + option.replace("_", "-")
            do = f"add {flag} {example}"
            raise OptionError(parser.prog, got=f"no {flag}", expected=expected, do=do)
    return given
