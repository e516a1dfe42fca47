"""The draw of a batch, and the random sample by which the head is measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from kakera.commands.labelling.batches import Query
from kakera.commands.labelling.choice import random_order, typical_files, uncertain_files
from kakera.commands.labelling.head import LabelHead
from kakera.formats.tokens.keys import Key
from kakera.retrieval.exact import unit_length

RANDOM_EVERY = 5  # of so many files, one is drawn at random for the measurement
TYPICAL, UNCERTAIN, RANDOM, SELECTED = "typical", "uncertain", "random", "selected"


class Draws:
    """The draws from n files with vectors (n, d); `given` files have been drawn before.

    The sample of the measurement is the beginning of a random order of all files: every file in it, also one
    that was chosen before. So it is a simple random sample, although most labels are of chosen files.

    Example:

        >>> draws = Draws(np.eye(4, dtype=np.float32), [b"a", b"b", b"c", b"d"])
        >>> len(draws.draw(None, np.zeros(4, bool), 3)), draws.in_sample(0)
        (3, False)
    """

    def __init__(
        self, vectors: NDArray[np.float32], keys: Sequence[Key], *, given: int = 0, seed: int = 0
    ) -> None:
        self._places, self._given, self._seed = unit_length(vectors), given, seed
        self._order = random_order(keys, seed)
        self._rank = np.empty(len(vectors), np.int64)
        self._rank[self._order] = np.arange(len(vectors))
        self._sampled = 0  # the length of the sample in the random order

    def in_sample(self, row: int) -> bool:
        """Return True if a file is in the random sample."""
        return bool(self._rank[row] < self._sampled)

    def extend(self, rows: Iterable[int]) -> None:
        """Move the end of the sample to the last of these files in the random order."""
        self._sampled = max([self._sampled, *(int(self._rank[row]) + 1 for row in rows)])

    def draw(
        self, head: LabelHead | None, taken: NDArray[np.bool_], count: int, *, choose: bool = True
    ) -> list[Query]:
        """Return up to `count` free files in random order. `taken` (n,) is True for all others.

        The first ones of all are typical. Of later ones, every fifth extends the random sample. The others
        are uncertain, or typical as long as there is no head; without `choose` they are random too.
        """
        number, taken = self._given, taken.copy()
        due = (number + count) // RANDOM_EVERY - number // RANDOM_EVERY if taken.any() else 0
        found = dict.fromkeys(self._sample(due, taken), RANDOM)
        taken[[*found]] = True
        seed, wanted = self._seed + number, count - len(found)
        if not choose:
            free = np.random.default_rng([self._seed, number]).permutation(np.flatnonzero(~taken))
            found |= dict.fromkeys(free[:wanted].tolist(), RANDOM)
        elif head is None:
            found |= dict.fromkeys(typical_files(self._places, wanted, taken, seed), TYPICAL)
        else:
            found |= dict.fromkeys(
                uncertain_files(self._places, head.margins, wanted, taken, seed), UNCERTAIN
            )
        self._given += len(found)
        rows = np.random.default_rng([self._seed, number, 1]).permutation([*found]).astype(int).tolist()
        return [query_of(row, found[row], head) for row in rows]

    def _sample(self, count: int, taken: NDArray[np.bool_]) -> list[int]:
        rows = self._order[~taken[self._order]][:count].tolist()
        self.extend(rows)
        return rows


def query_of(row: int, drawn: str, head: LabelHead | None) -> Query:
    """Return a file with the prediction of the head, if there is one.

    Example:

        >>> query_of(3, "random", None).predicted
        -1
    """
    if head is None:
        return Query(row, drawn)
    best = int(head.likely[row].argmax())
    return Query(row, drawn, int(head.classes[best]), float(head.likely[row, best]))
