"""Principal components of the tokens of a picture, as colours, and of the filters of the first layer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kakera.explain.activations import Activations, Array
from kakera.model.vit import ViT


def principal(vectors: Array, count: int) -> tuple[Array, Array]:
    """Return the first principal components (count, d) of vectors (n, d), and their shares of the variance.

    The mean is subtracted. Components are unit vectors, and their largest entry is positive, so that signs do
    not differ between runs. If there are fewer than `count`, the rest are zeros. Computed in float64.

    Example:

        >>> axes, shares = principal(np.array([[0.0, 0.0], [1.0, 0.0]]), 2)
        >>> axes.round(6).tolist(), shares.round(6).tolist()
        ([[1.0, 0.0], [0.0, 0.0]], [1.0, 0.0])
    """
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    _, size, axes = np.linalg.svd(centred, full_matrices=False)
    real = size > 1e-9 * max(float(size[0]), 1e-30)
    axes = np.where(real[:, None], axes, 0.0)
    axes = axes * np.sign(np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], axis=1))
    shares = np.where(real, size**2, 0.0) / max(float((size**2).sum()), 1e-30)
    missing = max(count - len(axes), 0)
    return np.pad(axes, ((0, missing), (0, 0)))[:count], np.pad(shares, (0, missing))[:count]


def token_colours(activations: Sequence[Activations], layer: int = -1) -> list[Array]:
    """Return the first three principal components of the patch tokens as colours (rows, cols, 3), 0 … 1.

    The result has one array for each picture. The components are computed from all pictures together, so that
    a colour means the same in each (as Oquab et al. 2024, DINOv2, Fig. 1). Each component is scaled from its
    2nd to its 98th percentile. Raises OptionError for a layer that does not exist.

    Example:

        >>> import torch
        >>> from kakera.explain.activations import encode
        >>> from kakera.inputs import InputSpec
        >>> inputs = InputSpec(channels=1, height=8, width=8, mean=(0.5,), std=(0.25,))
        >>> encoder = ViT("nano", channels=1, image_size=8, seed=0)
        >>> token_colours([encode(encoder, inputs, torch.zeros(1, 8, 8))])[0].shape
        (2, 2, 3)
    """
    vectors = [each.patches_of(layer) for each in activations]
    together = np.concatenate(vectors).astype(np.float64)
    axes, _ = principal(together, 3)
    projected = (together - together.mean(axis=0)) @ axes.T
    low, high = np.percentile(projected, [2, 98], axis=0)
    shares = np.clip((projected - low) / np.where(high > low, high - low, 1.0), 0.0, 1.0)
    parts = np.split(shares, np.cumsum([len(each) for each in vectors])[:-1])
    return [each.on_grid(part.T).transpose(1, 2, 0) for each, part in zip(activations, parts, strict=True)]


def patch_filters(encoder: ViT) -> Array:
    """Return the filters of the patch embedding (d, ph, pw, c): the columns of E (lecture L4 ③).

    If patches are embedded with a width of their own (`ViTConfig.patch_width`), d is that width.

    Example:

        >>> patch_filters(ViT("nano", channels=1, image_size=8, seed=0)).shape
        (64, 4, 4, 1)
    """
    weight = encoder.patches.project.weight.detach().cpu().numpy()
    return weight.reshape(-1, *encoder.config.patch, encoder.channels)


def principal_filters(encoder: ViT, count: int = 28) -> Array:
    """Return the principal components of the filters (count, ph, pw, c).

    There are at most as many as a patch has values (Dosovitskiy et al. 2021, Fig. 7, left).

    Example:

        >>> principal_filters(ViT("nano", channels=1, image_size=8, seed=0), 5).shape
        (5, 4, 4, 1)
    """
    filters = patch_filters(encoder)
    vectors = filters.reshape(len(filters), -1)
    axes, _ = principal(vectors, min(count, vectors.shape[1]))
    return axes.reshape(-1, *encoder.config.patch, encoder.channels)
