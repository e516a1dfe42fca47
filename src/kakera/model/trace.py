"""What was seen inside: attention and tokens, recorded only for the layers that were asked for.

Layers are counted as in the lecture: z^(0) enters the first layer, z^(l) leaves layer l.
"""

from __future__ import annotations

from collections.abc import Collection

from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor


class Trace:
    """Hand one to an encoder's `forward`, read `attention` and `tokens` afterwards.

    `attention[l]` is a_ij of layer l = 1 … L, (b, heads, n, n), rows summing to 1, class token first;
    `tokens[l]` is z^(l), l = 0 … L, (b, n, d), before the final norm. `values[l]` and `pooled[l]` are v_j
    and h_i of layer l, (b, heads, n, e): what ∂y/∂a_ij = (∂y/∂h_i)ᵀ v_j takes.
    """

    def __init__(
        self,
        *,
        attention: Collection[int] = (),
        tokens: Collection[int] = (),
        pooling: Collection[int] = (),
    ) -> None:
        self._attention, self._tokens, self._pooling = map(frozenset, (attention, tokens, pooling))
        self.attention: dict[int, Tensor] = {}
        self.tokens: dict[int, Tensor] = {}
        self.values: dict[int, Tensor] = {}
        self.pooled: dict[int, Tensor] = {}

    def record_attention(
        self,
        layer: int,
        queries: Float[Tensor, "b h n e"],
        keys: Float[Tensor, "b h n e"],
        key_padding_mask: Bool[Tensor, "b n"] | None = None,
    ) -> None:
        """Keep softmax_j(q_iᵀ k_j / √D_k) of a layer, if it was asked for (lecture L5 ②); 0 for a void j."""
        if layer in self._attention:
            scores = queries @ keys.transpose(-2, -1) * queries.shape[-1] ** -0.5
            if key_padding_mask is not None:
                scores = scores.masked_fill(rearrange(key_padding_mask, "b n -> b 1 1 n"), float("-inf"))
            self.attention[layer] = scores.softmax(dim=-1)

    def record_pooling(
        self, layer: int, values: Float[Tensor, "b h n e"], pooled: Float[Tensor, "b h n e"]
    ) -> None:
        """Keep v_j and h_i = Σ_j a_ij v_j of a layer, if they were asked for (lecture L5 ③)."""
        if layer in self._pooling:
            self.values[layer], self.pooled[layer] = values, pooled

    def record_tokens(self, layer: int, tokens: Float[Tensor, "b n d"]) -> None:
        """Keep z^(layer), if it was asked for."""
        if layer in self._tokens:
            self.tokens[layer] = tokens
