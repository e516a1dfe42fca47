"""Attention pooling: one learned query reads all patches (Zhai et al. 2022, "Scaling ViT")."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from kakera.model.attention import MLP, CrossAttention
from kakera.model.configs import PLAIN, BlockConfig


class AttentionPool(nn.Module):
    """A pooling head: p = Attention(probe, tokens);  y = MLP(LN(p)) + p, with a learned `probe`.

    It is the head of SigLIP (Zhai et al. 2023). The tokens are those of the patches after the final norm.

    Example:

        >>> AttentionPool(8, heads=2)(torch.zeros(3, 5, 8)).shape
        torch.Size([3, 8])
    """

    def __init__(self, width: int, heads: int, kind: BlockConfig = PLAIN) -> None:
        super().__init__()
        self.probe = nn.Parameter(torch.zeros(width))
        self.attention = CrossAttention(width, heads)
        self.norm = nn.LayerNorm(width, eps=kind.epsilon)
        self.mlp = MLP(width, kind.ratio, activation=kind.activation)

    def forward(
        self, tokens: Float[Tensor, "b n d"], key_padding_mask: Bool[Tensor, "b n"] | None = None
    ) -> Float[Tensor, "b d"]:
        """Return one vector (b, d) for each picture, from its tokens (b, n, d) after the final norm.

        The probe does not attend to a token with a True `key_padding_mask` (b, n).
        """
        probe = self.probe.expand(tokens.shape[0], 1, -1)  # `len` would fix the batch size of a graph
        pooled = self.attention(probe, tokens, key_padding_mask)
        return (pooled + self.mlp(self.norm(pooled))).squeeze(1)
