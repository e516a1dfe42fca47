import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from kakera.errors import OptionError
from kakera.training.probes.lars import LARS


def run(parameter: Tensor, gradients: list[Tensor], **options: float) -> Tensor:
    """The parameter after a step on each gradient."""
    parameter = torch.nn.Parameter(parameter.clone())
    optimiser = LARS([parameter], **options)
    for gradient in gradients:
        parameter.grad = gradient.clone()
        optimiser.step()
    return parameter.detach()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.floats(0, 0.1), st.floats(0, 0.95))
def test_steps_follow_the_paper(seed: int, decay: float, momentum: float) -> None:
    random = np.random.default_rng(seed)
    weights, gradients = random.normal(size=(3, 4)), random.normal(size=(5, 3, 4))
    ours = run(
        torch.tensor(weights),
        [torch.tensor(g) for g in gradients],
        lr=0.5,
        momentum=momentum,
        weight_decay=decay,
        trust=0.01,
    )
    velocity = np.zeros((3, 4))
    for gradient in gradients:
        pull = gradient + decay * weights
        ratio = 0.01 * math.sqrt((weights**2).sum()) / math.sqrt((pull**2).sum())
        velocity = momentum * velocity + ratio * pull
        weights = weights - 0.5 * velocity
    np.testing.assert_allclose(ours.numpy(), weights, rtol=1e-10)


def test_a_first_step_is_the_same_share_of_the_weights_whatever_the_gradients_size() -> None:
    weights, gradient = torch.randn(4, 4, generator=torch.Generator().manual_seed(0)), torch.eye(4)
    for size in (1e-6, 1.0, 1e6):
        moved = run(weights, [gradient * size], lr=2.0) - weights
        torch.testing.assert_close(moved.norm() / weights.norm(), torch.tensor(0.002), rtol=1e-3, atol=0)


def test_one_dimensional_parameters_are_neither_scaled_nor_decayed() -> None:
    bias, gradient = torch.tensor([1.0, -2.0]), torch.tensor([0.5, 0.25])
    after = run(bias, [gradient, gradient], lr=0.1, momentum=0.9, weight_decay=0.3)
    torch.testing.assert_close(after, bias - 0.1 * (1 + 1.9) * gradient)


def test_weights_of_zero_can_leave_zero() -> None:
    after = run(torch.zeros(2, 2), [torch.ones(2, 2)], lr=0.1)
    torch.testing.assert_close(after, torch.full((2, 2), -0.1))


def test_a_gradient_of_zero_moves_nothing() -> None:
    weights = torch.ones(2, 2)
    assert torch.equal(run(weights, [torch.zeros(2, 2)], lr=0.1), weights)


def test_a_parameter_without_a_gradient_stays() -> None:
    parameter = torch.nn.Parameter(torch.ones(2, 2))
    LARS([parameter], lr=1.0).step()
    assert torch.equal(parameter.detach(), torch.ones(2, 2))


def test_the_closure_is_called_with_gradients_and_its_loss_returned() -> None:
    parameter = torch.nn.Parameter(torch.ones(1, 1))

    def closure() -> float:
        loss = (parameter**2).sum()
        loss.backward()
        return loss.item()

    assert LARS([parameter], lr=1.0).step(closure) == 1.0
    assert parameter.item() < 1.0


def test_its_state_can_be_saved_and_read_back() -> None:
    gradients = [torch.full((2, 2), float(i + 1)) for i in range(4)]
    whole = run(torch.ones(2, 2), gradients, lr=1.0)
    parameter = torch.nn.Parameter(torch.ones(2, 2))
    optimiser = LARS([parameter], lr=1.0)
    for i, gradient in enumerate(gradients):
        if i == 2:
            saved = optimiser.state_dict()
            optimiser = LARS([parameter], lr=9.0)
            optimiser.load_state_dict(saved)
        parameter.grad = gradient.clone()
        optimiser.step()
    assert torch.equal(parameter.detach(), whole)


@pytest.mark.parametrize("wrong", [{"lr": -1.0}, {"lr": 1.0, "momentum": 1.0}, {"lr": 1.0, "trust": -0.1}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(OptionError, match="LARS"):
        LARS([torch.nn.Parameter(torch.ones(1))], **wrong)
