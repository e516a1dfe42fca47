"""A picture as a sentence of patches, and back (lecture L1, L2, L4 ①–③)."""

from __future__ import annotations

from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from kakera.grid import Grid
from kakera.model.linear import Linear


def patchify(
    pictures: Float[Tensor, "b c H W"], patch: tuple[int, int], stride: tuple[int, int] | None = None
) -> Float[Tensor, "b n p"]:
    """Patch vectors x_i ∈ R^(ph·pw·C): row by row, channels last (lecture L2), for any H, W, ph, pw, C.

    With a `stride` below the patch they overlap. Raises OptionError where the patch does not divide the
    picture.
    """
    grid = Grid.cover((pictures.shape[-2], pictures.shape[-1]), patch, stride)
    if stride is not None and stride != patch:
        windows = pictures.unfold(2, patch[0], stride[0]).unfold(3, patch[1], stride[1])
        return rearrange(windows, "b c rows cols ph pw -> b (rows cols) (ph pw c)")
    return rearrange(
        pictures, "b c (rows ph) (cols pw) -> b (rows cols) (ph pw c)", rows=grid.rows, cols=grid.cols
    )


def unpatchify(
    patches: Float[Tensor, "b n p"], grid: Grid, patch: tuple[int, int]
) -> Float[Tensor, "b c H W"]:
    """The inverse of `cut`."""
    return rearrange(
        patches,
        "b (rows cols) (ph pw c) -> b c (rows ph) (cols pw)",
        rows=grid.rows,
        cols=grid.cols,
        ph=patch[0],
        pw=patch[1],
    )


def gather_tokens(tokens: Float[Tensor, "b n d"], numbers: Int[Tensor, "b k"]) -> Float[Tensor, "b k d"]:
    """The tokens with the given numbers, row by row."""
    return tokens.gather(1, numbers.unsqueeze(-1).expand(-1, -1, tokens.shape[-1]))


class PatchEmbedding(nn.Module):
    """z̃_iᵀ = x_iᵀ E + bias, E ∈ R^(ph·pw·C × D) (lecture L4 ③)."""

    def __init__(
        self, patch: tuple[int, int], channels: int, width: int, stride: tuple[int, int] | None = None
    ) -> None:
        super().__init__()
        self.patch, self.stride = patch, stride
        self.project = Linear(patch[0] * patch[1] * channels, width)

    def forward(
        self, pictures: Float[Tensor, "b c H W"], keep: Int[Tensor, "b k"] | None = None
    ) -> Float[Tensor, "b k d"]:
        """All patches embedded, or only those whose numbers `keep` names: the rest cost nothing."""
        vectors = patchify(pictures, self.patch, self.stride)
        return self.project(vectors if keep is None else gather_tokens(vectors, keep))
