"""The lines of `metrics.jsonl` when a run resumes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from kakera.storage import write_atomically

METRICS = "metrics.jsonl"


def drop_after(path: Path, step: int) -> None:
    """Remove the lines after `step`, and an incomplete last line of a killed run. Raises StorageError.

    Example:

        >>> path = Path("metrics.jsonl")
        >>> _ = path.write_text('{"step": 1}\\n{"step": 2}\\n{"st')
        >>> drop_after(path, step=1)
        >>> path.read_text()
        '{"step": 1}\\n'
    """
    lines = [line for line, reached in _lines(path) if reached <= step]
    write_atomically(path, "".join(f"{line}\n" for line in lines).encode())


def report_repeated(path: Path) -> None:
    """Print a line to stderr if a run without a checkpoint has metrics: its training starts again.

    Example:

        >>> from contextlib import redirect_stderr
        >>> _ = Path(METRICS).write_text('{"step": 5}')
        >>> with redirect_stderr(sys.stdout):
        ...     report_repeated(Path(METRICS))
        kakera: .: metrics up to step 5 but no checkpoint: training starts again at step 0
    """
    reached = max((step for _, step in _lines(path)), default=0)
    if reached:
        print(
            f"kakera: {path.parent}: metrics up to step {reached} but no checkpoint: training starts again "
            "at step 0",
            file=sys.stderr,
        )


def _lines(path: Path) -> list[tuple[str, int]]:
    """Return each complete line with its step."""
    lines: list[tuple[str, int]] = []
    for line in path.read_text().splitlines() if path.exists() else ():
        try:
            lines.append((line, int(json.loads(line)["step"])))
        except (ValueError, KeyError, TypeError):
            continue
    return lines
