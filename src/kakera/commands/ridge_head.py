"""A start value for the head of a fine-tuning: ridge regression on the pretrained tokens.

With a random head, the first steps of fine-tuning damage good tokens (Kumar et al. 2022, "Fine-Tuning can
Distort Pretrained Features and Underperform Out-of-Distribution").
"""

from __future__ import annotations

import numpy as np
import torch

from kakera.data.dataset import Dataset
from kakera.formats.bundle import Pretrained
from kakera.formats.features import features
from kakera.model.classifier import Classifier
from kakera.training.device import moved_to_device
from kakera.training.distributed import Distributed
from kakera.training.probes.features import indicators, labelled
from kakera.training.probes.ridge import fit

STEEPNESS = 2.0  # factor from ridge targets of −1 and 1 to logits


def start_from_ridge(
    saved: Pretrained[Classifier],
    pictures: Dataset,
    *,
    workers: int = 0,
    dist: Distributed | None = None,
    device: str = "auto",
) -> None:
    """Set the head of the Vision Transformer `saved` by ridge regression on its frozen tokens.

    `pictures` are labelled training files; for regression the targets are the standardised numbers. With n
    processes (`dist`), each computes the tokens of every n-th file, and all processes set the same head. The
    head of `saved` is changed in place.

    Example:

        >>> from kakera import InputSpec
        >>> from kakera.data.sources.open import open_dataset
        >>> network = Classifier("nano", 10, channels=1, image_size=28).eval()
        >>> saved = Pretrained(network, InputSpec(1, 28, 28, (0.5,), (0.5,)), tuple("0123456789"))
        >>> start_from_ridge(saved, open_dataset("demo").part("train").take(range(20)), device="cpu")
    """
    dist, model = dist or Distributed(), saved.model
    assert pictures.labels is not None
    mine = dist.own_rows(len(pictures))
    with moved_to_device(saved, device):
        found, kept = features(
            saved, pictures.take(mine), [-1], [model.pool], workers=workers, progress="start of the head"
        )
    tokens, numbers = dist.gather_rows(found[-1, model.pool], mine[kept])
    if saved.targets is not None:
        seen, goals, steepness = tokens, saved.targets.standardise(pictures.labels[numbers]), 1.0
    else:
        seen, labels = labelled(tokens, pictures.labels[numbers], classes=model.classes)
        goals, steepness = 2.0 * indicators(labels, classes=model.classes) - 1.0, STEEPNESS
    mean, std = seen.mean(axis=0, dtype=np.float64), seen.std(axis=0, dtype=np.float64) + 1e-6
    ridge = fit((seen - mean) / std, goals)
    # The fit is on standardised tokens; the head gets the weights and bias for tokens as they are.
    weights = steepness * ridge.weights / std[:, None]
    bias = steepness * ridge.intercept - mean @ weights
    with torch.no_grad():
        model.head.weight.copy_(torch.from_numpy(weights.T))
        model.head.bias.copy_(torch.from_numpy(bias))
