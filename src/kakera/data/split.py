"""Which pictures are for training, for choosing and for the final test; and a few labels of many.

Every draw depends on the labels, their order and the seed alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera import seeding
from kakera.errors import DataError, OptionError


def strata(labels: NDArray[Any]) -> NDArray[np.int64]:
    """One class a picture (n,), −1 without a label.

    Of several labels, bool (n, classes), the rarest counts: it is the one a careless draw would lose.
    """
    if labels.ndim == 1:
        return labels.astype(np.int64)
    rarity = np.argsort(labels.sum(axis=0), kind="stable")
    first = labels[:, rarity].argmax(axis=1)
    return np.where(labels.any(axis=1), rarity[first], -1)


def stratified(labels: NDArray[Any], fractions: Mapping[str, float], seed: int) -> NDArray[np.str_]:
    """A part for each picture (n,): the named fractions of every class, "train" for the rest.

    The size of a part is right over all classes, and within one picture in each. Every class keeps a
    picture for training, so a class of one is not divided. Unlabelled pictures (−1) count as a class.
    Raises OptionError for fractions that leave nothing to train on.
    """
    total = sum(fractions.values())
    if min(fractions.values(), default=0.0) < 0 or total >= 1:
        raise OptionError(
            "split",
            got=", ".join(f"{name} {value:g}" for name, value in fractions.items()),
            expected="fractions from 0 whose sum is below 1",
            do="leave some pictures to train on",
        )
    names, codes = np.array(["train", *fractions], "<U5"), np.zeros(len(labels), np.int8)
    classes = strata(labels)
    order, starts = _grouped(classes, seeding.permutation(seed, 0, len(labels), "split"))
    sizes = np.diff(starts, append=len(order)).tolist()
    free = (starts + 1).tolist()  # the first of each class stays for training
    for part, fraction in enumerate(fractions.values(), 1):
        due = 0.0  # what rounding has kept from this part so far is owed to it by the next class
        for number, (start, size) in enumerate(zip(starts.tolist(), sizes, strict=True)):
            if size == 1:
                continue
            due += fraction * size
            left = start + size - free[number]
            count = min(int(due + 0.5), math.ceil(fraction * size), left)
            codes[order[free[number] : free[number] + count]] = part
            free[number] += count
            due -= count
    del order
    return names[codes]


def _grouped(
    classes: NDArray[np.int64], shuffled: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pictures (n,) by class and within it as shuffled, and where each class that is there begins."""
    keys = classes[shuffled] + 1
    small = keys.astype(np.min_scalar_type(int(keys.max(initial=0))))  # up to 16 bits are sorted in one pass
    order = shuffled[np.argsort(small, kind="stable")]
    rising = classes[order]
    return order, np.flatnonzero(np.append(True, rising[1:] != rising[:-1])[: len(order)])


def few(labels: NDArray[Any], count: int, seed: int) -> NDArray[np.int64]:
    """The sorted indices of `count` labelled pictures, as equal in number over the classes as can be.

    Classes differ by one at most, except that a class with too few gives all it has. With one seed
    the draws are nested: the first 100 are among the first 1000. Raises DataError where fewer than
    `count` are labelled. Of several labels, a picture with none counts as of a class of its own.
    """
    classes = strata(labels)
    if labels.ndim == 2:
        classes = np.where(classes < 0, labels.shape[1], classes)  # the last to be drawn from in a round
    known = np.flatnonzero(classes >= 0)
    if not 0 < count <= len(known):
        raise DataError(
            "labels",
            got=f"{count} asked for",
            expected=f"between 1 and {len(known)}, as many as are labelled",
            do="ask for fewer, or label more pictures",
        )
    count_of_classes = labels.shape[1] if labels.ndim == 2 else int(classes.max()) + 1
    turn = np.append(
        seeding.permutation(seed, 0, count_of_classes, "few-classes").argsort(), count_of_classes
    )
    order, starts = _grouped(classes, seeding.permutation(seed, 0, len(labels), "few"))
    round_of = np.empty(len(labels), dtype=np.int64)
    round_of[order] = np.arange(len(order)) - np.repeat(starts, np.diff(starts, append=len(order)))
    # One picture of each class a round, the classes in the same shuffled turn in every round.
    chosen = known[np.lexsort((turn[classes[known]], round_of[known]))[:count]]
    return np.sort(chosen)
