"""How far a long piece of work is, and the time left: a bar on a terminal, elsewhere a line now and then."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

T = TypeVar("T")
EVERY = 20.0  # seconds between lines where there is no terminal
FIRST = 1.5  # seconds until the first of them


class Progress:
    """`with Progress("tokens", total=60_000) as progress: progress.advance()`, once for each that is done.

    `kind` is what is counted: pictures, or, where a step takes a `batch` of them, steps. One that is `quiet`
    shows nothing; unless told otherwise that is a process that follows another.
    """

    def __init__(
        self,
        verb: str,
        *,
        total: int,
        start: int = 0,
        kind: str = "pictures",
        batch: int = 0,
        quiet: bool | None = None,
    ) -> None:
        self.verb, self.total, self.start, self.kind, self.batch = verb, total, start, kind, batch
        self.done, self.began = start, time.monotonic()
        self.due = self.began + FIRST
        """When the next line is printed."""
        self.quiet = is_follower() if quiet is None else quiet
        self.console = Console(stderr=True, quiet=self.quiet)
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
        """Since this process began."""
        return round(time.monotonic() - self.began, 1)

    def advance(self, count: int = 1, note: str = "") -> None:
        """So many more are done."""
        self.done += count
        now = time.monotonic()
        rate = (self.done - self.start) / max(now - self.began, 1e-9)
        seen = rate * (self.batch or 1)
        note = f"{f'{seen:.0f}' if seen >= 10 else f'{seen:.2g}'} {self.kind}/s" + (
            f", {note}" if note else ""
        )
        if self.console.is_terminal:
            self.bar.update(self.task, completed=self.done, note=note)
        elif now > self.due and not self.quiet:
            left = (self.total - self.done) / max(rate, 1e-9)
            step = "step " if self.batch else ""
            self._print(f"{step}{self.done}/{self.total}, {note}, {left:.0f} s left")

    def within(self, done: int, pieces: int) -> None:
        """So many pieces of a step are done: shown where a step takes long."""
        if self.console.is_terminal or self.quiet or done == pieces:
            return
        if time.monotonic() > self.due:
            self._print(f"step {self.done}/{self.total}, {done} of {pieces} pieces of the next")

    def _print(self, text: str) -> None:
        print(f"{self.verb}: {text}", file=sys.stderr, flush=True)
        self.due = time.monotonic() + EVERY


class Counting:
    """`Counting("listing data", "files").advance()`: a line now and then of what has no known end."""

    def __init__(self, what: str, kind: str) -> None:
        self.what, self.kind, self.done = what, kind, 0
        self.due = time.monotonic() + FIRST

    def advance(self, count: int = 1) -> None:
        """So many more."""
        before, self.done = self.done, self.done + count
        if before >> 10 != self.done >> 10 and time.monotonic() > self.due:
            self.due = time.monotonic() + EVERY
            if not is_follower():
                print(f"{self.what}: {self.done:,} {self.kind} so far", file=sys.stderr, flush=True)


@contextmanager
def opening(verb: str, subject: str) -> Generator[None]:
    """Say in a line what is being opened, where that takes long and nothing can be counted yet."""
    line = f"{verb}: opening {subject} …"
    timer = threading.Timer(FIRST, lambda: print(line, file=sys.stderr, flush=True))
    timer.daemon = True
    if not is_follower():
        timer.start()
    try:
        yield
    finally:
        timer.cancel()


def is_follower(env: Mapping[str, str] = os.environ) -> bool:
    """Whether torchrun, SLURM or Fabric started this process beside another one, which does the talking."""
    return any(env.get(name, "0") != "0" for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"))


def with_progress(things: Iterable[T], verb: str, *, total: int, kind: str = "pictures") -> Iterator[T]:
    """Each of `things`, and how many of `total` have gone by is shown."""
    with Progress(verb, total=total, kind=kind) as progress:
        for thing in things:
            yield thing
            progress.advance()
