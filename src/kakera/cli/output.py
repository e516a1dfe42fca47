"""Printing of tables, plans and written files."""

from __future__ import annotations

import csv
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kakera.errors import OptionError

if TYPE_CHECKING:
    from kakera.training.metrics_report import Evaluation


class Printable(Protocol):
    """The plan of a verb.

    Example:

        >>> class Sentence:
        ...     def lines(self):
        ...         return ["time: 2 minutes"]
        >>> print_plan(Sentence(), ["probe"])
        time: 2 minutes
        next: kakera probe
        0
    """

    def lines(self) -> list[str]:
        """Return the lines to print."""
        ...


def print_table(rows: Sequence[Sequence[str]], *, title: str = "") -> None:
    """Print rows of text; the first row is the header, and all columns but the first are right-aligned.

    Example:

        >>> print_table([("file", "label"), ("a.png", "cat")])
        <BLANKLINE>
          file    label
         ───────────────
          a.png     cat
        <BLANKLINE>
    """
    header, *body = rows
    table = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD)
    for number, name in enumerate(header):
        table.add_column(Text(name), justify="left" if number == 0 else "right")
    for row in body:
        table.add_row(*(Text(cell) for cell in row))
    console = Console()
    # Output to a file or pipe must not be cut or wrapped, so it gets a very wide console.
    Console(width=None if console.is_terminal else 500).print(table)


def print_plan(plan: Printable, words: Sequence[str]) -> int:
    """Print the plan of a verb, and the command that starts it: `words` without `--plan`; return 0.

    Example:

        >>> from types import SimpleNamespace
        >>> plan = SimpleNamespace(lines=lambda: ["time: 2 minutes"])
        >>> print_plan(plan, ["pretrain", "--data", "my pictures", "--plan"])
        time: 2 minutes
        next: kakera pretrain --data 'my pictures'
        0
    """
    print("\n".join(plan.lines()))
    print(f"next: {shlex.join(['kakera', *(word for word in words if word != '--plan')])}")
    return 0


CLASSES = 50  # most rows of the printed table of an evaluation


def print_evaluation(evaluation: Evaluation | None, folder: Path, *, regression: bool) -> None:
    """Print the table of an evaluation, its summary, and the verdict that the run `folder` stores.

    Example:

        >>> print_evaluation(None, Path(), regression=False)
        the data have no labelled test files, so the accuracy is unknown
    """
    from kakera.training.baselines.verdict import last_verdict

    if evaluation is None:
        measure = "error" if regression else "accuracy"
        print(f"the data have no labelled test files, so the {measure} is unknown")
        return
    header, *rows = evaluation.table()
    print_table([header, *rows[:CLASSES]])
    if len(rows) > CLASSES:
        print(f"… {len(rows) - CLASSES:,} more classes: the report and evaluation.json list all")
    print(evaluation.summary())
    print(last_verdict(folder))


WRITTEN = (
    "model.safetensors",
    "kakera.json",
    "fit.json",
    "rejection.safetensors",
    "evaluation.json",
    "metrics.jsonl",
    "report.html",
    "pictures",
    "unreadable.csv",
)


def print_written(folder: Path) -> None:
    """Print the names of the files that a run has written, and the number of skipped files.

    Example:

        >>> run = Path("run-1")
        >>> run.mkdir()
        >>> _ = (run / "report.html").write_text("")
        >>> print_written(run)
        run-1: report.html
    """
    print(f"{folder}: {', '.join(name for name in WRITTEN if (folder / name).exists())}")
    skipped = folder / "unreadable.csv"
    if skipped.exists():
        from kakera.data.checks.findings import skipped_words

        with skipped.open(newline="") as file:
            reasons = [row["reason"] for row in csv.DictReader(file)]
        print(f"{skipped_words(reasons)} skipped: see {skipped}")


def print_report(folder: Path) -> None:
    """Print the path of `report.html`, if the run has one.

    Example:

        >>> _ = Path("report.html").write_text("")
        >>> print_report(Path())
        report.html: open it in a browser
    """
    path = folder / "report.html"
    if path.exists():
        print(f"{path}: open it in a browser")


def require_page(option: str, name: str) -> None:
    """Raise OptionError for a page that would overwrite a file of another kind, or cannot be written.

    Example:

        >>> try:
        ...     require_page("--page", "photo.png")
        ... except OptionError as error:
        ...     print(error)
        --page: got photo.png, expected a name ending in .html; correct it
    """
    if not name:
        return
    if Path(name).suffix.lower() not in (".html", ".htm"):
        raise OptionError(option, got=name, expected="a name ending in .html", do="correct it")
    above = next(each for each in Path(name).absolute().parents if each.exists())  # folders are created
    if Path(name).is_dir() or not above.is_dir() or not os.access(above, os.W_OK):
        expected, do = "a file in a folder to write into", "choose another name"
        raise OptionError(option, got=name, expected=expected, do=do)
