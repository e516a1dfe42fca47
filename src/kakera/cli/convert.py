"""`kakera convert SRC DST --to …`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from kakera.cli.arguments import WRITING, Arguments
from kakera.errors import OptionError


def run(words: Sequence[str]) -> int:
    """Convert a model for another library and print the largest difference of the outputs."""
    from kakera.commands.convert_int8 import convert_int8
    from kakera.formats.convert import Format, convert

    parser = Arguments("convert", "Convert a model for another library, and check that both outputs agree.")
    parser.add_argument(
        "source",
        metavar="SRC",
        help="a run folder, a transformers or timm folder, a weights file, or a name on the Hugging Face Hub",
    )
    parser.add_argument("target", metavar="DST", help="a new folder; with --to mae a new .pth file")
    writing = parser.group(WRITING)
    writing.add_argument("--to", choices=get_args(Format), required=True, help="target library")
    writing.add_argument(
        "--encoder",
        action="store_true",
        default=False,
        help="write only the encoder, without decoder or head",
    )
    writing.add_argument(
        "--image-size",
        type=int,
        nargs="+",
        metavar="PIXELS",
        default=None,
        help="change the picture size: one number, or height and width",
    )
    writing.add_argument(
        "--channels",
        type=int,
        metavar="INT",
        default=None,
        help="change the number of channels (default: keep them; with --to transformers grey becomes 3)",
    )
    eight = parser.group("8-bit integers (int8), for a classifier on CPUs")
    eight.add_argument(
        "--int8", action="store_true", default=False, help="write an int8 graph (with --to onnx)"
    )
    eight.add_argument(
        "--calibrate",
        metavar="DATA",
        default="",
        help="data set to calibrate int8 with, and to measure the lost accuracy on",
    )
    eight.add_argument(
        "--allow-loss",
        action="store_true",
        default=False,
        help="write the int8 graph even if it loses over 2 points of accuracy or changes over 5 %% of labels",
    )
    given = parser.parse_args(words)
    changes: dict[str, Any] = {"image_size": _size(given.image_size), "channels": given.channels}
    if not given.int8:
        _require(not given.calibrate, "--calibrate", "together with --int8")
        _require(not given.allow_loss, "--allow-loss", "together with --int8")
        found = convert(given.source, given.target, to=given.to, encoder=given.encoder, **changes)
    else:
        _require(
            given.to == "onnx" and not given.encoder, "--int8", "together with --to onnx, for a classifier"
        )
        _require(bool(given.calibrate), "--int8", "together with --calibrate DATA")
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
    _require(pixels is None or len(pixels) in (1, 2), "--image-size", "with one number, or height and width")
    if not pixels:
        return None
    return pixels[0] if len(pixels) == 1 else (pixels[0], pixels[1])


def _require(holds: bool, flag: str, expected: str) -> None:
    if not holds:
        raise OptionError(
            "kakera convert", got=flag, expected=f"it {expected}", do="try kakera convert --help"
        )
