"""The gain of choosing files: as many labels, with the newest chosen files or with random ones.

Half of the random files replace as many of the newest chosen files, and the other half tests both heads; then
the halves change places. So each random file is tested once, by heads that did not see it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kakera.commands.labelling.drawing import RANDOM, UNCERTAIN
from kakera.commands.labelling.head import fit_labels
from kakera.commands.labelling.table import Entry
from kakera.training.baselines.confidence import Range, Z

LEAST = 10  # random files, and chosen files
COMPARED = 10_000  # evenly spaced files for which the two heads are compared
MATTERS = 0.02  # a gain below this share of the files does not matter
Verdict: TypeAlias = Literal["early", "pays", "stopped", "open"]


@dataclass(frozen=True)
class ChoiceGain:
    """The gain of chosen labels over as many random ones. See `choice_gain`."""

    gain: Range
    """Difference of the accuracies on the random files, with its 95 % interval."""
    replaced: int
    """Number of chosen labels that are compared with random ones."""
    tested: int
    """Number of random files that test both heads."""

    @property
    def verdict(self) -> Verdict:
        """Return "pays", "stopped" (the gain is below two points), or "open" if both are possible."""
        if self.gain.low > 0:
            return "pays"
        return "stopped" if self.gain.high < MATTERS else "open"


def choice_gain(
    tokens: NDArray[np.float32],
    rows: NDArray[np.int64],
    labels: NDArray[np.int64],
    entries: Sequence[Entry],
) -> ChoiceGain | None:
    """Return the gain of choosing for the labelled files `rows` (m,); None if there are too few files.

    `tokens` (n, d) are those of all files, as `scaled` returns them. `labels` (m,) are the classes and
    `entries` (m,) the rows of the table, in the order of their labels. The gain cannot be larger than the
    share of files for which the two heads differ, which limits the interval.
    """
    random = np.array([place for place, entry in enumerate(entries) if entry.drawn == RANDOM], int)
    uncertain = np.array([place for place, entry in enumerate(entries) if entry.drawn == UNCERTAIN], int)
    if min(len(random), len(uncertain)) < LEAST:
        return None
    seen = np.concatenate([tokens[rows], tokens[:: -(-len(tokens) // COMPARED)]])
    others, wins, losses, apart = np.setdiff1d(np.arange(len(rows)), random), 0, 0, list[float]()
    for tested, added in ((random[::2], random[1::2]), (random[1::2], random[::2])):
        kept = np.setdiff1d(others, uncertain[max(0, len(uncertain) - len(added)) :])
        found = list[NDArray[np.int64]]()
        for chosen in (others, np.concatenate([kept, added])):
            head = fit_labels(seen, chosen, labels[chosen])
            if head is None:
                return None
            found.append(head.predicted)
        apart.append(float((found[0] != found[1])[len(rows) :].mean()))
        right = [each[tested] == labels[tested] for each in found]
        wins += int((right[0] & ~right[1]).sum())
        losses += int((right[1] & ~right[0]).sum())
    gain, most = matched_difference(wins, losses, len(random)), float(np.mean(apart))
    limited = Range(gain.value, max(gain.low, -most), min(gain.high, most))
    return ChoiceGain(limited, min(len(random) // 2, len(uncertain)), len(random))


def matched_difference(wins: int, losses: int, count: int) -> Range:
    """Return the difference of two shares of the same `count` files, with its 95 % interval.

    `wins` are the files that count for the first share only, `losses` those for the second only. The interval
    adds half a file to each of the four cells (Agresti and Min 2005, section 4).

    Example:

        >>> found = matched_difference(8, 2, 100)
        >>> round(found.value, 3), round(found.low, 3), round(found.high, 3)
        (0.06, -0.004, 0.122)
    """
    total = count + 2
    middle = (wins - losses) / total
    half = Z * math.sqrt(max(wins + losses + 1 - total * middle**2, 0)) / total
    return Range((wins - losses) / count, max(-1.0, middle - half), min(1.0, middle + half))
