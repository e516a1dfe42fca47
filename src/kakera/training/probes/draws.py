"""The draws of labels that a probe is fitted to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kakera.data.dataset import Dataset
from kakera.data.split import few
from kakera.training.options import ProbeOptions


@dataclass(frozen=True, eq=False)
class Draw:
    """`labels` labelled training files, drawn with `seed`: their numbers `rows` among all labelled ones."""

    labels: int
    seed: int
    rows: NDArray[np.int64]


def draws_of(train: Dataset, options: ProbeOptions) -> list[Draw]:
    """One draw for each count that there is and each seed; all labels are drawn once."""
    assert train.labels is not None
    counts = sorted({min(count or len(train), len(train)) for count in options.labels})
    return [
        Draw(count, seed, few(train.labels, count, seed))
        for count in counts
        for seed in range(options.seeds if count < len(train) else 1)
    ]
