"""The Vision Transformer's encoder: from pictures to tokens (lecture L4, L5)."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from kakera.errors import OptionError, sentence
from kakera.grid import Grid
from kakera.model import positions
from kakera.model.attention import Layer
from kakera.model.configs import ViTConfig
from kakera.model.network import Network
from kakera.model.patches import PatchEmbedding, pick
from kakera.model.presence import Choice
from kakera.model.roles import entering
from kakera.model.trace import Trace

if TYPE_CHECKING:
    from kakera.model.classifier import Classifier, Read


class ViT(Network):
    """Patches, positions, class token, L layers, final norm.

    `size` is (height, width) in pixels. `learned` chooses learned positions (Dosovitskiy et al. 2021)
    over fixed sine and cosine ones (He et al. 2022).
    """

    kind = "encoder"
    prefix = ""

    def __init__(
        self, shape: ViTConfig, *, channels: int, size: tuple[int, int], learned: bool = False
    ) -> None:
        super().__init__()
        self.shape, self.channels, self.size = shape, channels, size
        self.grid = Grid.cover(size, shape.patch, shape.stride)
        self.patches = PatchEmbedding(shape.patch, channels, shape.width, shape.stride)
        self.positions = nn.Parameter(positions.sincos(self.grid, shape.width), requires_grad=learned)
        self.class_token = nn.Parameter(torch.zeros(shape.width))
        self.registers = nn.Parameter(torch.zeros(shape.registers, shape.width)) if shape.registers else None
        self.layers = nn.ModuleList(Layer(shape.width, shape.heads, shape.kind) for _ in range(shape.depth))
        self.norm = nn.LayerNorm(shape.width, eps=shape.kind.epsilon)

    def initialise(self, generator: torch.Generator) -> None:
        """Xavier-uniform linear maps, zero biases, N(0, .02²) class token (MAE paper, App. A.1)."""
        initialise_linears(self, generator)
        nn.init.normal_(self.class_token, std=0.02, generator=generator)
        if self.registers is not None:
            nn.init.normal_(self.registers, std=0.02, generator=generator)
        if self.positions.requires_grad:
            nn.init.trunc_normal_(self.positions, std=0.02, generator=generator)

    def embed(self, pictures: Float[Tensor, "b c H W"], keep: Tensor | None = None) -> Float[Tensor, "b k d"]:
        """z^(0): patches embedded, positions added, class token first (lecture L4 ①–⑤), then registers.

        Only the patches whose numbers stand in `keep` are embedded, or all.
        """
        b, c, *size = pictures.shape
        if c != self.channels or tuple(size) != self.size:
            raise OptionError(
                sentence(
                    "pictures",
                    got=f"{c} channels of {size[0]} x {size[1]}",
                    expected=f"{self.channels} of {self.size[0]} x {self.size[1]}",
                    do="resize them, or resize the model's positions first",
                )
            )
        where = self.positions[1:].unsqueeze(0).expand(b, -1, -1)
        z = self.patches(pictures, keep) + (where if keep is None else pick(where, keep))
        first = (self.class_token + self.positions[0]).unsqueeze(0)
        if self.registers is not None:
            first = torch.cat([first, self.registers])
        return torch.cat([first.expand(b, -1, -1), z], dim=1)

    def tokens(
        self,
        pictures: Float[Tensor, "b c H W"],
        chosen: Choice | None = None,
        survive: Float[Tensor, "layers 2 b"] | None = None,
        trace: Trace | None = None,
        first: int = 0,
    ) -> Float[Tensor, "b k d"]:
        """z^(L), before the final norm, of the patches that `entering` has chosen: no others ever enter.

        Only the `first` tokens, the class token before all, where that is not 0: the last layer then computes
        no others.
        """
        z = self.embed(pictures, None if chosen is None else chosen.numbers)
        void = None if chosen is None else chosen.behind(1 + self.shape.registers)
        if trace is not None:
            trace.see_tokens(0, z)
        for number, layer in enumerate(self.layers, start=1):
            last = first and number == len(self.layers)
            wanted = (lambda z: z[:, :first]) if last else None
            z = layer(z, None if survive is None else survive[number - 1], trace, number, void, wanted)
            if trace is not None:
                trace.see_tokens(number, z)
        return z

    def forward(
        self,
        pictures: Float[Tensor, "b c H W"],
        hidden: Bool[Tensor, "b n"] | None = None,
        survive: Float[Tensor, "layers 2 b"] | None = None,
        trace: Trace | None = None,
        absent: Bool[Tensor, "b n"] | None = None,
    ) -> Float[Tensor, "b k d"]:
        """y = LN(z^(L)) (lecture L5 ⑦), class token first.

        Patches that are `hidden` (lecture L8) or `absent` never enter. Where some are absent, rows may have
        different numbers of tokens: what fills them up is `void` in `entering(hidden, absent)`.
        """
        return self.norm(self.tokens(pictures, entering(hidden, absent, pictures.device), survive, trace))

    def resize(self, size: tuple[int, int], how: positions.Resampling = "bicubic") -> None:
        """Take pictures of another size from now on: the positions are resized in two dimensions.

        Raises OptionError where the patches do not divide it.
        """
        grid = Grid.cover(size, self.shape.patch, self.shape.stride)
        resized = positions.resize(self.positions.detach(), self.grid, grid, how)
        self.positions = nn.Parameter(resized, requires_grad=self.positions.requires_grad)
        self.grid, self.size = grid, size

    def recut(self, size: tuple[int, int]) -> None:
        """Take pictures that end earlier or later from now on: patches keep their positions."""
        grid = Grid.cover(size, self.shape.patch, self.shape.stride)
        found = positions.recut(self.positions.detach(), self.grid, grid)
        self.positions = nn.Parameter(found, requires_grad=self.positions.requires_grad)
        self.grid, self.size = grid, size

    @property
    def backbone(self) -> ViT:
        """Itself."""
        return self

    @property
    def step(self) -> int:
        """Pixels across from one patch to the next."""
        return self.shape.step[1]

    def cells(self, size: tuple[int, int]) -> Grid:
        """Return the grid of the patches of pictures of (height, width) pixels. Raises OptionError."""
        return Grid.cover(size, self.shape.patch, self.shape.stride)

    def with_head(self, classes: int, pool: Read | None = None) -> Classifier:
        """Return a classifier of this encoder; its head reads the mean of the patches, or `pool`."""
        from kakera.model.classifier import Classifier

        return Classifier(self, classes, pool or "mean")

    def positions_of_parts(self) -> dict[str, Tensor]:
        """Return its positions (1 + n, d)."""
        return {"encoder": self.positions}

    def describe(self) -> dict[str, Any]:
        """Return kind, shape, and whether positions are learned."""
        return {"kind": self.kind, "shape": asdict(self.shape), "learned": self.positions.requires_grad}

    def about(self, inputs: str) -> str:
        """Return layers, patches and inputs in one line."""
        return f"encoder: {self.size_in_words(inputs)}"

    def size_in_words(self, inputs: str) -> str:
        """Return layers, patches and `inputs`, as all networks with this encoder begin to describe it."""
        shape = self.shape
        patches = f"patches of {shape.patch[0]} × {shape.patch[1]}"
        return f"{shape.depth} layers of {shape.width} with {shape.heads} heads, {patches}, {inputs}"


def initialise_linears(module: nn.Module, generator: torch.Generator) -> None:
    """Xavier-uniform weights and zero biases for every linear map inside."""
    for part in module.modules():
        if isinstance(part, nn.Linear):
            nn.init.xavier_uniform_(part.weight, generator=generator)
            if "bias" in dict(part.named_parameters()):  # that to queries, keys and values may have none
                nn.init.zeros_(part.bias)
