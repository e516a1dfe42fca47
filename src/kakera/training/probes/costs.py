"""Estimated fit times of probes, from the numbers of samples, features and classes.

Times are seconds on one core. The number of iterations of logistic regression depends on the tokens. After
256 tokens are computed, a trial fit measures how much slower or faster they are than assumed (`hardness`).
"""

from __future__ import annotations

from collections.abc import Sequence

from kakera.training.options import ProbeOptions
from kakera.training.probes.probes import FOLDS

# Seconds per unit of work:
PRODUCT = 1e-10  # per operation of ridge regression or of the neighbours' similarities
DESCENT = 2e-6  # per sample, feature and class of logistic regression (31 fits of some hundred iterations)
ALWAYS = 5e5  # samples × features × classes that take as long as the fixed cost of an iteration
ONE = 0.05  # share of the time if classes have too few samples for choosing a penalty (one fit, not 31)
PASS = 1e-9  # per sample, feature, class and epoch of the linear probe
STEP = 7e-4  # per step of the linear probe
PENALTIES, EPOCHS, LEAST_STEPS, BATCH = 41, 90, 300, 32


def fit_seconds(probe: str, train: int, test: int, width: int, classes: int, hardness: float = 1.0) -> float:
    """Return the seconds of one fit to `train` samples of `width` features, and predictions for `test` ones.

    `hardness` multiplies the time of logistic regression.

    Example:

        >>> fit_seconds("nearest", train=1000, test=100, width=64, classes=10)
        0.00064
    """
    if probe == "ridge":
        return PRODUCT * train * width * (width + 2 * PENALTIES * classes)
    if probe == "logistic":
        share = 1.0 if train >= FOLDS * classes else ONE
        return hardness * share * DESCENT * (train * width * classes + ALWAYS)
    if probe == "nearest":
        return PRODUCT * train * test * width
    batches = max(1, min(train // BATCH, 78))
    return STEP * max(EPOCHS * batches, LEAST_STEPS) + PASS * EPOCHS * train * width * classes


def seconds_of_all(
    options: ProbeOptions,
    counts: Sequence[int],
    test: int,
    width: int,
    classes: int,
    hardness: float = 1.0,
) -> float:
    """Return the seconds of all probes on all kinds of tokens, for draws of `counts` labels.

    Example:

        >>> options = ProbeOptions("demo", probes=("nearest",), pools=("mean",))
        >>> seconds_of_all(options, [1000], test=100, width=64, classes=10)
        0.00064
    """
    widths = [2 * width if pool.startswith("class and") else width for pool in options.pools]
    return len(options.layers) * sum(
        fit_seconds(name, count, test, each, classes, hardness)
        for count in counts
        for each in widths
        for name in options.probes
    )
