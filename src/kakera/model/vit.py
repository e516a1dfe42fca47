"""The Vision Transformer's encoder: from pictures to tokens (lecture L4, L5)."""

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
from kakera.model.configs import ViTConfig, pair, require_count, vit_config
from kakera.model.initialize import Seed, allocate, generator_of, reset_layers
from kakera.model.network import Network
from kakera.model.patches import PatchEmbedding, gather_tokens
from kakera.model.token_index import TokenIndex, visible_index
from kakera.model.trace import Trace

if TYPE_CHECKING:
    from kakera.model.classifier import Classifier, Pooling


class ViT(Network):
    """Patches, positions, class token, L layers, final norm.

    `config` is a name of `SIZES` or a ViTConfig; `image_size` is (height, width) in pixels, or one number for
    both, `patch` likewise in place of the config's. `learned` chooses learned positions (Dosovitskiy et al.
    2021) over fixed sine and cosine ones (He et al. 2022). `seed` draws the weights: a number, a generator,
    or None for PyTorch's global one. Raises OptionError where the patches do not divide the picture.
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
        with torch.device("meta"):
            self.patches = PatchEmbedding(config.patch, channels, config.width, config.stride)
            self.positions = nn.Parameter(positions.sincos(self.grid, config.width), requires_grad=learned)
            self.class_token = nn.Parameter(torch.zeros(config.width))
            self.registers = (
                nn.Parameter(torch.zeros(config.registers, config.width)) if config.registers else None
            )
            self.layers = nn.ModuleList(
                Block(config.width, config.heads, config.block) for _ in range(config.depth)
            )
            self.norm = nn.LayerNorm(config.width, eps=config.block.epsilon)
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
        """Return the encoder itself, or make one of a name or a config. Raises OptionError."""
        given = {"channels": channels, "image_size": image_size, "patch": patch}
        if isinstance(encoder, ViT):
            more = [name for name, value in given.items() if value is not None]
            if more:
                do = "leave it out: the encoder has its own"
                raise OptionError(more[0], got="one beside an encoder", expected="none", do=do)
            return encoder
        for name in ("channels", "image_size"):
            if given[name] is None:
                do = f"give {name}="
                raise OptionError(name, got="none", expected="that of the pictures", do=do)
        assert channels is not None
        assert image_size is not None
        return cls(encoder, channels=channels, image_size=image_size, patch=patch, seed=generator)

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Xavier-uniform linear maps, zero biases, N(0, .02²) class token (MAE paper, App. A.1)."""
        reset_layers(self, generator)
        nn.init.normal_(self.class_token, std=0.02, generator=generator)
        if self.registers is not None:
            nn.init.normal_(self.registers, std=0.02, generator=generator)
        if self.positions.requires_grad:
            nn.init.trunc_normal_(self.positions, std=0.02, generator=generator)
        else:
            self.positions.copy_(positions.sincos(self.grid, self.config.width))

    def embed(self, pictures: Float[Tensor, "b c H W"], keep: Tensor | None = None) -> Float[Tensor, "b k d"]:
        """z^(0): patches embedded, positions added, class token first (lecture L4 ①–⑤), then registers.

        Only the patches whose numbers stand in `keep` are embedded, or all.
        """
        b, c, *size = pictures.shape
        if c != self.channels or tuple(size) != self.size:
            raise OptionError(
                "pictures",
                got=f"{c} channels of {size[0]} x {size[1]}",
                expected=f"{self.channels} of {self.size[0]} x {self.size[1]}",
                do="resize them, or resize the model's positions first",
            )
        where = self.positions[1:].unsqueeze(0).expand(b, -1, -1)
        z = self.patches(pictures, keep) + (where if keep is None else gather_tokens(where, keep))
        first = (self.class_token + self.positions[0]).unsqueeze(0)
        if self.registers is not None:
            first = torch.cat([first, self.registers])
        return torch.cat([first.expand(b, -1, -1), z], dim=1)

    def tokens(
        self,
        pictures: Float[Tensor, "b c H W"],
        chosen: TokenIndex | None = None,
        drop_path: Float[Tensor, "layers 2 b"] | None = None,
        trace: Trace | None = None,
        first: int = 0,
    ) -> Float[Tensor, "b k d"]:
        """z^(L), before the final norm, of the patches in `chosen` (`visible_index`): no others ever enter.

        Only the `first` tokens, the class token before all, where that is not 0: the last layer then computes
        no others.
        """
        z = self.embed(pictures, None if chosen is None else chosen.ids)
        key_padding_mask = None if chosen is None else chosen.key_padding(1 + self.config.registers)
        if trace is not None:
            trace.record_tokens(0, z)
        for number, layer in enumerate(self.layers, start=1):
            last = first and number == len(self.layers)
            select = (lambda z: z[:, :first]) if last else None
            z = layer(
                z,
                None if drop_path is None else drop_path[number - 1],
                trace,
                number,
                key_padding_mask,
                select,
            )
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
        """y = LN(z^(L)) (lecture L5 ⑦), class token first.

        Patches that are `hidden` (lecture L8) or `padding_mask` never enter. Where some are absent, rows may have
        different numbers of tokens: what fills them up is the padding of `visible_index(hidden, padding_mask)`.
        """
        return self.norm(
            self.tokens(pictures, visible_index(hidden, padding_mask, pictures.device), drop_path, trace)
        )

    def resize(self, size: tuple[int, int], how: positions.Resampling = "bicubic") -> None:
        """Take pictures of another size from now on: the positions are resized in two dimensions.

        They are a new Parameter: make an optimizer afterwards. Raises OptionError where the patches do not
        divide it.
        """
        grid = Grid.cover(size, self.config.patch, self.config.stride)
        resized = positions.resize(self.positions.detach(), self.grid, grid, how)
        self.positions = nn.Parameter(resized, requires_grad=self.positions.requires_grad)
        self.grid, self.size = grid, size

    def crop_positions(self, size: tuple[int, int]) -> None:
        """Take pictures that end earlier or later from now on: patches keep their positions.

        They are a new Parameter: make an optimizer afterwards.
        """
        grid = Grid.cover(size, self.config.patch, self.config.stride)
        found = positions.crop_positions(self.positions.detach(), self.grid, grid)
        self.positions = nn.Parameter(found, requires_grad=self.positions.requires_grad)
        self.grid, self.size = grid, size

    @property
    def backbone(self) -> ViT:
        """Itself."""
        return self

    @property
    def step(self) -> int:
        """Pixels across from one patch to the next."""
        return self.config.step[1]

    def grid_for(self, size: tuple[int, int]) -> Grid:
        """Return the grid of the patches of pictures of (height, width) pixels. Raises OptionError."""
        return Grid.cover(size, self.config.patch, self.config.stride)

    def with_head(self, classes: int, pool: Pooling | None = None, seed: Seed = None) -> Classifier:
        """Return a classifier of this encoder; its head reads the mean of the patches, or `pool`."""
        from kakera.model.classifier import Classifier

        return Classifier(self, classes, pool or "mean", seed=seed)

    def position_embeddings(self) -> dict[str, Tensor]:
        """Return its positions (1 + n, d)."""
        return {"encoder": self.positions}

    def describe(self) -> dict[str, Any]:
        """Return kind, shape, and whether positions are learned."""
        return {
            "kind": self.kind,
            "config": asdict(self.config),
            "learned_positions": self.positions.requires_grad,
        }

    def about(self, inputs: str) -> str:
        """Return layers, patches and inputs in one line."""
        return f"encoder: {self.size_in_words(inputs)}"

    def size_in_words(self, inputs: str) -> str:
        """Return layers, patches and `inputs`, as all networks with this encoder begin to describe it."""
        config = self.config
        patches = f"patches of {config.patch[0]} × {config.patch[1]}"
        return f"{config.depth} layers of {config.width} with {config.heads} heads, {patches}, {inputs}"
