"""Attention of tokens (lecture L6): maps of heads, attention rollout, and attention distance."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from kakera.explain.activations import Activations, Array


def head_maps(activations: Activations, layer: int = -1, token: int = 0) -> Array:
    """Return the attention a_ij of each head from one token to the patches, (heads, rows, cols).

    The default token is token 0, see `Activations`. Attention to class tokens and registers is not included,
    so a map sums to less than 1. Raises OptionError for a layer or token that does not exist.

    Example:

        >>> import torch, kakera
        >>> model = kakera.ViT("nano", channels=1, image_size=8, seed=0)
        >>> inputs = kakera.InputSpec(1, 8, 8, (0.5,), (0.25,))
        >>> activations = kakera.explain.encode(model, inputs, torch.zeros(1, 8, 8))
        >>> head_maps(activations).shape
        (2, 2, 2)
    """
    return activations.on_grid(
        activations.to_patches(activations.attention_of(layer))[:, activations.token(token)]
    )


def attention_map(
    activations: Activations, layer: int = -1, head: int | None = None, token: int = 0
) -> Array:
    """Return the attention map (rows, cols) of one head, or the mean over the heads.

    Raises OptionError for a layer, head or token that does not exist.

    Example:

        >>> import torch, kakera
        >>> model = kakera.ViT("nano", channels=1, image_size=8, seed=0)
        >>> inputs = kakera.InputSpec(1, 8, 8, (0.5,), (0.25,))
        >>> activations = kakera.explain.encode(model, inputs, torch.zeros(1, 8, 8))
        >>> attention_map(activations, head=1).shape
        (2, 2)
    """
    maps = head_maps(activations, layer, token)
    return maps.mean(axis=0) if head is None else maps[activations.head(head)]


def rollout(activations: Activations) -> Array:
    """Return the attention rollout (t + N, t + N): the share of each input token in each output token.

    Rows sum to 1. It is Ã_L ⋯ Ã_1 with Ã_l = (A_l + I) / 2, where A_l is the mean over the heads (Abnar and
    Zuidema 2020, Sec. 3).

    Example:

        >>> import torch, kakera
        >>> model = kakera.ViT("nano", channels=1, image_size=8, seed=0)
        >>> inputs = kakera.InputSpec(1, 8, 8, (0.5,), (0.25,))
        >>> activations = kakera.explain.encode(model, inputs, torch.zeros(1, 8, 8))
        >>> rollout(activations).sum(axis=1).round(3).tolist()
        [1.0, 1.0, 1.0, 1.0, 1.0]
    """
    reach = np.eye(activations.prefix_tokens + activations.grid.count)
    for heads in activations.attention.astype(np.float64):
        reach = (heads.mean(axis=0) @ reach + reach) / 2
    return reach


def rollout_map(activations: Activations, token: int = 0) -> Array:
    """Return the row of one token in `rollout` as a map of the patches (rows, cols).

    Raises OptionError for a token that does not exist.

    Example:

        >>> import torch, kakera
        >>> model = kakera.ViT("nano", channels=1, image_size=8, seed=0)
        >>> inputs = kakera.InputSpec(1, 8, 8, (0.5,), (0.25,))
        >>> activations = kakera.explain.encode(model, inputs, torch.zeros(1, 8, 8))
        >>> rollout_map(activations).shape
        (2, 2)
    """
    return activations.on_grid(activations.to_patches(rollout(activations))[activations.token(token)])


Scale: TypeAlias = tuple[float, float]
"""The size of a pixel (down, across): (1, 1) for distances in pixels; see `Axes.measures` for others."""


def patch_distances(activations: Activations, scale: Scale = (1.0, 1.0)) -> Array:
    """Return the distances (N, N) between patch centres, in pixels by default.

    `scale` is the size of a pixel (down, across).

    Example:

        >>> import torch, kakera
        >>> model = kakera.ViT("nano", channels=1, image_size=8, seed=0)
        >>> inputs = kakera.InputSpec(1, 8, 8, (0.5,), (0.25,))
        >>> activations = kakera.explain.encode(model, inputs, torch.zeros(1, 8, 8))
        >>> patch_distances(activations)[0].round(3).tolist()
        [0.0, 4.0, 4.0, 5.657]
    """
    rows, cols = np.indices((activations.grid.rows, activations.grid.cols)).reshape(2, -1)
    down, right = rows * scale[0] * activations.step[0], cols * scale[1] * activations.step[1]
    return np.hypot(down[:, None] - down, right[:, None] - right)


def attention_distances(activations: Activations, scale: Scale = (1.0, 1.0)) -> Array:
    """Return the attention distance of each head (L, heads), in pixels by default.

    It is the distance between patch centres, weighted by a_ij, and the mean over patches i (Dosovitskiy et
    al. 2021, Sec. 4.5). Class token and registers have no position, so they are left out, and the rest of
    each row is scaled to sum to 1.

    Example:

        >>> import torch, kakera
        >>> model = kakera.ViT("nano", channels=1, image_size=8, seed=0)
        >>> inputs = kakera.InputSpec(1, 8, 8, (0.5,), (0.25,))
        >>> activations = kakera.explain.encode(model, inputs, torch.zeros(1, 8, 8))
        >>> attention_distances(activations).shape
        (3, 2)
    """
    first = activations.prefix_tokens
    among = activations.attention[:, :, first:, first:].astype(np.float64)
    among = among / among.sum(axis=-1, keepdims=True)
    return (among * patch_distances(activations, scale)).sum(axis=-1).mean(axis=-1)


def even_distance(activations: Activations, scale: Scale = (1.0, 1.0)) -> float:
    """Return the attention distance of a head with equal attention to all patches, for comparison.

    Example:

        >>> import torch, kakera
        >>> model = kakera.ViT("nano", channels=1, image_size=8, seed=0)
        >>> inputs = kakera.InputSpec(1, 8, 8, (0.5,), (0.25,))
        >>> activations = kakera.explain.encode(model, inputs, torch.zeros(1, 8, 8))
        >>> round(even_distance(activations), 3)
        3.414
    """
    return float(patch_distances(activations, scale).mean())
