"""A head to start fine-tuning from: the ridge solution on the tokens as pretraining left them.

Fine-tuning from a head that knows nothing spoils good tokens before it uses them (Kumar et al. 2022,
"Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution").
"""

from __future__ import annotations

import numpy as np
import torch

from kakera.data.dataset import Dataset
from kakera.formats.native import Saved
from kakera.model.classifier import Classifier
from kakera.training.device import placed
from kakera.training.features import indicators, labelled
from kakera.training.infer import features
from kakera.training.ridge import fit

STEEPNESS = 2.0  # from scores of −1 and 1 to logits


def start_from_ridge(saved: Saved, pictures: Dataset, *, workers: int = 0, device: str = "auto") -> None:
    """Set the head of `saved`, a Vision Transformer, from its frozen tokens of labelled pictures."""
    model = saved.model
    assert isinstance(model, Classifier)
    assert pictures.labels is not None
    with placed(saved, device):
        tokens, numbers = features(saved, pictures, [-1], [model.pool], workers=workers)
    seen, labels = labelled(tokens[-1, model.pool], pictures.labels[numbers], classes=model.classes)
    mean, std = seen.mean(axis=0, dtype=np.float64), seen.std(axis=0, dtype=np.float64) + 1e-6
    found = fit((seen - mean) / std, 2.0 * indicators(labels, classes=model.classes) - 1.0)
    weights = STEEPNESS * found.weights / std[:, None]
    bias = STEEPNESS * found.intercept - mean @ weights
    with torch.no_grad():
        model.head.weight.copy_(torch.from_numpy(weights.T))
        model.head.bias.copy_(torch.from_numpy(bias))
