"""Steps that are made or left out: decided by the program at once, or by the device, which says so later."""

import math

import pytest
import torch
from torch import Tensor, nn

from kakera.training.average import Average
from kakera.training.team import Team
from kakera.training.updates import LateUpdates, Outcome, Updates

SLOPES = [1.0, 2.0, math.nan, -3.0, math.inf, 0.5]


def trained(
    kind: type[Updates], slopes: list[float], decay: float = 0.5
) -> tuple[list[Tensor], list[Outcome]]:
    """Weights and their average after a step for each slope, and what became of the steps."""
    model = nn.Linear(3, 2)
    for part in model.parameters():
        nn.init.constant_(part, 0.5)
    average = Average(model, 0.5)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, fused=True)
    updates = kind(model, optimizer, optimizer, average, Team())
    outcomes: list[Outcome] = []
    for step, slope in enumerate(slopes, start=1):
        for part in model.parameters():
            part.grad = torch.full_like(part, slope)
        found = updates.make(step, torch.tensor(10.0 * step), torch.tensor(abs(slope)), [])
        assert len(found) == (0 if kind is LateUpdates and step == 1 else 1)
        outcomes += found
    outcomes += updates.rest()
    assert updates.rest() == []
    assert average.model is not None
    return [*model.parameters(), *average.model.parameters()], outcomes


def test_the_device_decides_as_the_program_does() -> None:
    (weights, outcomes), (others, later) = (trained(kind, SLOPES) for kind in (Updates, LateUpdates))
    assert [outcome.made for outcome in outcomes] == [True, True, False, True, False, True]
    assert outcomes == later
    for one, other in zip(weights, others, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("kind", [Updates, LateUpdates])
def test_a_step_that_is_left_out_leaves_no_trace(kind: type[Updates]) -> None:
    fine = [slope for slope in SLOPES if math.isfinite(slope)]
    for one, other in zip(trained(kind, SLOPES)[0], trained(kind, fine)[0], strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("kind", [Updates, LateUpdates])
def test_a_loss_that_is_not_finite_is_enough(kind: type[Updates]) -> None:
    model = nn.Linear(1, 1)
    before = [part.clone() for part in model.parameters()]
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1, fused=True)
    for part in model.parameters():
        part.grad = torch.ones_like(part)
    updates = kind(model, optimizer, optimizer, Average(model, 0.0), Team())
    (outcome,) = updates.make(1, torch.tensor(math.nan), torch.tensor(1.0), []) + updates.rest()
    assert not outcome.made
    assert all(torch.equal(one, other) for one, other in zip(before, model.parameters(), strict=True))
