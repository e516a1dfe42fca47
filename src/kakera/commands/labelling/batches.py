"""Batches of files for several people at once: no file is given to two people at the same time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

RELEASED = 600.0  # seconds without a request, after which the files of a person are given to others


@dataclass(frozen=True)
class Offer:
    """A file that a person is asked to label.

    `drawn` is the reason why it was chosen, `predicted` the number of the class that the head predicted, −1
    without a head, and `likely` its probability.
    """

    row: int
    drawn: str
    predicted: int = -1
    likely: float = 0.0


class Offers:
    """The files that people are labelling now. `clock` returns seconds.

    Example:

        >>> offers = Offers(clock=lambda: 0.0)
        >>> offers.give("ann", [Offer(3, "random")])
        >>> offers.rows(), [offer.row for offer in offers.of("ann")], offers.of("ben")
        ({3}, [3], [])
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._given: dict[str, dict[int, Offer]] = {}
        self._seen: dict[str, float] = {}

    def seen(self, session: str) -> None:
        """Keep the files of a session for another ten minutes, and release those of silent ones."""
        now = self._clock()
        self._seen[session] = now
        for other in [name for name, last in self._seen.items() if now - last > RELEASED]:
            self._given.pop(other, None)
            del self._seen[other]

    def give(self, session: str, offers: list[Offer]) -> None:
        """Give files to a session."""
        self._given.setdefault(session, {}).update({offer.row: offer for offer in offers})

    def of(self, session: str) -> list[Offer]:
        """Return the files that a session has not yet labelled or skipped, in order."""
        return [*self._given.get(session, {}).values()]

    def take(self, row: int, session: str) -> Offer | None:
        """Remove a file from all sessions, and return its offer to this session, else to another one."""
        found = [given.pop(row, None) for given in (self._given.get(session, {}), *self._given.values())]
        return next((offer for offer in found if offer is not None), None)

    def rows(self) -> set[int]:
        """Return the files that any session has."""
        return {row for given in self._given.values() for row in given}

    @property
    def people(self) -> int:
        """The number of sessions that have sent a request within ten minutes."""
        return len(self._seen)
