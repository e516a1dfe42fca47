"""Split pictures into patches, and join patches into pictures (lecture L1, L2, L4 ①–③)."""

from __future__ import annotations

from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from kakera.grid import Grid
from kakera.model.linear import Linear


def patchify(
    pictures: Float[Tensor, "b c H W"], patch: tuple[int, int], stride: tuple[int, int] | None = None
) -> Float[Tensor, "b n p"]:
    """Return the patch vectors x_i ∈ R^(ph·pw·C) of pictures, row by row, channels last (lecture L2).

    `pictures` are (b, c, H, W), `patch` and `stride` are (height, width) in pixels. By default patches lie
    side by side; with a `stride` below the patch size they overlap. Returns (b, n, ph · pw · c). Raises
    OptionError if the patch does not divide the picture.

    Example:

        >>> import torch
        >>> patchify(torch.zeros(1, 3, 8, 8), (4, 4)).shape
        torch.Size([1, 4, 48])
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
    """Return pictures (b, c, H, W) from patch vectors (b, n, p): the inverse of `patchify` without a stride.

    Example:

        >>> import torch
        >>> pictures = torch.rand(2, 3, 8, 12)
        >>> torch.equal(unpatchify(patchify(pictures, (4, 4)), Grid(2, 3), (4, 4)), pictures)
        True
    """
    return rearrange(
        patches,
        "b (rows cols) (ph pw c) -> b c (rows ph) (cols pw)",
        rows=grid.rows,
        cols=grid.cols,
        ph=patch[0],
        pw=patch[1],
    )


def gather_tokens(tokens: Float[Tensor, "b n d"], numbers: Int[Tensor, "b k"]) -> Float[Tensor, "b k d"]:
    """Return the tokens (b, k, d) with these `numbers` (b, k) from tokens (b, n, d), for each row.

    Example:

        >>> import torch
        >>> gather_tokens(torch.tensor([[[1.0], [2.0], [3.0]]]), torch.tensor([[0, 2]])).flatten().tolist()
        [1.0, 3.0]
    """
    return tokens.gather(1, numbers.unsqueeze(-1).expand(-1, -1, tokens.shape[-1]))


class PatchEmbedding(nn.Module):
    """The patch embedding z̃_iᵀ = x_iᵀ E + bias, E ∈ R^(ph·pw·C × D) (lecture L4 ③); timm calls it PatchEmbed.

    `patch` and `stride` are (height, width) in pixels. With `inside` above 0, patches are embedded with this
    width; a layer norm with this `epsilon` follows, and a linear map to `width` if it is another width.

    Example:

        >>> import torch
        >>> PatchEmbedding((4, 4), channels=3, width=8)(torch.zeros(1, 3, 8, 8)).shape
        torch.Size([1, 4, 8])
    """

    def __init__(
        self,
        patch: tuple[int, int],
        channels: int,
        width: int,
        stride: tuple[int, int] | None = None,
        inside: int = 0,
        epsilon: float = 1e-6,
    ) -> None:
        super().__init__()
        self.patch, self.stride = patch, stride
        self.project = Linear(patch[0] * patch[1] * channels, inside or width)
        self.norm = nn.LayerNorm(inside, eps=epsilon) if inside else None
        self.widen = Linear(inside, width) if inside and inside != width else None

    def forward(
        self, pictures: Float[Tensor, "b c H W"], keep: Int[Tensor, "b k"] | None = None
    ) -> Float[Tensor, "b k d"]:
        """Return embedded patches (b, k, d) of pictures (b, c, H, W).

        `keep` (b, k) are the numbers of the patches to embed, so other patches cost no time. None embeds all.
        """
        vectors = patchify(pictures, self.patch, self.stride)
        z = self.project(vectors if keep is None else gather_tokens(vectors, keep))
        z = z if self.norm is None else self.norm(z)
        return z if self.widen is None else self.widen(z)
