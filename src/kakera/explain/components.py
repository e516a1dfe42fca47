"""Principal components: the tokens of a picture as colours, and the filters of the first layer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kakera.explain.activations import Activations, Array
from kakera.model.vit import ViT


def principal(vectors: Array, count: int) -> tuple[Array, Array]:
    """The first components (count, d) of vectors (n, d), mean taken out, and their shares of the variance.

    Unit vectors, the largest entry positive so that they do not turn from run to run; zeros where there
    are fewer than `count`. Computed in float64.
    """
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    _, size, axes = np.linalg.svd(centred, full_matrices=False)
    real = size > 1e-9 * max(float(size[0]), 1e-30)
    axes = np.where(real[:, None], axes, 0.0)
    axes = axes * np.sign(np.take_along_axis(axes, np.abs(axes).argmax(axis=1)[:, None], axis=1))
    shares = np.where(real, size**2, 0.0) / max(float((size**2).sum()), 1e-30)
    missing = max(count - len(axes), 0)
    return np.pad(axes, ((0, missing), (0, 0)))[:count], np.pad(shares, (0, missing))[:count]


def token_colours(seen: Sequence[Activations], layer: int = -1) -> list[Array]:
    """Of each picture (rows, cols, 3), 0 … 1: first principal components of its patches, red, green, blue.

    The components are those of all the pictures together, so that a colour means the same in each
    (as Oquab et al. 2024, DINOv2, Fig. 1). Each is stretched from its 2nd to its 98th percentile.
    Raises OptionError.
    """
    vectors = [each.patches_of(layer) for each in seen]
    together = np.concatenate(vectors).astype(np.float64)
    axes, _ = principal(together, 3)
    scores = (together - together.mean(axis=0)) @ axes.T
    low, high = np.percentile(scores, [2, 98], axis=0)
    shares = np.clip((scores - low) / np.where(high > low, high - low, 1.0), 0.0, 1.0)
    parts = np.split(shares, np.cumsum([len(each) for each in vectors])[:-1])
    return [each.on_grid(part.T).transpose(1, 2, 0) for each, part in zip(seen, parts, strict=True)]


def filters(encoder: ViT) -> Array:
    """(d, ph, pw, c): what each number of a token answers to, the columns of E (lecture L4 ③)."""
    weight = encoder.patches.project.weight.detach().cpu().numpy()
    return weight.reshape(-1, *encoder.config.patch, encoder.channels)


def principal_filters(encoder: ViT, count: int = 28) -> Array:
    """(count, ph, pw, c): principal components of the filters (Dosovitskiy et al. 2021, Fig. 7, left).

    No more than a patch has numbers.
    """
    vectors = filters(encoder).reshape(encoder.config.width, -1)
    axes, _ = principal(vectors, min(count, vectors.shape[1]))
    return axes.reshape(-1, *encoder.config.patch, encoder.channels)
