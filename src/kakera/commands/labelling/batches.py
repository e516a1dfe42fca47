"""Batches of files for several people at once: no file is given to two people at the same time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

RELEASED = 600.0  # seconds without a request, after which the files of a person are given to others


@dataclass(frozen=True)
class Query:
    """A file that a person is asked to label (a query of active learning).

    `drawn` is the reason why it was chosen, `predicted` the number of the class that the head predicted, −1
    without a head, and `likely` its probability.
    """

    row: int
    drawn: str
    predicted: int = -1
    likely: float = 0.0


class Queries:
    """The files that people are labelling now. `clock` returns seconds.

    Example:

        >>> queries = Queries(clock=lambda: 0.0)
        >>> queries.give("ann", [Query(3, "random")])
        >>> queries.rows(), [query.row for query in queries.of("ann")], queries.of("ben")
        ({3}, [3], [])
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._given: dict[str, dict[int, Query]] = {}
        self._seen: dict[str, float] = {}

    def seen(self, session: str) -> None:
        """Keep the files of a session for another ten minutes, and release those of silent ones."""
        now = self._clock()
        self._seen[session] = now
        for other in [name for name, last in self._seen.items() if now - last > RELEASED]:
            self._given.pop(other, None)
            del self._seen[other]

    def give(self, session: str, queries: list[Query]) -> None:
        """Record files that a session receives."""
        self._given.setdefault(session, {}).update({query.row: query for query in queries})

    def of(self, session: str) -> list[Query]:
        """Return the files that a session has not yet labelled or skipped, in order."""
        return [*self._given.get(session, {}).values()]

    def take(self, row: int, session: str) -> Query | None:
        """Remove a file from all sessions, and return its query in this session, else in another one."""
        found = [given.pop(row, None) for given in (self._given.get(session, {}), *self._given.values())]
        return next((query for query in found if query is not None), None)

    def rows(self) -> set[int]:
        """Return the files that any session has."""
        return {row for given in self._given.values() for row in given}

    @property
    def sessions(self) -> int:
        """The number of sessions that have sent a request within ten minutes."""
        return len(self._seen)
