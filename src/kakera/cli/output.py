"""What is printed: tables, and what to run next."""

from __future__ import annotations

import csv
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text


class Printable(Protocol):
    """A plan of some verb."""

    def lines(self) -> list[str]:
        """For people to read."""
        ...


def print_table(rows: Sequence[Sequence[str]], *, title: str = "") -> None:
    """Rows of text, the header first; numbers to the right."""
    header, *body = rows
    table = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD)
    for number, name in enumerate(header):
        table.add_column(Text(name), justify="left" if number == 0 else "right")
    for row in body:
        table.add_row(*(Text(cell) for cell in row))
    console = Console()
    # Where nobody looks at a terminal no line is cut or wrapped.
    Console(width=None if console.is_terminal else 500).print(table)


def print_plan(plan: Printable, words: Sequence[str]) -> int:
    """What a verb would do, and the command that begins it: `words` without `--plan`."""
    print("\n".join(plan.lines()))
    print(f"next: {shlex.join(['kakera', *(word for word in words if word != '--plan')])}")
    return 0


WRITTEN = (
    "model.safetensors",
    "kakera.json",
    "evaluation.json",
    "metrics.jsonl",
    "report.html",
    "pictures",
    "unreadable.csv",
)


def print_written(folder: Path) -> None:
    """What a run has written, and how many files it had to skip."""
    print(f"{folder}: {', '.join(name for name in WRITTEN if (folder / name).exists())}")
    skipped = folder / "unreadable.csv"
    if skipped.exists():
        from kakera.data.checks.findings import skipped_words

        with skipped.open(newline="") as file:
            reasons = [row["reason"] for row in csv.DictReader(file)]
        print(f"{skipped_words(reasons)} skipped: see {skipped}")


def print_report(folder: Path) -> None:
    """Where the page of a run is, if it could be written."""
    path = folder / "report.html"
    if path.exists():
        print(f"{path}: open it in a browser")
