"""Where the tokens look (lecture L6): maps of heads, rollout, and how far the heads reach."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from kakera.explain.activations import Activations, Array


def head_maps(seen: Activations, layer: int = -1, token: int = 0) -> Array:
    """(heads, rows, cols): a_ij from a token, the class token by default, to each patch.

    What goes to the class token itself is not shown, so a map sums to less than 1. Raises OptionError.
    """
    return seen.on_grid(seen.attention_of(layer)[:, seen.token(token), 1:])


def attention_map(seen: Activations, layer: int = -1, head: int | None = None, token: int = 0) -> Array:
    """(rows, cols): one head's map, or the mean over the heads. Raises OptionError."""
    maps = head_maps(seen, layer, token)
    return maps.mean(axis=0) if head is None else maps[seen.head(head)]


def rollout(seen: Activations) -> Array:
    """(1 + N, 1 + N): how much of each input token reaches each output token; rows sum to 1.

    Ã_L ⋯ Ã_1 with Ã_l = (A_l + I) / 2, A_l the mean over the heads (Abnar and Zuidema 2020, Sec. 3).
    """
    reach = np.eye(1 + seen.grid.count)
    for heads in seen.attention.astype(np.float64):
        reach = (heads.mean(axis=0) @ reach + reach) / 2
    return reach


def rollout_map(seen: Activations, token: int = 0) -> Array:
    """(rows, cols): the row of a token in `rollout`, its patches. Raises OptionError."""
    return seen.on_grid(rollout(seen)[seen.token(token), 1:])


Scale: TypeAlias = tuple[float, float]
"""What a pixel counts down and across: (1, 1) for distances in pixels; others are in `Axes.measures`."""


def patch_distances(seen: Activations, scale: Scale = (1.0, 1.0)) -> Array:
    """(N, N): from the centre of each patch to that of each other, by default in pixels."""
    rows, cols = np.indices((seen.grid.rows, seen.grid.cols)).reshape(2, -1)
    down, right = rows * scale[0] * seen.step[0], cols * scale[1] * seen.step[1]
    return np.hypot(down[:, None] - down, right[:, None] - right)


def attention_distances(seen: Activations, scale: Scale = (1.0, 1.0)) -> Array:
    """(L, heads), by default in pixels: how far patches look (Dosovitskiy et al. 2021, Sec. 4.5).

    Distances between patch centres weighted with a_ij, mean over the patches i; the class token, which
    stands nowhere, is left out and the rest of each row made to sum to 1.
    """
    among = seen.attention[:, :, 1:, 1:].astype(np.float64)
    among = among / among.sum(axis=-1, keepdims=True)
    return (among * patch_distances(seen, scale)).sum(axis=-1).mean(axis=-1)


def even_distance(seen: Activations, scale: Scale = (1.0, 1.0)) -> float:
    """The distance of a head that looks everywhere alike: what to compare with."""
    return float(patch_distances(seen, scale).mean())
