"""One Transformer layer (lecture L5), with layer norm before attention and before the MLP, or after each."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from kakera.model.configs import PLAIN, Activation, BlockConfig
from kakera.model.linear import Linear, Then
from kakera.model.rotary import Rotation, rotate
from kakera.model.sequence_positions import PositionGate
from kakera.model.trace import Trace

Selection: TypeAlias = Callable[[Tensor], Tensor]
"""A function that picks tokens (b, m, d) from tokens (b, n, d)."""
Heads: TypeAlias = tuple[Tensor, Tensor, Tensor]
"""Queries (b, h, m, e), keys and values (b, h, n, e)."""

SHORT = 128  # tokens: up to this number, two batched products are faster than the fused kernel on a CPU


def attend(
    q: Float[Tensor, "b h m e"],
    k: Float[Tensor, "b h n e"],
    v: Float[Tensor, "b h n e"],
    key_padding_mask: Bool[Tensor, "b n"] | None = None,
    bias: Float[Tensor, "#b *hm n"] | None = None,
) -> Float[Tensor, "b h m e"]:
    """Return the attention output of each head: h_i = Σ_j softmax_j(q_iᵀ k_j / √e) v_j (lecture L5 ②–③).

    `q` is (b, h, m, e), `k` and `v` are (b, h, n, e). Tokens with a True `key_padding_mask` (b, n) get no
    attention. `bias` (b, n) or (b, h, m, n) is added to the logits. Returns (b, h, m, e).

    On a CPU with at most `SHORT` tokens, two matrix products compute the formula, except in bf16. There,
    PyTorch's fused kernel gains nothing from a second thread. In all other cases the fused kernel computes
    the result, without an (m, n) matrix of attention logits in memory.

    Example:

        >>> q = torch.zeros(1, 2, 3, 4)
        >>> attend(q, torch.zeros(1, 2, 5, 4), torch.ones(1, 2, 5, 4)).shape
        torch.Size([1, 2, 3, 4])
    """
    allowed = None if key_padding_mask is None else rearrange(~key_padding_mask, "b n -> b 1 1 n")
    added = bias if bias is None or bias.ndim == 4 else rearrange(bias, "b n -> b 1 1 n")
    short = k.device.type == "cpu" and k.shape[-2] <= SHORT and k.dtype != torch.bfloat16
    if not short or torch.compiler.is_compiling():
        if added is not None and allowed is not None:
            added = added.masked_fill(~allowed, -math.inf)
        return functional.scaled_dot_product_attention(q, k, v, attn_mask=allowed if added is None else added)
    scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    if allowed is not None:
        scores = scores.masked_fill(~allowed, -math.inf)
    if added is not None:
        scores = scores + added
    return scores.softmax(dim=-1) @ v


class Attention(nn.Module):
    """A multi-head self-attention module.

    h_i = Σ_j a_ij v_j in each head; the heads are concatenated and multiplied by W_o (lecture L5 ①–④). `bias`
    adds a bias to queries, keys and values. With `gated`, queries multiply the bias of relative positions by
    a factor.

    Example:

        >>> Attention(8, heads=2)(torch.zeros(1, 5, 8)).shape
        torch.Size([1, 5, 8])
    """

    def __init__(self, width: int, heads: int, *, bias: bool = True, gated: bool = False) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = Linear(width, 3 * width, bias=bias)
        self.out = Linear(width, width)
        self.gate = PositionGate(heads, width // heads) if gated else None

    def forward(
        self,
        z: Float[Tensor, "b n d"],
        trace: Trace | None = None,
        layer: int = 0,
        key_padding_mask: Bool[Tensor, "b n"] | None = None,
        queries: Float[Tensor, "b m d"] | None = None,
        rotation: Rotation | None = None,
        relative: Float[Tensor, "#b h n n"] | None = None,
    ) -> Float[Tensor, "b m d"]:
        """Return the attended tokens z̃ (b, m, d) from tokens `z` (b, n, d).

        No token attends to a token with a True `key_padding_mask` (b, n). `queries` (b, m, d) are some of the
        tokens of `z`: only these attend. By default all do. A `rotation` turns queries and keys (see
        `rotary`), and `relative` (b, h, n, n) is the bias of relative positions, with b = 1 if it is equal
        for all; with one of both, `queries` must be the first tokens. A `trace` records the attention of the
        layer with number `layer`, computed by the formula.
        """
        q, k, v = self.project(z, queries)
        if rotation is not None:
            q, k = rotate(q, rotation), rotate(k, rotation)
        bias = None if relative is None else self._gated(relative, q)
        if trace is not None:
            trace.record_attention(layer, q, k, key_padding_mask, bias)
        pooled = attend(q, k, v, key_padding_mask, bias)
        if trace is not None:
            trace.record_pooling(layer, v, pooled)
        return self.join(pooled)

    def project(self, z: Float[Tensor, "b n d"], queries: Float[Tensor, "b m d"] | None = None) -> Heads:
        """Return queries (b, h, m, e), keys and values (b, h, n, e) of each head; see `forward`."""
        if queries is not None:
            return self._of_some(z, queries)
        q, k, v = rearrange(self.qkv(z), "b n (three h e) -> three b h n e", three=3, h=self.heads)
        return q, k, v

    def join(self, pooled: Float[Tensor, "b h m e"]) -> Float[Tensor, "b m d"]:
        """Return the outputs of all heads (b, h, m, e) as one vector for each token, times W_o (b, m, d)."""
        return self.out(rearrange(pooled, "b h n e -> b n (h e)"))

    def _gated(self, relative: Tensor, q: Tensor) -> Tensor:
        """Return the bias of the first queries, times the factor of each."""
        bias = relative[:, :, : q.shape[2]]
        return (bias if self.gate is None else bias * self.gate(q)).to(q.dtype)

    def _of_some(self, z: Tensor, queries: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the queries of some tokens, and the keys and values of all."""
        width = self.out.in_features
        q = rearrange(self.qkv.rows(queries, slice(width)), "b m (h e) -> b h m e", h=self.heads)
        kv = self.qkv.rows(z, slice(width, None))
        k, v = rearrange(kv, "b n (two h e) -> two b h n e", two=2, h=self.heads)
        return q, k, v


class CrossAttention(nn.Module):
    """A multi-head cross-attention module: queries from `z`, keys and values from a context.

    Example:

        >>> CrossAttention(8, heads=2)(torch.zeros(1, 3, 8), torch.zeros(1, 5, 8)).shape
        torch.Size([1, 3, 8])
    """

    def __init__(self, width: int, heads: int, *, bias: bool = True) -> None:
        super().__init__()
        self.heads = heads
        self.q = Linear(width, width, bias=bias)
        self.kv = Linear(width, 2 * width, bias=bias)
        self.out = Linear(width, width)

    def forward(
        self,
        z: Float[Tensor, "b m d"],
        context: Float[Tensor, "b k d"],
        key_padding_mask: Bool[Tensor, "b k"] | None = None,
    ) -> Float[Tensor, "b m d"]:
        """Return the attended tokens (b, m, d) from `z` (b, m, d) and `context` (b, k, d).

        No token attends to a context token with a True `key_padding_mask` (b, k).
        """
        q = rearrange(self.q(z), "b m (h e) -> b h m e", h=self.heads)
        k, v = rearrange(self.kv(context), "b k (two h e) -> two b h k e", two=2, h=self.heads)
        pooled = attend(q, k, v, key_padding_mask)
        return self.out(rearrange(pooled, "b h m e -> b m (h e)"))


class MLP(nn.Module):
    """Two linear maps with a GELU between them, in the form that `activation` names.

    The inner width is `ratio` times `width`. With `gated`, the first map has two halves, and the SiLU of one
    half is multiplied by the other (SwiGLU, Shazeer 2020). With an `epsilon` above 0, a layer norm of the
    inner values comes before the second map.

    Example:

        >>> MLP(8)(torch.zeros(1, 5, 8)).shape
        torch.Size([1, 5, 8])
    """

    def __init__(
        self,
        width: int,
        ratio: float = 4.0,
        *,
        activation: Activation = "gelu",
        gated: bool = False,
        epsilon: float = 0.0,
    ) -> None:
        super().__init__()
        inside = round(width * ratio)
        self.up = Linear(width, 2 * inside if gated else inside)
        self.norm = nn.LayerNorm(inside, eps=epsilon) if epsilon else None
        self.down = Linear(inside, width)
        self.activation: Then = activation
        self.gated = gated

    def forward(self, z: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        """Return tokens (b, n, d) from tokens (b, n, d); each token is mapped on its own."""
        if self.gated:
            gate, value = self.up(z).chunk(2, dim=-1)
            inside = functional.silu(gate) * value
        else:
            inside = self.up(z, self.activation)
        return self.down(inside if self.norm is None else self.norm(inside))


class Block(nn.Module):
    """A Transformer layer: z' = Attention(LN(z)) + z;  z^(l) = MLP(LN(z')) + z' (lecture L5 ⑤ ⑥).

    With the norm after each sum ("post", Vaswani et al. 2017, Sec. 3.1): z' = LN(Attention(z) + z);
    z^(l) = LN(MLP(z') + z'). `BlockConfig.residual` multiplies the second z and z'.

    Example:

        >>> Block(8, heads=2)(torch.zeros(1, 5, 8)).shape
        torch.Size([1, 5, 8])
    """

    def __init__(self, width: int, heads: int, kind: BlockConfig = PLAIN) -> None:
        super().__init__()
        self.post, self.residual = kind.norm == "post", kind.residual
        self.norm1 = nn.LayerNorm(width, eps=kind.epsilon)
        self.attention = Attention(width, heads, bias=kind.qkv_bias, gated=kind.gated_positions)
        self.norm2 = nn.LayerNorm(width, eps=kind.epsilon)
        inner = kind.epsilon if kind.inner_norm else 0.0
        self.mlp = MLP(width, kind.ratio, activation=kind.activation, gated=kind.gated, epsilon=inner)
        self.scale1 = nn.Parameter(torch.ones(width)) if kind.layer_scale else None
        self.scale2 = nn.Parameter(torch.ones(width)) if kind.layer_scale else None

    def forward(
        self,
        z: Float[Tensor, "b n d"],
        drop_path: Float[Tensor, "2 b"] | None = None,
        trace: Trace | None = None,
        layer: int = 0,
        key_padding_mask: Bool[Tensor, "b n"] | None = None,
        select: Selection | None = None,
        rotation: Rotation | None = None,
        relative: Float[Tensor, "#b h n n"] | None = None,
    ) -> Float[Tensor, "b m d"]:
        """Return tokens (b, m, d) from tokens `z` (b, n, d).

        `drop_path` (2, b) multiplies the two branches of each sample (stochastic depth): 0 drops a branch,
        1/(1 − p) scales it. No token attends to a token with a True `key_padding_mask` (b, n). `select` picks
        the tokens that the layer returns. The layer computes queries and the MLP for these only; keys and
        values come from all tokens. With a `rotation` of queries and keys, or a bias of `relative` positions,
        `select` must pick the first ones.
        """
        normed = self.before_attention(z)
        z, queries = (z, None) if select is None else (select(z), select(normed))
        attended = self.attention(normed, trace, layer, key_padding_mask, queries, rotation, relative)
        z = self.after_attention(z, attended, drop_path)
        return self.after_mlp(z, self.mlp(self.before_mlp(z)), drop_path)

    def before_attention(self, z: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        """Return the input of attention (b, n, d): LN of tokens `z`, or `z` itself if the norm is after."""
        return z if self.post else self.norm1(z)

    def before_mlp(self, z: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        """Return the input of the MLP (b, n, d): LN of tokens `z`, or `z` itself if the norm is after."""
        return z if self.post else self.norm2(z)

    def after_attention(
        self,
        z: Float[Tensor, "b n d"],
        branch: Float[Tensor, "b n d"],
        drop_path: Float[Tensor, "2 b"] | None = None,
    ) -> Float[Tensor, "b n d"]:
        """Return the sum of tokens and the output of attention (b, n, d); `drop_path` is as in `forward`."""
        branch = branch if self.scale1 is None else branch * self.scale1
        z = z if self.residual == 1 else z * self.residual
        z = z + (branch if drop_path is None else branch * drop_path[0, :, None, None])
        return self.norm1(z) if self.post else z

    def after_mlp(
        self,
        z: Float[Tensor, "b n d"],
        branch: Float[Tensor, "b n d"],
        drop_path: Float[Tensor, "2 b"] | None = None,
    ) -> Float[Tensor, "b n d"]:
        """Return the sum of tokens and the output of the MLP (b, n, d); `drop_path` is as in `forward`."""
        branch = branch if self.scale2 is None else branch * self.scale2
        z = z if self.residual == 1 else z * self.residual
        z = z + (branch if drop_path is None else branch * drop_path[1, :, None, None])
        return self.norm2(z) if self.post else z


class CrossBlock(nn.Module):
    """A cross-attention layer (Fu et al. 2024, Sec. 3.2).

    z' = CrossAttention(LN(z), context) + z; z^(l) = MLP(LN(z')) + z'.

    Example:

        >>> CrossBlock(8, heads=2)(torch.zeros(1, 3, 8), torch.zeros(1, 5, 8)).shape
        torch.Size([1, 3, 8])
    """

    def __init__(self, width: int, heads: int, kind: BlockConfig = PLAIN) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=kind.epsilon)
        self.attention = CrossAttention(width, heads, bias=kind.qkv_bias)
        self.norm2 = nn.LayerNorm(width, eps=kind.epsilon)
        self.mlp = MLP(width, kind.ratio, activation=kind.activation, gated=kind.gated)

    def forward(
        self,
        z: Float[Tensor, "b m d"],
        context: Float[Tensor, "b k d"],
        key_padding_mask: Bool[Tensor, "b k"] | None = None,
    ) -> Float[Tensor, "b m d"]:
        """Return tokens (b, m, d) from tokens `z` (b, m, d) and `context` (b, k, d).

        No token attends to a context token with a True `key_padding_mask` (b, k). The tokens of `z` do not
        attend to each other.
        """
        z = z + self.attention(self.norm1(z), context, key_padding_mask)
        return z + self.mlp(self.norm2(z))


def drop_path_factors(
    noise: Float[Tensor, "b branches"], rate: float, depth: int
) -> Float[Tensor, "layers each b"]:
    """Return the factors of stochastic depth (Huang et al. 2016) for the branches of `depth` layers.

    `noise` (b, branches) is in [0, 1); `branches` is a multiple of `depth`. The drop rate grows linearly from
    0 at the first layer to `rate` at the last. A branch with rate p gets the factor 0 with probability p, and
    1/(1 − p) otherwise, so its mean does not change. Returns (depth, branches / depth, b).

    Example:

        >>> drop_path_factors(torch.tensor([[0.9, 0.9, 0.1, 0.9]]), 0.5, 2)[:, :, 0]
        tensor([[1., 1.],
                [0., 2.]])
    """
    rates = torch.linspace(0.0, rate, depth, dtype=noise.dtype, device=noise.device)
    draws = noise.T.reshape(depth, -1, noise.shape[0])
    p = rates[:, None, None]
    return (draws >= p).to(noise.dtype) / (1 - p)
