"""`kakera convert SRC DST --to …`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from kakera.cli.arguments import WRITING, Arguments
from kakera.errors import OptionError


def run(words: Sequence[str]) -> int:
    """Write a model for another library and say how far apart both are."""
    from kakera.commands.convert_int8 import convert_int8
    from kakera.formats.convert import Format, convert

    parser = Arguments("convert", "A model for another library, run beside the original before it is kept.")
    parser.add_argument(
        "source",
        metavar="SRC",
        help="a run, a folder of transformers or timm, a file of weights, or a name on the hub",
    )
    parser.add_argument("target", metavar="DST", help="a new folder; for mae a new .pth file")
    writing = parser.group(WRITING)
    writing.add_argument("--to", choices=get_args(Format), required=True, help="target library")
    writing.add_argument(
        "--encoder",
        action="store_true",
        default=False,
        help="the encoder alone, without decoder or head",
    )
    writing.add_argument(
        "--image-size",
        type=int,
        nargs="+",
        metavar="PIXELS",
        default=None,
        help="another picture size, or height and width",
    )
    writing.add_argument(
        "--channels",
        type=int,
        metavar="INT",
        default=None,
        help="another number of channels; without it transformers gets 3 of a model of grey pictures",
    )
    eight = parser.group("8 bits, for a classifier on CPUs")
    eight.add_argument(
        "--int8", action="store_true", default=False, help="write an int8 graph (with --to onnx)"
    )
    eight.add_argument(
        "--calibrate",
        metavar="DATA",
        default="",
        help="data to calibrate int8 on, and to measure its cost",
    )
    eight.add_argument(
        "--allow-loss",
        action="store_true",
        default=False,
        help="write int8 even where it loses over 2 points of accuracy, or 5 %% of the labels",
    )
    given = parser.parse_args(words)
    changes: dict[str, Any] = {"image_size": _size(given.image_size), "channels": given.channels}
    if not given.int8:
        _require(not given.calibrate, "--calibrate", "with --int8")
        _require(not given.allow_loss, "--allow-loss", "with --int8")
        found = convert(given.source, given.target, to=given.to, encoder=given.encoder, **changes)
    else:
        _require(given.to == "onnx" and not given.encoder, "--int8", "with --to onnx, of a classifier")
        _require(bool(given.calibrate), "--int8", "with --calibrate DATA")
        changes |= {"calibrate": given.calibrate, "allow_loss": given.allow_loss}
        found = convert_int8(given.source, given.target, **changes)
    print("\n".join(found.lines()))
    from kakera.training.planning.next_commands import after_convert
    from kakera.training.planning.situation import situation, trained_on

    data = given.calibrate or trained_on(given.source)
    graph, classifier = given.to == "onnx", bool(found.source.classes) and not given.encoder
    lines = after_convert(situation(data) if data else None, given.target, classifier=classifier, graph=graph)
    print(*lines, sep="\n", end="\n" if lines else "")
    return 0


def _size(pixels: list[int] | None) -> int | tuple[int, int] | None:
    _require(pixels is None or len(pixels) in (1, 2), "--image-size", "one number, or height and width")
    if not pixels:
        return None
    return pixels[0] if len(pixels) == 1 else (pixels[0], pixels[1])


def _require(holds: bool, flag: str, expected: str) -> None:
    if not holds:
        raise OptionError(
            "kakera convert", got=flag, expected=f"it {expected}", do="try kakera convert --help"
        )
