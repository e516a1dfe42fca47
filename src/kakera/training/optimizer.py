"""The optimiser of a training, with its parameter groups."""

from __future__ import annotations

import torch
from torch import nn

from kakera.training.muon import Muon
from kakera.training.parameters import parameter_groups
from kakera.training.plan import TrainingPlan


def adamw_or_muon(
    model: nn.Module, plan: TrainingPlan, peak: float, device: torch.device
) -> torch.optim.Optimizer:
    """Return the optimiser of the options, with parameter groups by depth and weight decay.

    Example:

        >>> from kakera.data.batch import Augmentation
        >>> from kakera.data.sources.open import open_dataset
        >>> from kakera.training.options import LearningOptions
        >>> plan = TrainingPlan(open_dataset("demo"), (28, 28), Augmentation(), LearningOptions(), 0, 0)
        >>> type(adamw_or_muon(nn.Linear(2, 3), plan, 1e-3, torch.device("cpu"))).__name__
        'AdamW'
    """
    options = plan.options
    parts = parameter_groups(model, weight_decay=options.weight_decay, lr=peak, layer_decay=plan.layer_decay)
    parts = [{key: value for key, value in part.items() if key != "names"} for part in parts]
    betas, fused = (0.9, options.beta2), device.type in ("cpu", "cuda")
    if options.optimizer == "muon":
        bf16 = options.precision.startswith("bf16")
        return Muon(parts, lr=peak, betas=betas, fused=fused, bf16=bf16)
    return torch.optim.AdamW(parts, lr=peak, betas=betas, fused=fused)
