"""The accuracy of the head on files drawn at random, and whether choosing files still pays.

Chosen files are harder than others, so they would make the head look worse than it is. Therefore only the
random sample is measured, each file without its own label. Choosing pays as long as it finds files that the
head gets wrong: before a person labels a file, its prediction is stored, and the share of right predictions
among chosen files is compared with that among random ones of the same time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kakera.commands.labelling.drawing import RANDOM, UNCERTAIN
from kakera.commands.labelling.head import LabelHead
from kakera.commands.labelling.table import Entry
from kakera.training.baselines.confidence import Range, accuracy, wilson

RECENT = 100  # labels that are compared
LEAST = 10  # files of each kind for a comparison
Verdict: TypeAlias = Literal["early", "pays", "stopped"]


@dataclass(frozen=True)
class Measures:
    """The measures of a head. See `measures_of`."""

    accuracy: Range | None
    """Accuracy on the random sample, with its 95 % interval; None without a file."""
    sample: int
    """Number of labelled files in the random sample."""
    chosen: tuple[int, int]
    """Right predictions, and number, of the chosen files among the newest 100 labels."""
    random: tuple[int, int]
    """The same for random files."""
    gap: Range | None
    """Share of right predictions of random files minus that of chosen ones; None for too few files."""

    @property
    def verdict(self) -> Verdict:
        """Whether choosing pays: "pays" if chosen files are harder than random ones, beyond chance."""
        if self.gap is None:
            return "early"
        return "pays" if self.gap.low > 0 else "stopped"


def measures_of(
    head: LabelHead | None, rows: NDArray[np.int64], labels: NDArray[np.int64], entries: Sequence[Entry]
) -> Measures:
    """Return the measures of a head on the labelled files `rows` (m,) with classes `labels` (m,).

    `entries` (m,) are those of the files, in the order of their labels.
    """
    recent = [entry for entry in entries if entry.predicted and entry.drawn in (UNCERTAIN, RANDOM)][-RECENT:]
    chosen, random = (
        [entry.predicted == entry.label for entry in recent if entry.drawn == kind]
        for kind in (UNCERTAIN, RANDOM)
    )
    gap = None
    if min(len(chosen), len(random)) >= LEAST:
        gap = difference(sum(random), len(random), sum(chosen), len(chosen))
    own = np.array([entry.part == "test" for entry in entries], bool)
    hits = np.zeros(0, bool) if head is None else (head.predicted[rows] == labels)[own]
    found = accuracy(hits) if len(hits) else None
    return Measures(found, int(own.sum()), (sum(chosen), len(chosen)), (sum(random), len(random)), gap)


def difference(hits: int, count: int, others: int, other_count: int) -> Range:
    """Return the difference of two independent shares with its 95 % interval (Newcombe 1998, method 10).

    Example:

        >>> found = difference(56, 70, 48, 80)  # the example of the paper: 0.2000, 0.0524 to 0.3339
        >>> round(found.value, 4), round(found.low, 4), round(found.high, 4)
        (0.2, 0.0524, 0.3339)
    """
    first, second = wilson(hits / count, count), wilson(others / other_count, other_count)
    value = first.value - second.value
    low = math.hypot(first.value - first.low, second.high - second.value)
    high = math.hypot(first.high - first.value, second.value - second.low)
    return Range(value, value - low, value + high)
