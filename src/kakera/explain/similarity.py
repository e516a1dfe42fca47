"""Cosine similarities of patches and of position embeddings (lecture L3)."""

from __future__ import annotations

import numpy as np

from kakera.errors import OptionError
from kakera.explain.activations import Activations, Array
from kakera.model.vit import ViT


def cosine(one: Array, other: Array) -> Array:
    """Return the cosines (…, n, m) of the angles between vectors (…, n, d) and (…, m, d), −1 … 1.

    A vector of zeros has a cosine of 0 with every vector, itself included. Computed in float64.

    Example:

        >>> cosine(np.array([[1.0, 0.0]]), np.array([[2.0, 0.0], [0.0, 1.0]])).tolist()
        [[1.0, 0.0]]
    """
    return _unit(one) @ np.swapaxes(_unit(other), -2, -1)


def _unit(vectors: Array) -> Array:
    vectors = vectors.astype(np.float64)
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.where(length == 0, 1.0, length)


def similarities(one: Activations, other: Activations, layer: int = -1) -> Array:
    """Return the cosines (N, M) of each patch of one picture and each patch of another, or of the same.

    They are computed from the tokens z^(layer), or from the raw vectors x_i if `layer` is `RAW`. Raises
    OptionError for a layer that does not exist, and if the models of the two pictures have different widths.

    Example:

        >>> import torch
        >>> from kakera.explain.activations import encode
        >>> from kakera.inputs import InputSpec
        >>> inputs = InputSpec(channels=1, height=8, width=8, mean=(0.5,), std=(0.25,))
        >>> encoder = ViT("nano", channels=1, image_size=8, seed=0)
        >>> activations = encode(encoder, inputs, torch.zeros(1, 8, 8))
        >>> similarities(activations, activations).shape
        (4, 4)
    """
    left, right = one.patches_of(layer), other.patches_of(layer)
    if left.shape[-1] != right.shape[-1]:
        raise OptionError(
            "pictures",
            got=f"vectors of {left.shape[-1]} and {right.shape[-1]} numbers",
            expected="pictures encoded by the same model",
            do="encode both with one model",
        )
    return cosine(left, right)


def similarity_map(
    activations: Activations, token: int, layer: int = -1, other: Activations | None = None
) -> Array:
    """Return the cosines (rows, cols) of patch `token`, 1 … N, and each patch of the same or another picture.

    Raises OptionError for token 0, the class token, and for a token or layer that does not exist.

    Example:

        >>> import torch, kakera
        >>> model = kakera.ViT("nano", channels=1, image_size=8, seed=0)
        >>> inputs = kakera.InputSpec(1, 8, 8, (0.5,), (0.25,))
        >>> activations = kakera.explain.encode(model, inputs, torch.zeros(1, 8, 8))
        >>> similarity_map(activations, token=1).shape
        (2, 2)
    """
    if activations.token(token) == 0:
        raise OptionError(
            "token",
            got=f"0, the {activations.token_zero}",
            expected="a patch, from 1 on",
            do="choose a patch",
        )
    other = other or activations
    return other.on_grid(similarities(activations, other, layer)[token - 1])


def position_similarity(encoder: ViT) -> Array:
    """Return the cosines of the position embeddings, (rows, cols, rows, cols).

    Source: Dosovitskiy et al. 2021, Fig. 7. Raises OptionError for an encoder without a table of
    them.

    Example:

        >>> position_similarity(ViT("nano", channels=1, image_size=8, seed=0)).shape
        (2, 2, 2, 2)
    """
    if encoder.positions is None:
        expected, do = "an encoder with a table of position embeddings", "choose another model"
        got = "rotary ones" if encoder.config.rotary else "relative ones"
        raise OptionError("positions", got=got, expected=expected, do=do)
    vectors = encoder.positions.detach().cpu().numpy()[encoder.config.class_tokens :]
    grid = encoder.grid
    return cosine(vectors, vectors).reshape(grid.rows, grid.cols, grid.rows, grid.cols)
