"""The accuracy of the head on files drawn at random, and how hard the chosen files are beside them.

Chosen files are harder than others, so they would make the head look worse than it is. Therefore only the
random sample is measured, each file without its own label. The prediction of a file is stored before a person
labels it, so the share of right predictions can be compared between chosen and random files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kakera.commands.labelling.drawing import RANDOM, UNCERTAIN
from kakera.commands.labelling.gain import ChoiceGain, Verdict, choice_gain
from kakera.commands.labelling.head import LabelHead
from kakera.commands.labelling.table import Entry
from kakera.training.baselines.confidence import Range, accuracy

RECENT = 100  # labels that are compared


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
    worth: ChoiceGain | None
    """The gain of choosing; None for too few files."""

    @property
    def verdict(self) -> Verdict:
        """The verdict of `ChoiceGain.verdict`; "early" for too few files."""
        return "early" if self.worth is None else self.worth.verdict


def measures_of(
    head: LabelHead | None,
    tokens: NDArray[np.float32],
    rows: NDArray[np.int64],
    labels: NDArray[np.int64],
    entries: Sequence[Entry],
) -> Measures:
    """Return the measures of a head on the labelled files `rows` (m,) with classes `labels` (m,).

    The other arguments are as in `choice_gain`.
    """
    recent = [entry for entry in entries if entry.predicted and entry.drawn in (UNCERTAIN, RANDOM)][-RECENT:]
    chosen, random = (
        [entry.predicted == entry.label for entry in recent if entry.drawn == kind]
        for kind in (UNCERTAIN, RANDOM)
    )
    own = np.array([entry.part == "test" for entry in entries], bool)
    hits = np.zeros(0, bool) if head is None else (head.predicted[rows] == labels)[own]
    found = accuracy(hits) if len(hits) else None
    worth = choice_gain(tokens, rows, labels, entries)
    return Measures(found, int(own.sum()), (sum(chosen), len(chosen)), (sum(random), len(random)), worth)
