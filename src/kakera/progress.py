"""Progress of long work and the time left: a bar on a terminal, otherwise a line every 20 seconds."""

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
EVERY = 20.0  # seconds between two lines if stderr is not a terminal
FIRST = 1.5  # seconds until the first line, so that short work prints nothing


class Progress:
    """A progress bar on a terminal, or progress lines on stderr if it is not a terminal.

    `verb` is the label. `total` is the number of items, and `start` the number that is already done. `kind`
    names the items in the rate ("pictures/s"). If the items are steps, `batch` is the number of samples in a
    step; the default 0 means that single samples are counted. With `quiet` nothing is shown. The default of
    `quiet` is True in every process except the first one of a distributed run.

    Example:

        >>> with Progress("tokens", total=3, quiet=True) as progress:
        ...     for _ in range(3):
        ...         progress.advance()
        >>> progress.done
        3
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
        """The time of the next line, in seconds of `time.monotonic`."""
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
        """Seconds since this object was created, rounded to 0.1 s."""
        return round(time.monotonic() - self.began, 1)

    def advance(self, count: int = 1, note: str = "") -> None:
        """Count `count` more items as done, and show the progress with an optional `note`."""
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
        """Show that `done` of `pieces` parts of the current step are finished.

        A line is printed only if the step takes long and stderr is not a terminal.
        """
        if self.console.is_terminal or self.quiet or done == pieces:
            return
        if time.monotonic() > self.due:
            self._print(f"step {self.done}/{self.total}, {done} of {pieces} parts of the next step")

    def _print(self, text: str) -> None:
        print(f"{self.verb}: {text}", file=sys.stderr, flush=True)
        self.due = time.monotonic() + EVERY


class Counting:
    """A counter for work whose total is unknown: it prints a line on stderr every 20 seconds.

    `what` is the label, `kind` the name of the counted items.

    Example:

        >>> counting = Counting("listing data", "files")
        >>> counting.advance(100)
        >>> counting.done
        100
    """

    def __init__(self, what: str, kind: str) -> None:
        self.what, self.kind, self.done = what, kind, 0
        self.due = time.monotonic() + FIRST

    def advance(self, count: int = 1) -> None:
        """Count `count` more items."""
        before, self.done = self.done, self.done + count
        if before >> 10 != self.done >> 10 and time.monotonic() > self.due:
            self.due = time.monotonic() + EVERY
            if not is_follower():
                print(f"{self.what}: {self.done:,} {self.kind} so far", file=sys.stderr, flush=True)


@contextmanager
def print_if_slow(verb: str, subject: str) -> Generator[None]:
    """Print one line on stderr if the `with` block takes longer than 1.5 seconds.

    The line is "VERB: opening SUBJECT …". Use it for work in which no items can be counted yet.

    Example:

        >>> with print_if_slow("pretrain", "flowers"):
        ...     pass
    """
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
    """Return True if this process is not the first one of a distributed run.

    torchrun, SLURM and Fabric set RANK, LOCAL_RANK or SLURM_PROCID. Only the first process prints.

    Example:

        >>> is_follower({"RANK": "0"}), is_follower({"RANK": "1"})
        (False, True)
    """
    return any(env.get(name, "0") != "0" for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"))


def with_progress(things: Iterable[T], verb: str, *, total: int, kind: str = "pictures") -> Iterator[T]:
    """Yield each of `things` and show the progress; see `Progress` for `verb`, `total` and `kind`.

    Example:

        >>> list(with_progress("ab", "read", total=2))
        ['a', 'b']
    """
    with Progress(verb, total=total, kind=kind) as progress:
        for thing in things:
            yield thing
            progress.advance()
