"""Tokens of the frozen encoder for the baselines, of as many files as there is time for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kakera import seeding
from kakera.data.dataset import Dataset
from kakera.formats.bundle import Pretrained
from kakera.formats.features import features
from kakera.training.device import moved_to_device
from kakera.training.planning.baseline_costs import MOST
from kakera.training.probes.features import Features


def frozen_tokens(
    saved: Pretrained, train: Dataset, test: Dataset, most: int, workers: int = 0, device: str = "auto"
) -> tuple[Features, NDArray[np.int64], Features]:
    """Return frozen tokens of training files (n, d), the numbers (n,) of these files, and test tokens (m, d).

    Both parts together have at most `most` files; all test files are used. Raises ValueError if the model has
    no tokens, or if there is no time for enough of them.

    Example:

        >>> from kakera import Classifier, InputSpec
        >>> from kakera.data.sources.open import open_dataset
        >>> model = Classifier("nano", 2, channels=1, image_size=28)
        >>> saved = Pretrained(model, InputSpec(1, 28, 28, (0.5,), (0.5,)))
        >>> files = open_dataset("demo")
        >>> frozen_tokens(saved, files.take(range(20)), files.take(range(20, 24)), 100)[0].shape
        (20, 64)
    """
    pool = saved.model.pool
    if pool is None:
        raise ValueError("a CNN has no tokens")
    room = most - len(test)
    if room < min(len(train), 2 * len(train.classes)):
        raise ValueError("computing its tokens would take more than a tenth of the training's time")
    chosen = some(len(train), room)
    with moved_to_device(saved, device):
        tokens, rows = [], []
        for part, name in ((train.take(chosen), "frozen encoder"), (test, "frozen encoder, test")):
            values, kept = features(saved, part, [-1], [pool], workers=workers, progress=name)
            tokens.append(values[-1, pool])
            rows.append(kept)
    if len(rows[1]) != len(test):
        raise ValueError("some test files are not readable any more")
    return tokens[0], chosen[rows[0]], tokens[1]


def some(count: int, most: int = MOST) -> NDArray[np.int64]:
    """Return at most `most` of the numbers below `count`, ascending; the same ones in every call.

    Example:

        >>> some(3), len(some(100, most=10))
        (array([0, 1, 2]), 10)
    """
    return np.sort(seeding.permutation(0, 0, count, "baselines")[:most])
