"""A recorder of attention and tokens inside a network, for the requested layers only.

Layers are counted as in the lecture: z^(0) enters the first layer, and z^(l) leaves layer l.
"""

from __future__ import annotations

from collections.abc import Collection

from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor


class Trace:
    """A recorder that an encoder's `forward` fills; read `attention` and `tokens` afterwards.

    The arguments are the numbers of the layers to record.

    - `attention[l]` is a_ij of layer l = 1 … L, (b, heads, n, n), class token first. Rows sum to 1.
    - `tokens[l]` is z^(l), l = 0 … L, (b, n, d), before the final norm.
    - `values[l]` and `pooled[l]` are v_j and h_i of the layers in `pooling`, (b, heads, n, e). They give the
      gradient ∂y/∂a_ij = (∂y/∂h_i)ᵀ v_j.

    Example:

        >>> import torch
        >>> from kakera.model.vit import ViT
        >>> trace, model = Trace(attention=[3]), ViT("nano", channels=1, image_size=28, seed=0)
        >>> tokens = model(torch.zeros(2, 1, 28, 28), trace=trace)
        >>> trace.attention[3].shape
        torch.Size([2, 2, 50, 50])
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
        bias: Float[Tensor, "#b h n n"] | None = None,
    ) -> None:
        """Store softmax_j(q_iᵀ k_j / √D_k) of a requested layer (lecture L5 ②); tokens with padding get 0.

        `queries` and `keys` are (b, h, n, e); `key_padding_mask` (b, n) is True for padding. `bias`
        (b, h, n, n) is added to the logits.
        """
        if layer in self._attention:
            scores = queries @ keys.transpose(-2, -1) * queries.shape[-1] ** -0.5
            scores = scores if bias is None else scores + bias
            if key_padding_mask is not None:
                scores = scores.masked_fill(rearrange(key_padding_mask, "b n -> b 1 1 n"), float("-inf"))
            self.attention[layer] = scores.softmax(dim=-1)

    def record_pooling(
        self, layer: int, values: Float[Tensor, "b h n e"], pooled: Float[Tensor, "b h n e"]
    ) -> None:
        """Store v_j and h_i = Σ_j a_ij v_j, (b, h, n, e), of a requested layer (lecture L5 ③)."""
        if layer in self._pooling:
            self.values[layer], self.pooled[layer] = values, pooled

    def record_tokens(self, layer: int, tokens: Float[Tensor, "b n d"]) -> None:
        """Store z^(layer), (b, n, d), of a requested layer."""
        if layer in self._tokens:
            self.tokens[layer] = tokens
