"""What a masked autoencoder makes of a picture (lecture L8, L9): original, masked, predicted."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Num
from numpy.typing import NDArray
from torch import Tensor

from kakera.inputs import InputSpec
from kakera.model import patches
from kakera.model.mae import MaskedAutoencoder

GREY = 0.5  # of a hidden patch, as a share of the range of values


@torch.no_grad()
def reconstructions(
    model: MaskedAutoencoder,
    inputs: InputSpec,
    pictures: Num[Tensor, "b c H W"],
    hidden: Bool[Tensor, "b n"],
) -> NDArray[np.uint8]:
    """(b, 3, H, W, c): each picture as it is, with its hidden patches grey, and with them predicted.

    `pictures` hold stored values (0 … scale). A model of normalised pixels borrows the true mean and
    deviation of each hidden patch: see `MaskedAutoencoder.reconstruct`.
    """
    seen = inputs.normalise(pictures)
    guessed = inputs.restore(model.reconstruct(seen, hidden))
    patch = model.encoder.shape.patch
    vectors = patches.cut(pictures.float(), patch).clone()
    vectors[hidden] = GREY * inputs.scale
    masked = patches.join(vectors, model.encoder.grid, patch)
    rows = torch.stack([pictures.float(), masked, guessed], dim=1) * (255 / inputs.scale)
    return rows.round().clamp(0, 255).to(torch.uint8).permute(0, 1, 3, 4, 2).numpy()


def legend(model: MaskedAutoencoder) -> str:
    """What a sheet of reconstructions shows, borrowed values included."""
    borrowed = " (mean and contrast of each hidden patch borrowed from the original)"
    return "original, what the encoder sees, prediction" + (borrowed if model.normalised else "")
