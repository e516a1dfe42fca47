"""Reconstructions by a masked autoencoder (lecture L8, L9): original, masked picture, prediction, error."""

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

GREY = 0.5  # the value of a hidden patch, as a share of the range
BORROWED = "mean and contrast of each hidden patch are copied from the original"


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """The reconstructions of one picture under k masks. See `reconstruct`.

    Example:

        >>> inputs = InputSpec(channels=1, height=8, width=8, mean=(0.5,), std=(0.25,))
        >>> model = MAE("nano", channels=1, image_size=8, seed=0)
        >>> hidden = np.array([[True, False, True, True]])
        >>> reconstruct(model, inputs, torch.zeros(1, 8, 8), hidden).mean_errors().shape
        (1,)
    """

    hidden: NDArray[np.bool_]
    """The masks (k, rows, cols), True = hidden from the encoder."""
    original: NDArray[np.uint8]
    """The original picture (H, W, c)."""
    masked: NDArray[np.uint8]
    """The masked pictures (k, H, W, c): hidden patches are grey."""
    prediction: NDArray[np.uint8]
    """The predictions (k, H, W, c): visible patches are original, hidden patches are predicted."""
    error: Array
    """The errors |prediction − original| (k, H, W) as a share of the range, mean over channels; 0 for visible
    patches."""
    axes: Axes
    """The meaning of rows and columns."""
    values: Tensor
    """The predictions (k, c, H, W) as stored values, before they are converted to bytes."""
    borrowed: bool
    """True if mean and standard deviation of each hidden patch are the true ones, not predictions."""

    def mean_errors(self) -> Array:
        """Return the mean error over the hidden pixels of each mask (k,)."""
        shares = self.hidden.mean(axis=(1, 2))
        return self.error.mean(axis=(1, 2), dtype=np.float64) / shares

    def baseline_errors(self) -> Array:
        """Return the mean error of a baseline for each mask (k,), over the hidden pixels.

        The baseline predicts each hidden patch as the mean of the visible patches, pixel by pixel. A model
        that has learned something has a smaller error.

        Example:

            >>> inputs = InputSpec(channels=1, height=8, width=8, mean=(0.5,), std=(0.25,))
            >>> model = MAE("nano", channels=1, image_size=8, seed=0)
            >>> hidden = np.array([[True, False, True, True]])
            >>> reconstruct(model, inputs, torch.zeros(1, 8, 8), hidden).baseline_errors().tolist()
            [0.0]
        """
        count, rows, cols = self.hidden.shape
        height, width, _ = self.original.shape
        cells = self.original.reshape(rows, height // rows, cols, width // cols, -1).swapaxes(1, 2)
        vectors = cells.reshape(rows * cols, -1) / 255.0
        errors = [
            np.abs(vectors[hidden] - vectors[~hidden].mean(axis=0)).mean()
            for hidden in self.hidden.reshape(count, -1)
        ]
        return np.array(errors)


@torch.no_grad()
def reconstruct(
    model: MAE,
    inputs: InputSpec,
    picture: Num[Tensor, "c H W"],
    hidden: NDArray[np.bool_],
    width: int | None = None,
    start: float = 0.0,
) -> Reconstruction:
    """Reconstruct a picture (c, H, W) of stored values under masks (k, N), True = hidden.

    Each mask must hide the same number of patches. `width` is the number of pixel columns before padding; N
    counts the patches that begin before it, and None uses all. `start` is the position of the first column,
    for the axes. Raises OptionError if masks hide different numbers of patches, no patch or every patch.

    Example:

        >>> inputs = InputSpec(channels=1, height=8, width=8, mean=(0.5,), std=(0.25,))
        >>> model = MAE("nano", channels=1, image_size=8, seed=0)
        >>> hidden = np.array([[True, False, True, True]])
        >>> reconstruct(model, inputs, torch.zeros(1, 8, 8), hidden).prediction.shape
        (1, 8, 8, 1)
    """
    stored = picture.to(model.encoder.reference)
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
    """Return each picture as original, masked picture and prediction, (b, 3, H, W, c), uint8.

    `pictures` (b, c, H, W) have stored values (0 … scale). `hidden` and `padding_mask` are (b, n). A model
    with `norm_pix_loss` uses the true mean and standard deviation of each hidden patch: see
    `MAE.reconstruct`.

    Example:

        >>> inputs = InputSpec(channels=1, height=8, width=8, mean=(0.5,), std=(0.25,))
        >>> model = MAE("nano", channels=1, image_size=8, seed=0)
        >>> hidden = torch.tensor([[True, False, True, True]])
        >>> reconstructions(model, inputs, torch.zeros(1, 1, 8, 8), hidden).shape
        (1, 3, 8, 8, 1)
    """
    return as_bytes(_shares(model, inputs, pictures, hidden, padding_mask))


def _shares(
    model: MAE,
    inputs: InputSpec,
    pictures: Num[Tensor, "b c H W"],
    hidden: Bool[Tensor, "b n"],
    padding_mask: Bool[Tensor, "b n"] | None = None,
) -> Float[Tensor, "b 3 c H W"]:
    """Return original, masked picture and prediction (b, 3, c, H, W), scaled to 0 … 1.

    Predictions may be outside of this range.
    """
    restored = inputs.denormalize(model.reconstruct(inputs.normalize(pictures), hidden, padding_mask))
    predicted, stored = inputs.to_unit(restored), inputs.to_unit(pictures.to(restored.dtype))
    patch = model.encoder.config.patch
    where, vectors = hidden.unsqueeze(-1), patches.patchify(stored, patch)
    masked = torch.where(where, GREY, vectors)
    filled = torch.where(where, patches.patchify(predicted, patch), vectors)
    joined = (patches.unpatchify(each, model.encoder.grid, patch) for each in (masked, filled))
    return torch.stack([stored, *joined], dim=1)


def legend(model: MAE) -> str:
    """Return the caption of a sheet of reconstructions; it names values that are copied from the original.

    Example:

        >>> legend(MAE("nano", channels=1, image_size=8, norm_pix_loss=False, seed=0))
        'original, visible patches, prediction'
    """
    return "original, visible patches, prediction" + (f" ({BORROWED})" if model.norm_pix_loss else "")


def describe_kind(model: Network) -> str:
    """Describe the kind of a model: whether it can reconstruct pictures, and which values it copies.

    Example:

        >>> describe_kind(MAE("nano", channels=1, image_size=8, norm_pix_loss=False, seed=0))
        'masked autoencoder of raw pixels: its predictions copy nothing from the original'
    """
    if not isinstance(model, MAE):
        return "encoder only, without a decoder: it cannot predict hidden patches"
    more = " and oriented gradients" if model.hog_target else ""
    if model.norm_pix_loss:
        return f"masked autoencoder of normalised pixels{more}: in its predictions, {BORROWED}"
    return f"masked autoencoder of raw pixels{more}: its predictions copy nothing from the original"
