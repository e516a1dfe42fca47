"""What a data set leaves out, and why: counted, never in silence."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from kakera.errors import printable

SHOWN = 3  # examples


@dataclass(frozen=True)
class LeftOut:
    """`count` things that are there and are not read: `what` they are, in the plural, and why not."""

    what: str
    count: int
    why: str
    examples: tuple[str, ...] = ()

    def line(self) -> str:
        """Return it in words: "2 .txt files (…): notes.txt, b.txt"."""
        what = self.what if self.count != 1 else re.sub(r"(?<![.\w])([a-z]+)s\b", r"\1", self.what, count=1)
        shown = ", ".join(self.examples[:SHOWN]) + (", …" if self.count > SHOWN else "")
        return f"{self.count:,} {what} ({self.why})" + (f": {shown}" if self.examples else "")


def left_out(what: str, why: str, names: Sequence[str]) -> list[LeftOut]:
    """Return one entry for the things of these names; none where there are none."""
    return [LeftOut(what, len(names), why, tuple(map(printable, names[:SHOWN])))] if names else []


def files_line(taken: int, kind: str, left: Iterable[LeftOut], unreadable: int) -> str:
    """Return how many files were taken, left out and unreadable, and why: one line."""
    found = [each.line() for each in left]
    shown = "; left out: " + "; ".join(found) if found else "; nothing left out"
    return f"{taken:,} {kind} taken{shown}; {unreadable:,} unreadable"
