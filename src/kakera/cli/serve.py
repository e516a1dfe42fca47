"""`kakera serve MODEL…`."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from contextlib import suppress

from kakera.cli.arguments import Arguments
from kakera.errors import missing_extra
from kakera.web.serve_options import ServeOptions


def run(words: Sequence[str]) -> int:
    """Serve the explorer until Ctrl-C; Ctrl-C is the normal end, so return 0."""
    parser = Arguments("serve", "Start the explorer: look inside models in the browser.")
    parser.add_argument(
        "models",
        metavar="MODEL",
        nargs="+",
        help="run folders, finished or in training, pretrained or fine-tuned",
    )
    parser.add_options(ServeOptions)
    given = vars(parser.parse_args(words))
    models = given.pop("models")
    for package in ("fastapi", "orjson", "uvicorn"):
        if importlib.util.find_spec(package) is None:
            raise missing_extra(package, "web")
    from kakera.web.server import serve

    with suppress(KeyboardInterrupt):
        serve(models, **given)
    return 0
