"""A classifier on top of the encoder (lecture L6)."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor, nn

from kakera.errors import OptionError
from kakera.grid import Grid
from kakera.model import positions
from kakera.model.configs import ViTConfig, require_count
from kakera.model.initialize import Seed, allocate, generator_of
from kakera.model.linear import Linear
from kakera.model.merging import mean_of_patches, merged_tokens, require_whole
from kakera.model.network import Network
from kakera.model.token_index import TokenIndex, visible_index
from kakera.model.trace import Trace
from kakera.model.vit import ViT

Pool: TypeAlias = Literal["class", "mean"]
Pooling: TypeAlias = Literal[
    "class",
    "mean",
    "distilled",
    "class and mean",
    "halves",
    "normed mean",
    "attention",
    "class and attention",
]

POOLING_TEXT: dict[Pooling, str] = {
    "class": "the class token",
    "mean": "the mean of the patch tokens",
    "distilled": "the class token and the distillation token",
    "halves": "the mean of the class token and the distillation token",
    "class and mean": "the class token and the mean of the patch tokens",
    "normed mean": "the mean of the normalised patch tokens",
    "attention": "the encoder's attention pooling",
    "class and attention": "the class token and the encoder's attention pooling",
}


TWO_PARTS = ("distilled", "class and mean", "class and attention")
"""The poolings that are twice as wide as a token."""


def pooled_tokens(config: ViTConfig, pool: Pooling) -> int:
    """Return how many tokens a pool reads, from the class token on; 0 if it reads patch tokens.

    Example:

        >>> from kakera.model.configs import SIZES
        >>> pooled_tokens(SIZES["nano"], "class"), pooled_tokens(SIZES["nano"], "mean")
        (1, 0)
    """
    return {"class": config.class_tokens, "distilled": 2, "halves": 2}.get(pool, 0)


def default_pool(config: ViTConfig) -> Pooling:
    """Return the pool of an encoder without a head: its class token, its attention pooling, or the mean.

    Example:

        >>> from kakera.model.configs import SIZES
        >>> default_pool(SIZES["nano"])
        'class'
    """
    return "class" if config.class_tokens else "attention" if config.attention_pool else "mean"


def require_pool(config: ViTConfig, pool: Pooling) -> None:
    """Check that an encoder has the tokens that a pool reads. Raises OptionError otherwise.

    Example:

        >>> from kakera.model.configs import SIZES
        >>> require_pool(SIZES["nano"], "class and mean")
    """
    if pool in ("attention", "class and attention") and not config.attention_pool:
        expected = "an encoder with that head, such as SigLIP"
        raise OptionError("pool", got=pool, expected=expected, do="choose mean")
    if pool not in ("mean", "normed mean", "attention") and not config.class_tokens:
        got, expected = f"{pool} for a model without class token", "mean, or attention if it has that head"
        raise OptionError("pool", got=got, expected=expected, do="choose mean")


class Classifier(Network):
    """A classifier: an encoder, pooling of its tokens, and a linear head with one logit for each class.

    `pool` selects what the head reads:

    - "class": the class token after the final norm (Dosovitskiy et al. 2021).
    - "mean": the mean of the patch tokens, then the final norm (MAE's fine-tuning, and timm's `avg`).
    - "distilled": half of the class token beside half of the distillation token, after the final norm. One
      linear map then gives the mean of the two heads of DeiT (Touvron et al. 2021, Sec. 4).
    - "halves": the mean of the class token and the distillation token (Gong et al. 2021).
    - "class and mean": the class token beside the mean of the patch tokens, both after the final norm
      (Oquab et al. 2024, DINOv2).
    - "normed mean": the mean of the patch tokens after the final norm (Assran et al. 2023, I-JEPA).
    - "attention": the attention pooling of the patch tokens by the encoder (Zhai et al. 2023, SigLIP).
    - "class and attention": the class token after the final norm beside that pooling.

    An encoder with several class tokens has their mean in place of the class token.

    `encoder` is a ViT, or the name or config of a new one with `channels` and `image_size`. `head_epsilon`
    adds a layer norm with this epsilon before the head; None adds no norm. `seed` draws the new encoder, then
    the head. Raises OptionError for values that cannot be used.

    Example:

        >>> model = Classifier("nano", classes=10, channels=1, image_size=28, seed=0)
        >>> model(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 10])
    """

    kind = "classifier"
    classifies = True
    merge: tuple[int, ...] = ()
    """Pairs of patch tokens that each layer merges, for faster inference (see `merging`); () merges none.
    Not stored."""

    def __init__(
        self,
        encoder: ViT | ViTConfig | str,
        classes: int,
        pool: Pooling = "mean",
        head_epsilon: float | None = None,
        *,
        channels: int | None = None,
        image_size: int | tuple[int, int] | None = None,
        patch: int | tuple[int, int] | None = None,
        seed: Seed = None,
    ) -> None:
        super().__init__()
        generator = generator_of(seed)
        self.encoder = encoder = ViT.of(encoder, channels, image_size, patch, generator)
        self.classes, self.head_epsilon = require_count("classes", classes), head_epsilon
        require_pool(encoder.config, pool)
        self._pool: Pooling = pool
        width = encoder.config.width * (2 if pool in TWO_PARTS else 1)
        self.head_norm = None if head_epsilon is None else nn.LayerNorm(width, eps=head_epsilon)
        with torch.device("meta"):
            self.head = Linear(width, classes)
        if allocate(self.head):
            self.reset_head(generator)

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw new weights for the encoder and the head."""
        self.encoder.reset_parameters(generator)
        self.reset_head(generator)

    def reset_head(self, generator: torch.Generator | None = None) -> None:
        """Draw a head with logits near 0: truncated normal, std 2e-5 (MAE paper's fine-tuning)."""
        if self.head_norm is not None:
            self.head_norm.reset_parameters()
        nn.init.trunc_normal_(self.head.weight, std=2e-5, generator=generator)
        nn.init.zeros_(self.head.bias)

    def features(
        self,
        pictures: Float[Tensor, "b ..."],
        drop_path: Float[Tensor, "layers 2 b"] | None = None,
        trace: Trace | None = None,
        padding_mask: Bool[Tensor, "b n"] | None = None,
        after: int = 0,
    ) -> Float[Tensor, "b e"]:
        """Return the input of the head (b, e) for pictures (b, c, H, W) in the model's units.

        Patches with a True `padding_mask` (b, n) are not used. `after` is as in `forward`.
        """
        chosen = visible_index(None, padding_mask, pictures.device)
        return self.features_from_index(pictures, chosen, drop_path, trace, after)

    def features_from_index(
        self,
        pictures: Float[Tensor, "b ..."],
        chosen: TokenIndex | None = None,
        drop_path: Float[Tensor, "layers 2 b"] | None = None,
        trace: Trace | None = None,
        after: int = 0,
    ) -> Float[Tensor, "b e"]:
        """Return the input of the head (b, e) from the patches in `chosen`, or from all patches."""
        first = 0 if trace is not None else pooled_tokens(self.encoder.config, self.pool)
        sizes = None
        if self.merge and trace is None:
            require_whole(chosen, drop_path)
            tokens, sizes = merged_tokens(self.encoder, self.encoder.embed(pictures), self.merge, first)
        else:
            tokens = self.encoder.tokens(pictures, chosen, drop_path, trace, first, after)
        pooled = pool_tokens(self.encoder, tokens, self.pool, chosen, sizes)
        return pooled if self.head_norm is None else self.head_norm(pooled)

    def forward(
        self,
        pictures: Float[Tensor, "b ..."],
        drop_path: Float[Tensor, "layers 2 b"] | None = None,
        trace: Trace | None = None,
        padding_mask: Bool[Tensor, "b n"] | None = None,
        after: int = 0,
    ) -> Float[Tensor, "b classes"]:
        """Return logits (b, classes) for pictures (b, c, H, W) in the model's units.

        `drop_path` (layers, 2, b) are factors of stochastic depth, see `drop_path_factors`. Patches with a
        True `padding_mask` (b, n) are not used. With `after` above 0, `pictures` are the tokens (b, k, d)
        after this many layers.
        """
        return self.head(self.features(pictures, drop_path, trace, padding_mask, after))

    def maps(self, pictures: Float[Tensor, "b c H W"]) -> Float[Tensor, "b d rows cols"]:
        """Return the patch tokens after the final norm as maps (b, d, rows, cols)."""
        tokens = self.encoder(pictures)[:, self.encoder.config.prefix_tokens :]
        grid = self.encoder.grid
        return rearrange(tokens, "b (rows cols) d -> b d rows cols", rows=grid.rows, cols=grid.cols)

    @property
    def backbone(self) -> ViT:
        """The encoder."""
        return self.encoder

    @property
    def step(self) -> int:
        """Pixels across from one patch to the next."""
        return self.encoder.step

    @property
    def pool(self) -> Pooling:
        """The pooling of the head."""
        return self._pool

    @property
    def drop_path_layers(self) -> int:
        """The number of layers of the encoder."""
        return self.encoder.config.depth

    def grid_for(self, size: tuple[int, int]) -> Grid:
        """Return the grid of patches of pictures with `size` (height, width) in pixels.

        Raises OptionError if the patches do not divide the picture.
        """
        return self.encoder.grid_for(size)

    def resize(self, size: tuple[int, int], how: positions.Resampling = "bicubic") -> None:
        """Change the picture size; the position embeddings are resized in two dimensions."""
        self.encoder.resize(size, how)

    def with_head(self, classes: int, pool: Pooling | None = None, seed: Seed = None) -> Classifier:
        """Return a classifier with the same encoder and a new head.

        The head reads `pool`; by default the same tokens as the old head.
        """
        epsilon = None if pool else self.head_epsilon
        return Classifier(self.encoder, classes, pool or self.pool, epsilon, seed=seed)

    def position_embeddings(self) -> dict[str, Tensor]:
        """Return the position embeddings of the encoder (1 + n, d)."""
        return self.encoder.position_embeddings()

    def describe(self) -> dict[str, Any]:
        """Return the config of the encoder, and what the head reads."""
        head = {"pool": self.pool, "head_epsilon": self.head_epsilon}
        return {**self.encoder.describe(), "kind": self.kind, **head}

    def about(self, inputs: str) -> str:
        """Return layers, patches, inputs and classes in one line."""
        classes = f"{self.classes} classes from {POOLING_TEXT[self.pool]}"
        return f"classifier: {self.encoder.size_in_words(inputs)}, {classes}"


def pool_tokens(
    encoder: ViT,
    tokens: Float[Tensor, "b k d"],
    pool: Pooling,
    chosen: TokenIndex | None = None,
    sizes: Float[Tensor, "b k"] | None = None,
) -> Float[Tensor, "b e"]:
    """Return one vector for each picture (b, e), from tokens before the final norm.

    `tokens` (b, k, d) are the encoder's output for the patches in `chosen`, or for all patches. `sizes`
    (b, k) are the numbers of patches in merged tokens. See `Classifier` for the values of `pool`. Raises
    OptionError if the encoder has no such tokens.

    Example:

        >>> encoder = ViT("nano", channels=1, image_size=28, seed=0)
        >>> tokens = encoder.tokens(torch.zeros(2, 1, 28, 28))
        >>> pool_tokens(encoder, tokens, "mean").shape
        torch.Size([2, 64])
    """
    config = encoder.config
    require_pool(config, pool)
    several = config.class_tokens > 1
    if pool == "class":
        first = tokens[:, : config.class_tokens] if several else tokens[:, 0]
        return encoder.norm(first).mean(dim=1) if several else encoder.norm(first)
    if encoder.attention_pool is not None and pool in ("attention", "class and attention"):
        padding = None if chosen is None else chosen.padding
        found = encoder.attention_pool(encoder.norm(tokens[:, config.prefix_tokens :]), padding)
        return (
            found if pool == "attention" else torch.cat([pool_tokens(encoder, tokens, "class"), found], dim=1)
        )
    if pool == "distilled":
        return rearrange(encoder.norm(tokens[:, :2]) / 2, "b two d -> b (two d)")
    if pool == "halves":
        return encoder.norm(tokens[:, :2]).mean(dim=1)
    normed, prefix = pool in ("class and mean", "normed mean"), config.prefix_tokens
    tokens = encoder.norm(tokens) if normed else tokens
    if sizes is not None:
        mean = mean_of_patches(tokens, sizes, prefix)
    else:
        patches = tokens[:, prefix:]
        mean = patches.mean(dim=1) if chosen is None else chosen.mean_per_row(patches)
    if pool == "class and mean":
        first = tokens[:, : config.class_tokens].mean(dim=1) if several else tokens[:, 0]
        return torch.cat([first, mean], dim=1)
    return mean if normed else encoder.norm(mean)
