"""The losses for uneven classes: their formulas, their limits and what they refuse."""

import json
from pathlib import Path
from typing import Any

import kornia.losses
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from kakera.commands.finetune import finetune
from kakera.errors import OptionError
from kakera.training.losses import asymmetric_loss, classification_loss, focal_loss
from kakera.training.options import FinetuneOptions
from tests.small import QUICK, pictures

WEIGHTS = torch.tensor([0.5, 1.0, 4.0], dtype=torch.float64)
numbers = st.floats(-30, 30)
gammas = st.sampled_from([0.0, 0.5, 1.0, 2.0, 5.0])


def drawn(seed: int, *, several: bool = False, count: int = 5) -> tuple[Tensor, Tensor]:
    """Logits and soft targets in float64."""
    random = np.random.default_rng(seed)
    targets = random.random((count, 3)) if several else random.dirichlet(np.ones(3), count)
    return torch.from_numpy(3 * random.standard_normal((count, 3))), torch.from_numpy(targets)


def focal_by_hand(logits: NDArray[Any], targets: NDArray[Any], gamma: float, weights: NDArray[Any]) -> float:
    total = 0.0
    for row, target in zip(logits, targets, strict=True):
        p = np.exp(row) / np.exp(row).sum()
        total += sum(
            -w * t * (1 - each) ** gamma * np.log(each) for w, t, each in zip(weights, target, p, strict=True)
        )
    return total / len(logits)


def asymmetric_by_hand(
    logits: NDArray[Any],
    targets: NDArray[Any],
    gammas: tuple[float, float],
    margin: float,
    weights: NDArray[Any],
) -> float:
    total = 0.0
    for (_, column), x in np.ndenumerate(logits):
        t, p = targets[_, column], 1 / (1 + np.exp(-x))
        q = max(p - margin, 0.0)
        total -= weights[column] * t * (1 - p) ** gammas[1] * np.log(p)
        total -= (1 - t) * q ** gammas[0] * np.log(1 - q)
    return total / logits.size


@given(st.integers(0, 1000), gammas)
def test_the_focal_loss_is_its_formula(seed: int, gamma: float) -> None:
    logits, targets = drawn(seed)
    expected = focal_by_hand(logits.numpy(), targets.numpy(), gamma, WEIGHTS.numpy())
    assert focal_loss(logits, targets, gamma=gamma, weights=WEIGHTS).item() == pytest.approx(expected)


@given(st.integers(0, 1000), gammas, gammas, st.sampled_from([0.0, 0.05, 0.5]))
def test_the_asymmetric_loss_is_its_formula(seed: int, neg: float, pos: float, margin: float) -> None:
    logits, targets = drawn(seed, several=True)
    expected = asymmetric_by_hand(logits.numpy(), targets.numpy(), (neg, pos), margin, WEIGHTS.numpy())
    found = asymmetric_loss(
        logits, targets, gamma_neg=neg, gamma_pos=pos, margin=margin, weights=WEIGHTS
    ).item()
    assert found == pytest.approx(expected, abs=1e-9)


def test_without_a_gamma_the_losses_are_the_cross_entropies() -> None:
    logits, targets = (values.float() for values in drawn(0))
    weights = WEIGHTS.float()
    close: dict[str, Any] = {"rtol": 1e-6, "atol": 1e-6}
    torch.testing.assert_close(
        focal_loss(logits, targets, gamma=0.0, weights=weights),
        functional.cross_entropy(logits, targets, weights),
        **close,
    )
    torch.testing.assert_close(
        asymmetric_loss(logits, targets, gamma_neg=0.0, gamma_pos=0.0, margin=0.0, weights=weights),
        functional.binary_cross_entropy_with_logits(logits, targets, pos_weight=weights),
        **close,
    )


def test_the_focal_losses_are_those_of_kornia() -> None:
    logits, targets = drawn(1, several=True)
    options, hot = FinetuneOptions("", loss="focal", gamma=1.5), (targets > 0.5).double()
    expected = kornia.losses.binary_focal_loss_with_logits(
        logits, hot, alpha=None, gamma=1.5, reduction="mean"
    )
    torch.testing.assert_close(classification_loss(logits, hot, options, multi_label=True), expected)
    labels = targets.argmax(dim=1)
    expected = kornia.losses.focal_loss(logits, labels, alpha=None, gamma=1.5, reduction="mean")
    expected, hot = 3 * expected, functional.one_hot(labels, 3).double()  # its mean is also over the classes
    torch.testing.assert_close(classification_loss(logits, hot, options, multi_label=False), expected)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_the_gradients_are_the_finite_differences(gamma: float) -> None:
    logits, targets = drawn(3, count=2)

    def focal(values: Tensor) -> Tensor:
        return focal_loss(values, targets, gamma=gamma, weights=WEIGHTS)

    def asymmetric(values: Tensor) -> Tensor:
        return asymmetric_loss(values, targets, gamma_neg=2 * gamma, gamma_pos=gamma, weights=WEIGHTS)

    for function in (focal, asymmetric):
        values = logits.clone().requires_grad_()
        (found,) = torch.autograd.grad(function(values), values)
        expected, step = torch.zeros_like(logits), 1e-5
        for place in np.ndindex(*logits.shape):
            nudge = torch.zeros_like(logits)
            nudge[place] = step
            expected[place] = (function(logits + nudge) - function(logits - nudge)) / (2 * step)
        torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-8)


@given(st.lists(numbers, min_size=3, max_size=3), gammas, st.sampled_from([0.0, 0.05]))
def test_certain_logits_have_a_finite_loss_and_gradient(
    logits: list[float], gamma: float, margin: float
) -> None:
    for scale in (1.0, 50.0):
        for targets in torch.eye(3).unsqueeze(1):
            values = (scale * torch.tensor([logits])).requires_grad_()
            one = focal_loss(values, targets, gamma=gamma)
            several = asymmetric_loss(values, targets, gamma_neg=gamma, gamma_pos=gamma, margin=margin)
            for loss in (one, several):
                (gradient,) = torch.autograd.grad(loss, values, retain_graph=True)
                assert torch.isfinite(loss)
                assert torch.isfinite(gradient).all()


def test_the_loss_of_a_mixture_of_labels_is_the_mixture_of_their_losses() -> None:
    logits = drawn(4, count=1)[0]
    one, other = torch.eye(3, dtype=torch.float64)[:2].unsqueeze(1)
    for loss in (focal_loss, asymmetric_loss):
        mixed = 0.3 * loss(logits, one) + 0.7 * loss(logits, other)
        torch.testing.assert_close(loss(logits, 0.3 * one + 0.7 * other), mixed)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"loss": "asymmetric"}, "loss: got asymmetric for files with one label"),
        ({"loss": "focal", "class_balance": 1.0}, "class_balance: got 1 with the loss focal"),
        ({"gamma": 3.0}, "gamma: got 3 with the loss cross-entropy, expected the loss focal"),
        ({"loss": "focal", "margin": 0.1}, "margin: got 0.1 with the loss focal"),
        ({"loss": "hinge"}, "loss: got 'hinge', expected cross-entropy, focal, asymmetric or ordinal"),
        ({"loss": "focal", "gamma": -1.0}, "gamma: got -1"),
    ],
)
def test_losses_that_do_not_fit_are_refused(changes: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=said):
        finetune(pictures(), out=tmp_path / "run", model="nano", **{**QUICK, **changes})


def test_a_training_minimises_the_loss_that_is_named(tmp_path: Path) -> None:
    # A learning rate of 0 keeps the first, even probabilities: ten classes, and (1 - 1/10)^2 ln 10.
    plain: dict[str, Any] = {
        "mixup": 0.0,
        "cutmix": 0.0,
        "label_smoothing": 0.0,
        "base_lr": 0.0,
        "baselines": False,
    }
    trained = finetune(pictures(), out=tmp_path / "run", model="nano", loss="focal", **{**QUICK, **plain})
    row = (trained.folder / "metrics.jsonl").read_text().splitlines()[0]
    assert json.loads(row)["loss"] == pytest.approx(0.81 * np.log(10), rel=1e-3)
    assert "focal loss, with augmentation" in (trained.folder / "report.html").read_text()
