"""Random draws of labelled files for fitting a probe."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kakera.data.dataset import Dataset
from kakera.data.split import few
from kakera.training.options import ProbeOptions


@dataclass(frozen=True, eq=False)
class Draw:
    """A random draw of `labels` labelled training files with `seed`.

    `rows` are their numbers among all labelled training files. See `draws_of`.
    """

    labels: int
    seed: int
    rows: NDArray[np.int64]


def draws_of(train: Dataset, options: ProbeOptions) -> list[Draw]:
    """Return one draw for each number of labels and each seed; only one draw if it contains all labels.

    Numbers above the number of training files are cut to it.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> train = open_dataset("demo").part("train").take(range(20))
        >>> draws = draws_of(train, ProbeOptions("demo", labels=(10, 0), seeds=2))
        >>> [(draw.labels, draw.seed) for draw in draws]
        [(10, 0), (10, 1), (20, 0)]
    """
    assert train.labels is not None
    counts = sorted({min(count or len(train), len(train)) for count in options.labels})
    return [
        Draw(count, seed, few(train.labels, count, seed))
        for count in counts
        for seed in range(options.seeds if count < len(train) else 1)
    ]
