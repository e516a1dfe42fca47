"""Random splits into train, val and test, and random selections of a few labels.

All results depend only on the labels, their order and the seed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera import seeding
from kakera.errors import DataError, OptionError

TENTHS = 10  # ranges of a number to predict that count as classes


def strata(labels: NDArray[Any]) -> NDArray[np.int64]:
    """Return one class for each picture, int64 (n,), with −1 for pictures without a label.

    `labels` is int64 (n,), or bool (n, classes) if multi-label. Of several labels the rarest class is used,
    because a random split could lose it most easily. For numbers to predict, float (n, targets), the classes
    are ten ranges of the first target with about equally many pictures.

    Example:

        >>> strata(np.array([[True, True], [True, False], [False, False]]))
        array([ 1,  0, -1])
        >>> strata(np.array([[0.5], [np.nan], [7.0]]))
        array([ 0, -1,  9])
    """
    if labels.dtype.kind == "f":
        return _ranges(labels)
    if labels.ndim == 1:
        return labels.astype(np.int64)
    rarity = np.argsort(labels.sum(axis=0), kind="stable")
    first = labels[:, rarity].argmax(axis=1)
    return np.where(labels.any(axis=1), rarity[first], -1)


def _ranges(targets: NDArray[Any]) -> NDArray[np.int64]:
    """Return the tenth (0 to 9) of each first target among all of them; equal targets are in the same one."""
    known = np.isfinite(targets).all(axis=1)
    found = np.full(len(targets), -1)
    if known.any():
        values = targets[known, 0]
        borders = np.quantile(values, np.arange(1, TENTHS) / TENTHS)
        found[known] = np.searchsorted(borders, values, side="right")
    return found


def stratified(labels: NDArray[Any], fractions: Mapping[str, float], seed: int) -> NDArray[np.str_]:
    """Split pictures at random, with the same fractions in every class.

    `labels` is int64 (n,), or bool (n, classes) if multi-label. `fractions` maps the names of splits, such as
    "val" and "test", to their shares. Returns the name of the split of each picture (n,); the rest is
    "train".

    The size of a split is exact over all classes, and exact to one picture in each class. Every class has at
    least one picture in "train", so a class of one picture is not split. Unlabelled pictures (−1) count as
    one class. Raises OptionError for fractions that leave no pictures for training.

    Example:

        >>> split = stratified(np.array([0] * 8 + [1] * 4), {"test": 0.25}, seed=0)
        >>> [int((split[part] == "test").sum()) for part in (slice(0, 8), slice(8, 12))]
        [2, 1]
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
    free = (starts + 1).tolist()  # the first picture of each class stays in "train"
    for part, fraction in enumerate(fractions.values(), 1):
        due = 0.0  # pictures that rounding has taken from this split so far; the next class adds them
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
    """Sort the shuffled pictures (n,) by class; return them and the start of each class."""
    keys = classes[shuffled] + 1
    small = keys.astype(np.min_scalar_type(int(keys.max(initial=0))))  # radix sort for up to 16 bits: faster
    order = shuffled[np.argsort(small, kind="stable")]
    rising = classes[order]
    return order, np.flatnonzero(np.append(True, rising[1:] != rising[:-1])[: len(order)])


def few(labels: NDArray[Any], count: int, seed: int) -> NDArray[np.int64]:
    """Choose `count` labelled pictures at random, balanced over the classes.

    `labels` is int64 (n,), or bool (n, classes) if multi-label. Returns sorted indices, int64 (count,). The
    numbers of pictures per class differ by at most one; a class with too few pictures contributes all of
    them. With the same seed, a smaller selection is a subset of a larger one. In multi-label data, pictures
    without a label count as one more class. Raises DataError if fewer than `count` pictures are labelled.

    Example:

        >>> labels = np.array([0, 0, 0, 1, 1, -1])
        >>> labels[few(labels, 4, seed=0)]
        array([0, 0, 1, 1])
    """
    classes = strata(labels)
    if labels.dtype == np.bool_:
        classes = np.where(classes < 0, labels.shape[1], classes)  # "no label" is the last class of a round
    known = np.flatnonzero(classes >= 0)
    if not 0 < count <= len(known):
        raise DataError(
            "labels",
            got=f"a request for {count}",
            expected=f"between 1 and {len(known)}, the number of labelled pictures",
            do="request fewer, or label more pictures",
        )
    count_of_classes = labels.shape[1] if labels.dtype == np.bool_ else int(classes.max()) + 1
    turn = np.append(
        seeding.permutation(seed, 0, count_of_classes, "few-classes").argsort(), count_of_classes
    )
    order, starts = _grouped(classes, seeding.permutation(seed, 0, len(labels), "few"))
    round_of = np.empty(len(labels), dtype=np.int64)
    round_of[order] = np.arange(len(order)) - np.repeat(starts, np.diff(starts, append=len(order)))
    # Each round takes one picture of each class; the classes have the same random order in every round.
    chosen = known[np.lexsort((turn[classes[known]], round_of[known]))[:count]]
    return np.sort(chosen)
