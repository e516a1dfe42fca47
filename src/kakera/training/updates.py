"""The optimiser's steps: made where loss and gradient are finite, and what became of each.

A GPU works behind the program's back: to ask it for a number is to wait until it has nothing more to do, and
it idles while the next step is prepared. There each loss is read when the next step is under way
(`LateUpdates`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from kakera.data.batch import Batch
from kakera.training.average import Average
from kakera.training.sharded import whole
from kakera.training.team import Team


@dataclass(frozen=True)
class Outcome:
    """A step that was made, or left out because its loss or gradient was not finite."""

    step: int
    loss: float
    made: bool
    pieces: list[Batch]


class Updates:
    """What becomes of a step is known at once. `stepper` is the optimiser as the engine wraps it."""

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        stepper: torch.optim.Optimizer,
        average: Average,
        team: Team,
    ) -> None:
        self.model, self.optimizer, self.stepper = model, optimizer, stepper
        self.average, self.team = average, team

    def make(self, step: int, loss: Tensor, norm: Tensor | None, pieces: list[Batch]) -> list[Outcome]:
        """The step, from this process's part of the loss and the gradient's norm; what is known by now."""
        (value,) = self.team.total(loss.item())
        fine = math.isfinite(value) and norm is not None and math.isfinite(float(whole(norm)))
        if fine:
            self.stepper.step()
            self.average.update(self.model)
        return [Outcome(step, value, fine, pieces)]

    def rest(self) -> list[Outcome]:
        """What was not known yet."""
        return []


class LateUpdates(Updates):
    """The same for one process: the device itself leaves steps out, and says so one step later.

    As `torch.amp.GradScaler` tells a fused optimiser: by its attribute `found_inf`.
    """

    _open: tuple[int, Tensor, torch.Event | None, list[Batch]] | None = None

    def make(self, step: int, loss: Tensor, norm: Tensor | None, pieces: list[Batch]) -> list[Outcome]:
        """The step; what became of the one before."""
        fine = loss.isfinite() if norm is None else loss.isfinite() & norm.isfinite()
        self.optimizer.found_inf = (~fine).float()  # type: ignore[attr-defined]  # PyTorch's name for it
        self.stepper.step()
        self.average.update(self.model, fine)
        told = torch.stack([loss, fine.to(loss.dtype)]).to("cpu", non_blocking=True)
        event = torch.Event(loss.device) if loss.is_cuda else None
        if event is not None:
            event.record()
        before = self.rest()
        self._open = step, told, event, pieces
        return before

    def rest(self) -> list[Outcome]:
        """What became of the last step."""
        if self._open is None:
            return []
        (step, told, event, pieces), self._open = self._open, None
        if event is not None:
            event.synchronize()  # up to there, not to what came after
        value, made = told.tolist()
        return [Outcome(step, value, bool(made), pieces)]
