"""Stochastic depth (Huang et al. 2016), drawn outside the model: numbers in, factors out."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def survival(noise: Float[Tensor, "b branches"], rate: float, depth: int) -> Float[Tensor, "layers each b"]:
    """Factors for the residual branches of `depth` layers, from numbers in [0, 1).

    The rate grows linearly from 0 at the first layer to `rate` at the last. A branch is dropped (0) with
    its rate p and scaled by 1/(1 − p) otherwise, so that its mean stays.
    """
    rates = torch.linspace(0.0, rate, depth, dtype=noise.dtype, device=noise.device)
    draws = noise.T.reshape(depth, -1, noise.shape[0])
    p = rates[:, None, None]
    return (draws >= p).to(noise.dtype) / (1 - p)
