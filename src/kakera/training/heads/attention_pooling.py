"""The attention pooling of an attentive head: its queries, its start, and how it is written into a model.

One probe reads all patch tokens with h heads. The score of a token t for head i is (W_i t)·q_i / √e, which is
u_i·t with one vector u_i of the width of a token, plus a number that all tokens share. So the vectors u, here
called queries, are all that the probe and the key map can express (Psomas et al. 2026, efficient probing,
learn them in the same way).
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn

from kakera import seeding
from kakera.model.attention_pool import AttentionPool
from kakera.model.configs import ViTConfig
from kakera.model.initialize import generator_of, reset_layers
from kakera.training.heads.linear_head import Array

PIECE = 1 << 24  # values of tokens that are pooled at once


@torch.no_grad()
def uniform_pool(config: ViTConfig, seed: int = 0) -> AttentionPool:
    """Return an attention pooling that gives the mean of the tokens, for an encoder with this config.

    All its queries are 0. The maps of queries, values and output are the identity; the last map of the MLP is
    0, and its first one is drawn with `seed`, so that fine-tuning can change both.

    Example:

        >>> from kakera.model.configs import vit_config
        >>> tokens = torch.randn(2, 5, 64)
        >>> pool = uniform_pool(vit_config("nano"))
        >>> torch.allclose(pool(tokens), tokens.mean(dim=1), atol=1e-5)
        True
    """
    width = config.width
    pool = AttentionPool(width, config.heads, config.block)
    reset_layers(pool, generator_of(seeding.key(seed, "attention pooling")))
    for linear in (pool.attention.q, pool.attention.kv, pool.attention.out, pool.mlp.down):
        nn.init.zeros_(linear.bias)
    nn.init.zeros_(pool.mlp.down.weight)
    for weight in (pool.attention.q.weight, *pool.attention.kv.weight.chunk(2), pool.attention.out.weight):
        nn.init.eye_(weight)
    set_queries(pool, torch.zeros(config.heads, width))
    return pool.eval()


@torch.no_grad()
def queries_of(pool: AttentionPool) -> Float[Tensor, "h d"]:
    """Return the query of each head (h, d): a token's score is its scalar product with it.

    Example:

        >>> pool = AttentionPool(8, heads=2)
        >>> set_queries(pool, torch.ones(2, 8))
        >>> queries_of(pool).sum(dim=1).round()
        tensor([8., 8.])
    """
    probe = _probe(pool)
    return torch.einsum("he,hed->hd", probe, _keys(pool)) / probe.shape[1] ** 0.5


@torch.no_grad()
def set_queries(pool: AttentionPool, queries: Float[Tensor, "h d"]) -> None:
    """Change the key map of a pooling, in place, so that its queries are `queries` (h, d).

    The change has the smallest norm that is possible. A head whose probe is 0 gets one first.

    Example:

        >>> pool = AttentionPool(8, heads=2)
        >>> set_queries(pool, torch.eye(2, 8))
        >>> torch.allclose(queries_of(pool), torch.eye(2, 8), atol=1e-6)
        True
    """
    heads, width = pool.attention.heads, queries.shape[1]
    empty = _probe(pool).square().sum(dim=1) < 1e-12
    pool.attention.q.bias.view(heads, -1)[empty] += (width // heads) ** -0.5
    probe = _probe(pool)
    wanted = queries.to(probe) * probe.shape[1] ** 0.5
    missing = wanted - torch.einsum("he,hed->hd", probe, _keys(pool))
    change = torch.einsum("he,hd->hed", probe / probe.square().sum(dim=1, keepdim=True), missing)
    pool.attention.kv.weight[:width] += change.reshape(width, width)


def _probe(pool: AttentionPool) -> Float[Tensor, "h e"]:
    return pool.attention.q(pool.probe).view(pool.attention.heads, -1)


def _keys(pool: AttentionPool) -> Float[Tensor, "h e d"]:
    width = pool.attention.kv.weight.shape[1]
    return pool.attention.kv.weight[:width].view(pool.attention.heads, -1, width)


def pooled_by(
    pool: AttentionPool, queries: Float[Tensor, "h d"], tokens: Float[Tensor, "b n d"]
) -> Float[Tensor, "b d"]:
    """Return the pooled vectors (b, d) of tokens (b, n, d) with other queries (h, d) than those of `pool`.

    Keys and values of the tokens are not computed: the values are mapped after they are averaged.

    Example:

        >>> pool, tokens = AttentionPool(8, heads=2), torch.randn(3, 5, 8)
        >>> torch.allclose(pooled_by(pool, queries_of(pool), tokens), pool(tokens), atol=1e-5)
        True
    """
    width, attention = tokens.shape[2], pool.attention
    weights = (tokens @ queries.T).softmax(dim=1)
    means = torch.einsum("bnh,bnd->bhd", weights, tokens)
    values = attention.kv.weight[width:].view(attention.heads, -1, width)
    mapped = torch.einsum("bhd,hed->bhe", means, values).flatten(1) + attention.kv.bias[width:]
    pooled = attention.out(mapped).unsqueeze(1)
    return (pooled + pool.mlp(pool.norm(pooled))).squeeze(1)


@torch.inference_mode()
def pooled_vectors(pool: AttentionPool, tokens: NDArray[np.float32]) -> Array:
    """Return the pooled vectors (n, d) of patch tokens (n, patches, d).

    Example:

        >>> pooled_vectors(AttentionPool(8, heads=2), np.zeros((3, 5, 8), np.float32)).shape
        (3, 8)
    """
    queries, step = queries_of(pool), max(1, PIECE // max(1, tokens[:1].size))
    found = [
        pooled_by(pool, queries, torch.from_numpy(tokens[first : first + step])).double().numpy()
        for first in range(0, len(tokens), step)
    ]
    return np.concatenate([np.zeros((0, tokens.shape[2])), *found])
