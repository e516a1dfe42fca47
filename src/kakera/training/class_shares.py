"""Numbers for the loss from the number of training files of each class: logit adjustment and weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def log_prior(labels: NDArray[Any], classes: int) -> Tensor:
    """Return the logarithm of the share of each class in the labels (n,), as (classes,); −1 is no label.

    It is used for logit adjustment (Menon et al. 2021, eq. 10): with the prior in the loss, the logits learn
    the probabilities for classes of equal size. A class without a label counts as one label.

    Example:

        >>> log_prior(np.array([0, 0, 1, -1]), classes=2).exp()
        tensor([0.6667, 0.3333])
    """
    counts = np.bincount(labels[labels >= 0], minlength=classes).clip(min=1)
    return torch.from_numpy(np.log(counts / counts.sum())).float()


def class_weights(labels: NDArray[Any], classes: int, power: float) -> Tensor:
    """Return a weight for each class, (classes,), larger for rare classes; the mean over the files is 1.

    `labels` is (n,), where −1 is no label: the weights are proportional to (number of files) ** −power. With
    the power 1 they are those of scikit-learn's "balanced". Or it is Boolean, (n, classes): the weight of a
    true label is (number of files without it / with it) ** power. A class without a file counts as one file.

    Example:

        >>> class_weights(np.array([0, 0, 0, 1]), classes=2, power=1.0)
        tensor([0.6667, 2.0000])
    """
    if labels.ndim == 2:
        with_it = labels.sum(axis=0).clip(min=1)
        found = ((len(labels) - with_it).clip(min=1) / with_it) ** power
    else:
        counts = np.bincount(labels[labels >= 0], minlength=classes)
        found = counts.clip(min=1) ** -power
        found *= counts.sum() / (counts * found).sum()
    return torch.from_numpy(found).float()
