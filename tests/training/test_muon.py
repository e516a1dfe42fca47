"""Muon against PyTorch's own, the singular value decomposition, and AdamW."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kakera.training import muon
from kakera.training.muon import Muon, orthogonal

RATE, DECAY = 0.02, 0.1


def matrix(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def optimizer(*parameters: nn.Parameter, maps: int) -> Muon:
    group: dict[str, Any] = {"params": parameters, "weight_decay": DECAY, "maps": maps}
    return Muon([group], lr=RATE, betas=(0.9, 0.95), fused=True)


def after(parameter: nn.Parameter, mover: torch.optim.Optimizer, steps: int = 3) -> Tensor:
    for step in range(steps):
        parameter.grad = matrix(*parameter.shape, seed=1 + step)
        mover.step()
    return parameter.detach()


@pytest.mark.parametrize("shape", [(24, 24), (16, 64), (64, 16)])
def test_the_singular_vectors_stay_and_the_values_become_about_one(shape: tuple[int, int]) -> None:
    given = matrix(*shape)
    (found,) = orthogonal([given])
    u, s, vh = torch.linalg.svd(given, full_matrices=False)
    inside = u.T @ found @ vh.T
    assert found.shape == given.shape
    torch.testing.assert_close(inside, torch.diag(inside.diagonal()), rtol=0, atol=1e-5)
    values = inside.diagonal()[s > 0.05 * s.norm()]
    assert len(values) >= 10
    assert values.min() > 0.6
    assert values.max() < 1.25


@pytest.mark.parametrize("shape", [(64, 64), (32, 128)])
def test_bf16_gives_the_same_steps_but_for_its_rounding(shape: tuple[int, int]) -> None:
    given = matrix(*shape)
    (exact,), (found,) = orthogonal([given]), orthogonal([given], bf16=True)
    assert torch.nn.functional.cosine_similarity(exact.flatten(), found.float().flatten(), dim=0) > 0.999


def test_the_size_of_a_matrix_does_not_matter_and_a_matrix_of_zeros_stays() -> None:
    given = matrix(8, 16)
    for scale in (1e-6, 1e6):
        torch.testing.assert_close(orthogonal([given * scale]), orthogonal([given]), rtol=1e-4, atol=1e-5)
    (nothing,) = orthogonal([torch.zeros(8, 16)])
    assert not nothing.any()


def test_matrices_of_all_shapes_come_back_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    given = [matrix(*s, seed=i) for i, s in enumerate([(8, 16), (4, 4), (16, 8), (8, 16), (8, 16)])]
    alone = [found for one in given for found in orthogonal([one])]
    torch.testing.assert_close(orthogonal(given), alone)
    monkeypatch.setattr(muon, "TOGETHER", 300)  # two of the four that are alike at a time
    torch.testing.assert_close(orthogonal(given), alone)


def test_a_wide_matrix_is_turned_as_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, columns = (torch.linalg.qr(matrix(size, 24, seed=size))[0] for size in (24, 96))
    for given in (matrix(24, 96), (rows * torch.logspace(0, -6, 24)) @ columns.T):
        (found,) = orthogonal([given])
        with monkeypatch.context() as patch:
            patch.setattr(muon, "WIDE", math.inf)
            (expected,) = orthogonal([given])
        assert (found - expected).norm() < 1e-3 * expected.norm(), "bfloat16's products are 2e-2 off"


@pytest.mark.parametrize("shape", [(24, 24), (16, 64), (64, 16)])
def test_a_matrix_is_moved_as_by_the_one_in_pytorch(shape: tuple[int, int]) -> None:
    ours, theirs = (nn.Parameter(matrix(*shape)) for _ in range(2))
    peer = torch.optim.Muon([theirs], lr=RATE, weight_decay=DECAY, adjust_lr_fn="match_rms_adamw")
    start = matrix(*shape)
    moved, expected = after(ours, optimizer(ours, maps=1)) - start, after(theirs, peer) - start
    assert (moved - expected).norm() < 0.02 * expected.norm(), "its products are in bfloat16, ours are not"


def test_maps_that_lie_in_one_parameter_are_moved_each_on_its_own() -> None:
    together = nn.Parameter(matrix(24, 8))
    apart = [nn.Parameter(piece.clone()) for piece in matrix(24, 8).chunk(3)]
    mover = optimizer(*apart, maps=1)
    for step in range(3):
        for part, grad in zip(apart, matrix(24, 8, seed=1 + step).chunk(3), strict=True):
            part.grad = grad
        mover.step()
    torch.testing.assert_close(after(together, optimizer(together, maps=3)), torch.cat(apart).detach())


def test_all_else_is_moved_by_adamw() -> None:
    ours, theirs = (nn.Parameter(matrix(24)) for _ in range(2))
    peer = torch.optim.AdamW([theirs], lr=RATE, weight_decay=DECAY, betas=(0.9, 0.95), fused=True)
    assert torch.equal(after(ours, optimizer(ours, maps=0)), after(theirs, peer))


def test_what_has_no_gradient_stays() -> None:
    for maps in (0, 1):
        still = nn.Parameter(matrix(8, 8))
        optimizer(still, maps=maps).step()
        assert torch.equal(still, matrix(8, 8))


@pytest.mark.parametrize("maps", [0, 1])
def test_it_goes_on_from_its_state(maps: int) -> None:
    whole, first = (nn.Parameter(matrix(8, 8)) for _ in range(2))
    expected = after(whole, optimizer(whole, maps=maps), steps=3)
    mover = optimizer(first, maps=maps)
    for step in range(2):
        first.grad = matrix(8, 8, seed=1 + step)
        mover.step()
    again = optimizer(first, maps=maps)
    again.load_state_dict(mover.state_dict())
    first.grad = matrix(8, 8, seed=3)
    again.step()
    assert torch.equal(first, expected)
