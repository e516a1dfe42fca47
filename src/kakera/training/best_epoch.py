"""The weights of the epoch with the best validation accuracy, and the decision to stop early."""

from __future__ import annotations

import copy
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

M = TypeVar("M", bound=nn.Module)


class BestEpoch(nn.Module, Generic[M]):
    """A copy of the best weights so far, with the state that a resumed run needs.

    An epoch is better if its validation accuracy is higher, or the same with a lower validation loss. For
    regression, the accuracy is minus the error. With a
    `patience` above 0, training stops after this many measurements that were not better (Prechelt 1998,
    "Early Stopping – But When?", criterion UP).

    Example:

        >>> best = BestEpoch(nn.Linear(1, 1), patience=2)
        >>> for epoch, accuracy in enumerate([0.5, 0.75, 0.75, 0.5], start=1):
        ...     best.update(epoch, accuracy, 1.0, nn.Linear(1, 1))
        >>> best.kept, best.exhausted
        (2, True)
    """

    accuracy: Tensor
    loss: Tensor
    epoch: Tensor
    since: Tensor

    def __init__(self, model: M, patience: int = 0) -> None:
        super().__init__()
        self.model: M = copy.deepcopy(model).requires_grad_(False)
        self.patience = patience
        self.register_buffer("accuracy", torch.tensor(-torch.inf, dtype=torch.float64))
        self.register_buffer("loss", torch.tensor(torch.inf, dtype=torch.float64))
        self.register_buffer("epoch", torch.tensor(0))
        self.register_buffer("since", torch.tensor(0))

    @property
    def kept(self) -> int:
        """The number of the best epoch, from 1; 0 before the first measurement."""
        return int(self.epoch)

    @property
    def exhausted(self) -> bool:
        """True if training should stop now."""
        return 0 < self.patience <= int(self.since)

    @torch.no_grad()
    def update(self, epoch: int, accuracy: float, loss: float, model: nn.Module) -> None:
        """Record a measurement, and copy the weights of `model` if it is the best one so far."""
        if (accuracy, -loss) > (float(self.accuracy), -float(self.loss)):
            self.accuracy.fill_(accuracy)
            self.loss.fill_(loss)
            self.epoch.fill_(epoch)
            self.since.zero_()
            values = model.state_dict()
            for name, kept in self.model.state_dict().items():
                kept.copy_(values[name])
        else:
            self.since += 1
