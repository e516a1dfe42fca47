"""Writing of `report.html`, which never makes a finished command fail."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from kakera.errors import StorageError, sentence
from kakera.storage import write_atomically

REPORT = "report.html"


def write_page(folder: Path, make: Callable[[], str]) -> None:
    """Write `report.html` into a folder; if this fails, print one line on stderr and raise nothing.

    All other files are saved by then, and the same command writes a missing page.

    Example:

        >>> write_page(Path(), lambda: "<h1>Report</h1>")
        >>> Path("report.html").read_text()
        '<h1>Report</h1>'
    """
    path = folder / REPORT
    try:
        write_atomically(path, make().encode(), parents=False)
    except StorageError as error:
        print(f"warning: {error}", file=sys.stderr)
    except Exception as error:  # no error of the page may make a finished training fail
        message = sentence(
            str(path),
            got=f"{type(error).__name__} ({error})",
            expected="a page",
            do="run the same command again to write it; everything else is saved",
        )
        print(f"warning: {message}", file=sys.stderr)
