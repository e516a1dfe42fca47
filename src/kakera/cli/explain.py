"""`kakera explain MODEL FILE…`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from kakera.cli.arguments import WRITING, Arguments
from kakera.commands.explaining.options import ExplainOptions


def run(words: Sequence[str]) -> int:
    """Write the page; return 2 if a file is unreadable, after the page shows all other files."""
    parser = Arguments(
        "explain",
        "Show what a model sees in pictures and recordings: attention, reconstructions, similarity.",
    )
    parser.add_argument(
        "model", metavar="MODEL", help="run folder of a Vision Transformer, pretrained or fine-tuned"
    )
    parser.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        help="pictures or recordings, folders, or a built-in name such as demo",
    )
    parser.add_options(ExplainOptions)
    parser.group(WRITING).add_argument("--json", action="store_true", default=False, help="print JSON")
    given = vars(parser.parse_args(words))
    as_json, model, files = given.pop("json"), given.pop("model"), given.pop("files")
    from kakera.commands.explain import explain_files

    if not as_json:
        print(f"writing into {given.get('out', ExplainOptions.out)}", flush=True)
    found = explain_files(model, files, **given)
    if as_json:
        print(json.dumps(found.to_json(), indent=2))
    else:
        print(f"{model}: {found.kind}")
        print(f"{found.folder}: {len(found.written) - 2} pictures, numbers.npz")
        print(f"{found.folder / 'index.html'}: open it in a browser")
    for error in found.unreadable:
        print(f"kakera: {error}", file=sys.stderr)
    return 2 if found.unreadable else 0
