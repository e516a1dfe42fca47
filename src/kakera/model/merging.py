"""Token merging (Bolya et al. 2023, "Token Merging: Your ViT But Faster"): fewer tokens in later layers.

Between attention and MLP, a layer merges the r most similar pairs of patch tokens. Similarity is the cosine
of the keys, averaged over the heads (Sec. 3, "Token Similarity"). Pairs come from bipartite soft matching:
the tokens are split into two sets in turns, each token of the first set chooses the most similar token of the
second, and the r best of these edges are merged ("Bipartite Soft Matching"). A merged token is the mean of
its patches. In attention it counts as many times as it has patches ("Tracking Token Size", Eq. 1). The class
token and the registers are never merged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from kakera.errors import OptionError
from kakera.model.attention import Block, attend

if TYPE_CHECKING:
    from kakera.model.vit import ViT


class Match(NamedTuple):
    """The pairs of one layer. The first set has the even tokens, the second set the odd ones.

    Example:

        >>> match(torch.eye(4).unsqueeze(0), 1).merged.shape
        torch.Size([1, 1])
    """

    kept: Int[Tensor, "b k"]
    """The numbers of the tokens of the first set that stay."""
    merged: Int[Tensor, "b r"]
    """The numbers of the tokens of the first set that are merged."""
    into: Int[Tensor, "b r"]
    """For each merged token, the number of its partner in the second set."""


def match(keys: Float[Tensor, "b n e"], count: int) -> Match:
    """Return the `count` most similar pairs of tokens by bipartite soft matching.

    `keys` (b, n, e) are the keys of the tokens. At most half of the tokens can be merged.

    Example:

        >>> keys = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [0.0, 2.0], [1.0, 1.0]]])
        >>> pairs = match(keys, 1)
        >>> pairs.merged.tolist(), pairs.into.tolist(), pairs.kept.tolist()
        ([[1]], [[0]], [[0]])
    """
    directions = functional.normalize(keys, dim=-1)
    cosine = directions[:, ::2] @ directions[:, 1::2].transpose(1, 2)
    best, partner = cosine.max(dim=-1)
    order = best.argsort(dim=-1, descending=True, stable=True)
    merged = order[:, :count]
    return Match(order[:, count:], merged, partner.gather(1, merged))


def merge(
    tokens: Float[Tensor, "b n d"], sizes: Float[Tensor, "b n"], pairs: Match
) -> tuple[Float[Tensor, "b m d"], Float[Tensor, "b m"]]:
    """Return the tokens (b, n − r, d) after merging, and the number of patches in each (b, n − r).

    A merged token is the mean of its patches.

    Example:

        >>> pairs = Match(*(torch.tensor([[number]]) for number in (1, 0, 0)))
        >>> merge(torch.tensor([[[1.0], [4.0], [5.0]]]), torch.tensor([[1.0, 2.0, 1.0]]), pairs)
        (tensor([[[5.],
                 [3.]]]), tensor([[1., 3.]]))
    """
    weights = sizes.unsqueeze(-1).to(tokens.dtype)
    first, second = tokens[:, ::2], tokens[:, 1::2]
    width = tokens.shape[-1]
    moved = _take(first * weights[:, ::2], pairs.merged)
    sums = (second * weights[:, 1::2]).scatter_add(1, pairs.into.unsqueeze(-1).expand(-1, -1, width), moved)
    totals = sizes[:, 1::2].scatter_add(1, pairs.into, sizes[:, ::2].gather(1, pairs.merged))
    means = sums / totals.unsqueeze(-1).to(tokens.dtype)
    return (
        torch.cat([_take(first, pairs.kept), means], dim=1),
        torch.cat([sizes[:, ::2].gather(1, pairs.kept), totals], dim=1),
    )


def merged_tokens(
    encoder: ViT, z: Float[Tensor, "b n d"], counts: Sequence[int], first: int = 0
) -> tuple[Float[Tensor, "b m d"], Float[Tensor, "b k"]]:
    """Return the tokens z^(L) before the final norm from z^(0); layer l merges `counts[l − 1]` pairs.

    Also return the number of patches in each token (b, k). With `first` above 0, the last layer merges
    nothing and computes only the first tokens, so k > m. A layer merges at most half of the patch tokens.
    Raises OptionError for rotary or relative positions.

    Example:

        >>> from kakera.model.vit import ViT
        >>> encoder = ViT("nano", channels=1, image_size=28, seed=0)
        >>> counts = [4] * encoder.config.depth
        >>> tokens, sizes = merged_tokens(encoder, encoder.embed(torch.rand(1, 1, 28, 28)), counts)
        >>> tokens.shape[1] == 50 - sum(counts), sizes.sum().item()
        (True, 50.0)
    """
    if encoder.config.rotary or encoder.config.relative:
        kind = "rotary" if encoder.config.rotary else "relative"
        got, do = f"{kind} positions, which merged tokens do not have", "set merge to ()"
        raise OptionError("merge", got=got, expected="an encoder with a table of positions", do=do)
    prefix = encoder.config.prefix_tokens
    sizes, bias = z.new_ones(z.shape[:2], dtype=torch.float32), None
    for number, (block, count) in enumerate(zip(encoder.layers, counts, strict=True), start=1):
        assert isinstance(block, Block)
        last = bool(first) and number == len(encoder.layers)
        normed = block.before_attention(z)
        queries = normed[:, :first] if last else None
        q, k, v = block.attention.project(normed, queries)
        z = block.after_attention(
            z[:, :first] if last else z, block.attention.join(attend(q, k, v, bias=bias))
        )
        fewer = 0 if last else min(count, (z.shape[1] - prefix) // 2)
        if fewer:
            pairs = match(k[:, :, prefix:].mean(dim=1), fewer)
            patches, patch_sizes = merge(z[:, prefix:], sizes[:, prefix:], pairs)
            z = torch.cat([z[:, :prefix], patches], dim=1)
            sizes = torch.cat([sizes[:, :prefix], patch_sizes], dim=1)
            bias = sizes.log().to(z.dtype)  # before the first merge, all sizes are 1
        z = block.after_mlp(z, block.mlp(block.before_mlp(z)))
    return z, sizes


def require_whole(*others: object) -> None:
    """Check that nothing prevents merging: padding, hidden patches, stochastic depth. Raises OptionError.

    Example:

        >>> require_whole(None, None)
    """
    if any(other is not None for other in others):
        raise OptionError(
            "merge",
            got="padding, hidden patches or stochastic depth",
            expected="whole pictures at inference",
            do="set merge to ()",
        )


def mean_of_patches(
    tokens: Float[Tensor, "b m d"], sizes: Float[Tensor, "b m"], prefix: int
) -> Float[Tensor, "b d"]:
    """Return the mean over all patches (b, d); a token counts as many times as it has patches.

    `prefix` is the number of tokens before the patches.

    Example:

        >>> mean_of_patches(torch.tensor([[[9.0], [1.0], [4.0]]]), torch.tensor([[1.0, 2.0, 1.0]]), 1)
        tensor([[2.]])
    """
    shares = sizes[:, prefix:] / sizes[:, prefix:].sum(dim=1, keepdim=True)
    return (shares.unsqueeze(1).to(tokens.dtype) @ tokens[:, prefix:]).squeeze(1)


def _take(tokens: Tensor, numbers: Tensor) -> Tensor:
    rows = torch.arange(len(tokens), device=tokens.device).unsqueeze(1)
    return tokens[rows, numbers]
