"""Labels that are probably wrong, and classes that overlap, by linear heads that did not see the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kakera.training.confident_learning import ConfidentJoint, confident_joint
from kakera.training.heads.linear_head import probabilities
from kakera.training.heads.selection import compare_heads

HEADS = ("ridge", "prototype")
LEAST = 10  # labelled files


@dataclass(frozen=True, eq=False)
class LabelCheck:
    """The check of the labels of some files. See `check_labels`."""

    rows: NDArray[np.int64]
    """The rows that were checked (m,)."""
    likely: NDArray[np.float64]
    """Their probabilities (m, classes), each predicted by a head that was fitted without the file."""
    labels: NDArray[np.int64]
    joint: ConfidentJoint
    accuracy: float
    """The share of checked files whose most likely class is their label."""

    def suspects(self) -> list[tuple[int, int, float]]:
        """Return (row, suggested class, score) of files whose counted class is not their label.

        The score is the probability of the suggested class minus that of the label; the highest comes first.
        """
        counted, own = self.joint.counted, np.arange(len(self.labels))
        wrong = np.flatnonzero((counted >= 0) & (counted != self.labels))
        margin = self.likely[own, np.maximum(counted, 0)] - self.likely[own, self.labels]
        order = wrong[np.argsort(-margin[wrong], kind="stable")]
        return [(int(self.rows[row]), int(counted[row]), float(margin[row])) for row in order]

    def overlaps(self) -> list[tuple[int, int, float]]:
        """Return (class, other class, share) of pairs of classes, the highest share first; none below 1 in n.

        The share is that of the files of both classes that, by the confident joint, are of the other one.
        """
        joint = self.joint.joint(self.labels)
        both = joint + joint.T
        sums = joint.sum(axis=1)
        found = [
            (one, other, float(both[one, other] / (sums[one] + sums[other])))
            for one in range(len(joint))
            for other in range(one + 1, len(joint))
            if both[one, other] * len(self.labels) >= 1
        ]
        return sorted(found, key=lambda each: -each[2])


def check_labels(
    tokens: NDArray[np.float32],
    labels: NDArray[np.int64],
    classes: int,
    groups: Sequence[Sequence[int]] = (),
) -> LabelCheck | str:
    """Return the check of labels (n,), −1 for none, by tokens (n, d); or why there is none, in words.

    Copies (`groups` of rows) would vote for their own label, so only the first of each group is fitted, and
    its probabilities are used for the others.

    Example:

        >>> labels = np.arange(40) % 2
        >>> tokens = np.random.default_rng(0).normal(size=(40, 4)) + 6 * labels[:, None]
        >>> labels[0] = 1
        >>> check_labels(tokens, labels, 2).suspects()[0][:2]
        (0, 0)
    """
    owner = np.arange(len(labels))
    for group in groups:
        known = [row for row in group if labels[row] >= 0]
        owner[known] = known[0] if known else 0
    fitted = np.flatnonzero((labels >= 0) & (owner == np.arange(len(labels))))
    if len(fitted) < LEAST:
        return f"it has {len(fitted)} labelled files, and a check needs {LEAST}"
    if len(np.unique(labels[fitted])) < 2:
        return "all labels are of one class"
    best = compare_heads({"": tokens[fitted]}, labels[fitted], classes, HEADS)[0]
    if not len(best.rows):
        return "no class has two labels"
    likely = probabilities(best.logits / best.temperature)
    place = np.full(len(labels), -1)
    place[fitted[best.rows]] = np.arange(len(best.rows))
    rows = np.flatnonzero((labels >= 0) & (place[owner] >= 0))
    likely, own = likely[place[owner[rows]]], labels[rows]
    right = float((likely.argmax(axis=1) == own).mean())
    return LabelCheck(rows, likely, own, confident_joint(likely, own), right)
