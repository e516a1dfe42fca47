"""What a masked autoencoder makes of a picture (lecture L8, L9): original, masked, predicted, error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Num
from numpy.typing import NDArray
from torch import Tensor

from kakera.explain.activations import Array, as_bytes
from kakera.explain.axes import Axes, axes_of
from kakera.explain.extent import ValidArea
from kakera.inputs import InputSpec
from kakera.model import patches
from kakera.model.mae import MAE
from kakera.model.network import Network

GREY = 0.5  # of a hidden patch, as a share of the range of values
BORROWED = "mean and contrast of each hidden patch borrowed from the original"


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """One picture guessed under k masks."""

    hidden: NDArray[np.bool_]
    """(k, rows, cols), True = hidden from the encoder."""
    original: NDArray[np.uint8]
    """(H, W, c)."""
    masked: NDArray[np.uint8]
    """(k, H, W, c): hidden patches grey."""
    prediction: NDArray[np.uint8]
    """(k, H, W, c): visible patches as they are, hidden ones predicted."""
    error: Array
    """(k, H, W): |prediction − original| as a share of the range, mean over channels; 0 where visible."""
    axes: Axes
    """What rows and columns mean."""
    values: Tensor
    """(k, c, H, W): the predictions as stored values, before they are drawn."""
    borrowed: bool
    """Whether the mean and deviation of each hidden patch are the true ones, not the model's guess."""

    def mean_errors(self) -> Array:
        """(k,): the mean error over the hidden pixels of each mask."""
        shares = self.hidden.mean(axis=(1, 2))
        return self.error.mean(axis=(1, 2), dtype=np.float64) / shares


@torch.no_grad()
def reconstruct(
    model: MAE,
    inputs: InputSpec,
    picture: Num[Tensor, "c H W"],
    hidden: NDArray[np.bool_],
    width: int | None = None,
    start: float = 0.0,
) -> Reconstruction:
    """A picture of stored values (0 … scale) under the masks (k, N), each hiding the same number of patches.

    Of one that ends after `width` pixels, N counts the patches that are there; its columns begin at `start`.
    Raises OptionError where the numbers differ or a mask hides nothing or everything.
    """
    stored = picture.to(model.encoder.class_token)
    extent = ValidArea.of(model.encoder, width)
    masks = extent.spread(torch.from_numpy(hidden)).to(stored.device)
    padding_mask = extent.padding_mask(len(masks), stored.device)
    shares = _shares(model, inputs, stored.expand(len(masks), -1, -1, -1), masks, padding_mask)
    shares = shares[..., : extent.width]
    error = (shares[:, 2] - shares[:, 0]).abs().mean(dim=1)
    original, masked, prediction = as_bytes(shares).swapaxes(0, 1)
    return Reconstruction(
        hidden.reshape(-1, extent.grid.rows, extent.grid.cols),
        original[0],
        masked,
        prediction,
        error.cpu().numpy(),
        axes_of(inputs, extent.width, start),
        inputs.from_unit(shares[:, 2]),
        model.norm_pix_loss,
    )


@torch.no_grad()
def reconstructions(
    model: MAE,
    inputs: InputSpec,
    pictures: Num[Tensor, "b c H W"],
    hidden: Bool[Tensor, "b n"],
    padding_mask: Bool[Tensor, "b n"] | None = None,
) -> NDArray[np.uint8]:
    """(b, 3, H, W, c): each picture as it is, with its hidden patches grey, and with them predicted.

    `pictures` hold stored values (0 … scale); patches may be `padding_mask`. A model of normalised pixels borrows
    the true mean and deviation of each hidden patch: see `MAE.reconstruct`.
    """
    return as_bytes(_shares(model, inputs, pictures, hidden, padding_mask))


def _shares(
    model: MAE,
    inputs: InputSpec,
    pictures: Num[Tensor, "b c H W"],
    hidden: Bool[Tensor, "b n"],
    padding_mask: Bool[Tensor, "b n"] | None = None,
) -> Float[Tensor, "b 3 c H W"]:
    """Original, masked and predicted, as shares of the range; predictions may lie outside of 0 … 1."""
    restored = inputs.denormalize(model.reconstruct(inputs.normalize(pictures), hidden, padding_mask))
    guessed, stored = inputs.to_unit(restored), inputs.to_unit(pictures.to(restored.dtype))
    patch = model.encoder.config.patch
    where, vectors = hidden.unsqueeze(-1), patches.patchify(stored, patch)
    masked = torch.where(where, GREY, vectors)
    filled = torch.where(where, patches.patchify(guessed, patch), vectors)
    joined = (patches.unpatchify(each, model.encoder.grid, patch) for each in (masked, filled))
    return torch.stack([stored, *joined], dim=1)


def legend(model: MAE) -> str:
    """What a sheet of reconstructions shows, borrowed values included."""
    return "original, what the encoder sees, prediction" + (f" ({BORROWED})" if model.norm_pix_loss else "")


def describe_kind(model: Network) -> str:
    """Which kind a checkpoint is: what can be reconstructed with it, and how much of that is its own."""
    if not isinstance(model, MAE):
        return "encoder only, without a decoder: guesses of hidden patches are left out"
    more = " and oriented gradients" if model.hog_target else ""
    if model.norm_pix_loss:
        return f"masked autoencoder of normalised pixels{more}: in what it draws, {BORROWED}"
    return f"masked autoencoder of raw pixels{more}: what it draws is all its own"
