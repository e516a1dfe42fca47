"""The Vision Transformer's encoder, which turns pictures into tokens (lecture L4, L5)."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from kakera.errors import OptionError
from kakera.grid import Grid
from kakera.model import positions
from kakera.model.attention import Block
from kakera.model.attention_pool import AttentionPool
from kakera.model.configs import ViTConfig, pair, require_count, vit_config
from kakera.model.initialize import Seed, allocate, generator_of, reset_layers
from kakera.model.network import Network
from kakera.model.patches import PatchEmbedding, gather_tokens
from kakera.model.rotary import angles, require_rotary, rotation
from kakera.model.sequence_positions import PositionConvolution, PositionGate, RelativePositions
from kakera.model.token_index import TokenIndex, visible_index
from kakera.model.trace import Trace

if TYPE_CHECKING:
    from kakera.model.classifier import Classifier, Pooling


class ViT(Network):
    """A Vision Transformer encoder: patch embedding, position embeddings, class token, L layers, final norm.

    `config` is a name in `SIZES` or a ViTConfig. `image_size` is (height, width) in pixels, or one number for
    both. `patch` replaces the patch size of the config, in the same form. `learned` uses learned position
    embeddings (Dosovitskiy et al. 2021) instead of fixed sine and cosine ones (He et al. 2022). `seed` draws
    the weights: a number, a generator, or None for PyTorch's global generator. Raises OptionError if the
    patches do not divide the picture.

    Example:

        >>> model = ViT("nano", channels=1, image_size=28, seed=0)
        >>> model(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 50, 64])
    """

    kind = "encoder"
    prefix = ""

    def __init__(
        self,
        config: ViTConfig | str,
        *,
        channels: int,
        image_size: int | tuple[int, int],
        patch: int | tuple[int, int] | None = None,
        learned: bool = False,
        seed: Seed = None,
    ) -> None:
        super().__init__()
        config = vit_config(config) if isinstance(config, str) else config
        config = config if patch is None else config.with_patch(pair("patch", patch), config.stride)
        self.config, self.channels = config, require_count("channels", channels)
        self.size = pair("image_size", image_size)
        self.grid = Grid.cover(self.size, config.patch, config.stride)
        if config.rotary:
            require_rotary(config.width, config.heads)
        with torch.device("meta"):
            epsilon = config.block.epsilon
            self.patches = PatchEmbedding(
                config.patch, channels, config.width, config.stride, config.patch_width, epsilon
            )
            table = (
                positions.sincos(self.grid, config.width, config.class_tokens) if config.has_table else None
            )
            self.positions = None if table is None else nn.Parameter(table, requires_grad=learned)
            self.convolution = (
                PositionConvolution(config.width, *config.convolution) if config.convolution else None
            )
            self.relative = RelativePositions(config.heads, *config.relative) if config.relative else None
            count = () if config.class_tokens == 1 else (config.class_tokens,)
            self.class_token = (
                nn.Parameter(torch.zeros(*count, config.width)) if config.class_tokens else None
            )
            self.registers = (
                nn.Parameter(torch.zeros(config.registers, config.width)) if config.registers else None
            )
            self.norm_pre = nn.LayerNorm(config.width, eps=epsilon) if config.norm_pre else None
            self.layers = nn.ModuleList(
                Block(config.width, config.heads, config.block) for _ in range(config.depth)
            )
            self.norm = nn.LayerNorm(config.width, eps=epsilon) if config.final_norm else nn.Identity()
            head = AttentionPool(config.width, config.heads, config.block) if config.attention_pool else None
            self.attention_pool = head
        if allocate(self):
            self.reset_parameters(generator_of(seed))

    @classmethod
    def of(
        cls,
        encoder: ViT | ViTConfig | str,
        channels: int | None,
        image_size: int | tuple[int, int] | None,
        patch: int | tuple[int, int] | None,
        generator: torch.Generator | None,
    ) -> ViT:
        """Return the encoder itself, or create one from a name or a config. Raises OptionError."""
        options = {"channels": channels, "image_size": image_size, "patch": patch}
        if isinstance(encoder, ViT):
            more = [name for name, value in options.items() if value is not None]
            if more:
                do = "leave it out: the encoder has its own"
                raise OptionError(more[0], got="a value together with an encoder", expected="none", do=do)
            return encoder
        for name in ("channels", "image_size"):
            if options[name] is None:
                do = f"pass {name}="
                raise OptionError(name, got="none", expected="that of the pictures", do=do)
        assert channels is not None
        assert image_size is not None
        return cls(encoder, channels=channels, image_size=image_size, patch=patch, seed=generator)

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw new weights: Xavier-uniform, zero biases, class token N(0, .02²) (MAE paper, App. A.1)."""
        reset_layers(self, generator)
        if self.class_token is not None:
            nn.init.normal_(self.class_token, std=0.02, generator=generator)
        if self.registers is not None:
            nn.init.normal_(self.registers, std=0.02, generator=generator)
        for part in self.modules():
            if isinstance(part, PositionConvolution | RelativePositions | PositionGate):
                part.reset_parameters(generator)
        if self.attention_pool is not None:
            nn.init.normal_(self.attention_pool.probe, std=0.02, generator=generator)
        if self.positions is None:
            return
        if self.positions.requires_grad:
            nn.init.trunc_normal_(self.positions, std=0.02, generator=generator)
        else:
            self.positions.copy_(positions.sincos(self.grid, self.config.width, self.config.class_tokens))

    def embed(
        self,
        pictures: Float[Tensor, "b c H W"],
        keep: Tensor | None = None,
        padding: Bool[Tensor, "b m"] | None = None,
    ) -> Float[Tensor, "b k d"]:
        """Return the input of the first layer z^(0) (b, class tokens + registers + k, d) (lecture L4 ①–⑤).

        The class tokens come first, then the registers, then the patches with their position embeddings.
        `keep` (b, m) are the numbers of the patches to embed; None embeds all. Those with a True `padding`
        (b, m) do not change the others. An encoder of any shape resizes its position embeddings to the
        pictures, bilinearly with antialiasing. Raises OptionError if the channels or the size of the pictures
        are not those of the model.
        """
        b, c, *size = pictures.shape
        other = tuple(size) != self.size
        if c != self.channels or (other and not self.config.any_shape):
            raise OptionError(
                "pictures",
                got=f"{c} channels of {size[0]} x {size[1]}",
                expected=f"{self.channels} channels of {self.size[0]} x {self.size[1]}",
                do="resize the pictures, or the model's position embeddings",
            )
        count, z = self.config.class_tokens, self.patches(pictures, keep)
        first = [] if self.class_token is None else [self.class_token.view(count, -1)]
        if self.positions is not None:
            table = self.positions
            if other:
                table = positions.resize(table, self.grid, self.grid_for((size[0], size[1])), "bilinear")
            where = table[count:].unsqueeze(0).expand(b, -1, -1)
            z = z + (where if keep is None else gather_tokens(where, keep))
            first = [token + table[:count] for token in first]
        if self.convolution is not None:
            z = z + self.convolution(z, self.grid, keep, padding)
        first += [] if self.registers is None else [self.registers]
        if first:
            z = torch.cat([torch.cat(first).expand(b, -1, -1), z], dim=1)
        return z if self.norm_pre is None else self.norm_pre(z)

    def places(self, like: Tensor, keep: Tensor | None = None) -> dict[str, Any]:
        """Return what each layer needs to know about the places of the patches `keep` (b, k); None for all.

        It is the rotation of queries and keys, or the bias of relative positions, by the name of its argument
        of `Block.forward`, in the type of `like`. An encoder without both returns {}.
        """
        config = self.config
        result: dict[str, Any] = {}
        if config.rotary:
            table = angles(self.grid, config.width // config.heads, config.rotary, config.rotary_span)
            result["rotation"] = rotation(table, config.prefix_tokens, like, keep)
        if self.relative is not None:
            result["relative"] = self.relative(self.grid, config.prefix_tokens, like, keep)
        return result

    def tokens(
        self,
        pictures: Float[Tensor, "b ..."],
        chosen: TokenIndex | None = None,
        drop_path: Float[Tensor, "layers 2 b"] | None = None,
        trace: Trace | None = None,
        first: int = 0,
        after: int = 0,
    ) -> Float[Tensor, "b k d"]:
        """Return the tokens z^(L) before the final norm, for the patches in `chosen` (see `visible_index`).

        No other patch is computed; None uses all patches. `drop_path` (layers, 2, b) are factors of
        stochastic depth, see `drop_path_factors`. A `trace` records its layers. With `first` above 0, the
        last layer computes only the first tokens, from the class token on, and only these are returned. With
        `after` above 0, `pictures` are the tokens (b, k, d) after this many layers, and the others follow.
        """
        keep, padding = (None, None) if chosen is None else chosen
        z = pictures if after else self.embed(pictures, keep, padding)
        key_padding_mask = None if chosen is None else chosen.key_padding(self.config.prefix_tokens)
        places = self.places(z, keep)
        if trace is not None:
            trace.record_tokens(0, z)
        for number, layer in enumerate([*self.layers][after:], start=after + 1):
            last = first and number == len(self.layers)
            select = (lambda z: z[:, :first]) if last else None
            factors = None if drop_path is None else drop_path[number - 1]
            z = layer(z, factors, trace, number, key_padding_mask, select, **places)
            if trace is not None:
                trace.record_tokens(number, z)
        return z

    def forward(
        self,
        pictures: Float[Tensor, "b c H W"],
        hidden: Bool[Tensor, "b n"] | None = None,
        drop_path: Float[Tensor, "layers 2 b"] | None = None,
        trace: Trace | None = None,
        padding_mask: Bool[Tensor, "b n"] | None = None,
    ) -> Float[Tensor, "b k d"]:
        """Return the tokens y = LN(z^(L)) (b, class tokens + registers + k, d) (lecture L5 ⑦).

        The class token comes first. Without a final norm, y = z^(L).

        `pictures` (b, c, H, W) are in the model's input units. Patches with True in `hidden` (lecture L8) or
        `padding_mask`, both (b, n), are not computed. With a `padding_mask`, rows may have different numbers
        of tokens. Shorter rows are filled up, and `visible_index(hidden, padding_mask)` has their padding
        mask.
        """
        return self.norm(
            self.tokens(pictures, visible_index(hidden, padding_mask, pictures.device), drop_path, trace)
        )

    def resize(self, size: tuple[int, int], how: positions.Resampling = "bicubic") -> None:
        """Change the picture size to (height, width) and resize the position embeddings.

        They become a new Parameter, so create the optimizer afterwards. Raises OptionError if the patches do
        not divide the picture.
        """
        grid = Grid.cover(size, self.config.patch, self.config.stride)
        if self.positions is None:
            self.grid, self.size = grid, size
            return
        resized = positions.resize(self.positions.detach(), self.grid, grid, how)
        self.positions = nn.Parameter(resized, requires_grad=self.positions.requires_grad)
        self.grid, self.size = grid, size

    def crop_positions(self, size: tuple[int, int]) -> None:
        """Change the picture size to (height, width); patches keep their position embeddings.

        The top left corner stays the same, see `positions.crop_positions`. The position embeddings become a
        new Parameter, so create the optimizer afterwards. Raises OptionError for rotary positions.
        """
        if self.relative is not None or self.convolution is not None:
            self.resize(size)
            return
        if self.positions is None:
            expected, do = "a table of position embeddings", "train at one length, or choose another encoder"
            raise OptionError(
                "positions", got="rotary ones, relative to the length", expected=expected, do=do
            )
        grid = Grid.cover(size, self.config.patch, self.config.stride)
        cropped = positions.crop_positions(self.positions.detach(), self.grid, grid)
        self.positions = nn.Parameter(cropped, requires_grad=self.positions.requires_grad)
        self.grid, self.size = grid, size

    @property
    def backbone(self) -> ViT:
        """The network itself."""
        return self

    @property
    def reference(self) -> Tensor:
        """A weight in the type of the inputs and on their device; linear maps may be in int8."""
        return next(self.parameters())

    @property
    def step(self) -> int:
        """Horizontal pixels from one patch to the next."""
        return self.config.step[1]

    def grid_for(self, size: tuple[int, int]) -> Grid:
        """Return the grid of patches of pictures with `size` (height, width) in pixels.

        Raises OptionError if the patches do not divide the picture.
        """
        return Grid.cover(size, self.config.patch, self.config.stride)

    def with_head(self, classes: int, pool: Pooling | None = None, seed: Seed = None) -> Classifier:
        """Return a classifier with this encoder and a new head.

        The head reads `pool`, by default the mean of the patch tokens. Raises OptionError if the encoder has
        no such tokens.
        """
        from kakera.model.classifier import Classifier

        return Classifier(self, classes, pool or "mean", seed=seed)

    def position_embeddings(self) -> dict[str, Tensor]:
        """Return the position embeddings (class tokens + n, d); none without a table of them."""
        return {} if self.positions is None else {"encoder": self.positions}

    def describe(self) -> dict[str, Any]:
        """Return the kind, the config, and whether the position embeddings are learned."""
        config = asdict(self.config)
        if not config["any_shape"]:  # digests of the configuration stay those of earlier versions
            del config["any_shape"]
        return {
            "kind": self.kind,
            "config": config,
            "learned_positions": self.positions is not None and self.positions.requires_grad,
        }

    def about(self, inputs: str) -> str:
        """Return layers, patches and inputs in one line."""
        return f"encoder: {self.size_in_words(inputs)}"

    def size_in_words(self, inputs: str) -> str:
        """Return layers, patches and `inputs` as text, the first part of the description of every network."""
        config = self.config
        patches = f"patches of {config.patch[0]} × {config.patch[1]}"
        return f"{config.depth} layers of {config.width} with {config.heads} heads, {patches}, {inputs}"
