"""What is alike for a model: patches, positions (lecture L3)."""

from __future__ import annotations

import numpy as np

from kakera.errors import OptionError
from kakera.explain.activations import Activations, Array
from kakera.model.vit import ViT


def cosine(one: Array, other: Array) -> Array:
    """(…, n, m): cosines of the angles between vectors (…, n, d) and (…, m, d), −1 … 1.

    A vector of zeros is like nothing, itself included: 0. Computed in float64.
    """
    return _unit(one) @ np.swapaxes(_unit(other), -2, -1)


def _unit(vectors: Array) -> Array:
    vectors = vectors.astype(np.float64)
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(length == 0, 1.0, length)


def similarities(one: Activations, other: Activations, layer: int = -1) -> Array:
    """(N, M): cosines of each patch of one picture with each of another, or of the same one.

    Of the tokens z^(layer), or with `RAW` of the raw vectors x_i. Raises OptionError, also where the two
    were seen by models of other widths.
    """
    left, right = one.patches_of(layer), other.patches_of(layer)
    if left.shape[-1] != right.shape[-1]:
        raise OptionError(
            "pictures",
            got=f"vectors of {left.shape[-1]} and {right.shape[-1]} numbers",
            expected="pictures seen by one model",
            do="encode both with the same",
        )
    return cosine(left, right)


def similarity_map(seen: Activations, token: int, layer: int = -1, other: Activations | None = None) -> Array:
    """(rows, cols): how like patch `token`, 1 … N, is each patch of the same picture or of another.

    Raises OptionError; token 0, the class token, is no patch.
    """
    if seen.token(token) == 0:
        raise OptionError(
            "token", got="0, the class token", expected="a patch, from 1 on", do="choose a patch"
        )
    other = other or seen
    return other.on_grid(similarities(seen, other, layer)[token - 1])


def position_similarity(encoder: ViT) -> Array:
    """(rows, cols, rows, cols): cosines of the position vectors r_i (Dosovitskiy et al. 2021, Fig. 7)."""
    vectors = encoder.positions.detach().cpu().numpy()[1:]
    grid = encoder.grid
    return cosine(vectors, vectors).reshape(grid.rows, grid.cols, grid.rows, grid.cols)
