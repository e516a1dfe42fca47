"""Progress on the terminal: rate and time left. Elsewhere, a line now and then."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

EVERY = 20.0  # seconds between lines where there is no terminal


class Progress:
    """`with Progress("pretrain", total=steps, start=0, unit=batch) as progress: progress.advance(loss)`."""

    def __init__(self, verb: str, *, total: int, start: int, unit: int, quiet: bool = False) -> None:
        self.verb, self.total, self.start, self.unit = verb, total, start, unit
        self.done, self.began, self.told = start, time.monotonic(), time.monotonic()
        self.console = Console(stderr=True, quiet=quiet)
        self.quiet = quiet
        columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        text = TextColumn("{task.fields[note]}")
        self.bar = Bar(TextColumn(verb), *columns, text, console=self.console, transient=True)
        self.task = self.bar.add_task(verb, total=total, completed=start, note="")

    def __enter__(self) -> Progress:
        if self.console.is_terminal:
            self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.console.is_terminal:
            self.bar.stop()

    @property
    def seconds(self) -> float:
        """Since this process began to train."""
        return round(time.monotonic() - self.began, 1)

    def advance(self, loss: float) -> None:
        """One step done."""
        self.done += 1
        now = time.monotonic()
        rate = (self.done - self.start) / max(now - self.began, 1e-9)
        note = f"{rate * self.unit:.0f} pictures/s, loss {loss:.4f}"
        if self.console.is_terminal:
            self.bar.update(self.task, completed=self.done, note=note)
        elif now - self.told > EVERY and not self.quiet:
            left = (self.total - self.done) / rate
            print(f"{self.verb}: step {self.done}/{self.total}, {note}, {left:.0f} s left", file=sys.stderr)
            self.told = now
