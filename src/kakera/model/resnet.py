"""ResNet, the convolutional network for comparison with the Transformer.

He, Zhang, Ren and Sun 2016, "Deep Residual Learning for Image Recognition", section 3.3 and table 1. The
bottleneck halves the picture in its 3 × 3 convolution and not in its first one, as most implementations do
today.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import torch
from einops import rearrange, reduce
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from kakera.errors import OptionError
from kakera.grid import Grid
from kakera.model.configs import EXPANSION, RESNETS, ResNetConfig, require_count, resnet_config
from kakera.model.initialize import Seed, allocate, generator_of
from kakera.model.network import Network
from kakera.model.positions import Resampling
from kakera.model.token_index import TokenIndex

if TYPE_CHECKING:
    from kakera.model.classifier import Pooling


class ResidualBlock(nn.Module):
    """A residual block x ↦ ReLU(shortcut(x) + branch(x)).

    The branch has two 3 × 3 convolutions, or 1 × 1, 3 × 3 and 1 × 1 convolutions (bottleneck). `entry` is the
    number of input channels.

    Example:

        >>> ResidualBlock(4, 8, stride=2, bottleneck=False)(torch.zeros(1, 4, 6, 6)).shape
        torch.Size([1, 8, 3, 3])
    """

    def __init__(self, entry: int, width: int, *, stride: int, bottleneck: bool) -> None:
        super().__init__()
        leave = width * EXPANSION if bottleneck else width
        self.branch = nn.Sequential(
            _narrow(entry, width, leave, stride) if bottleneck else _plain(entry, width, stride)
        )
        # The identity if the shapes are equal, otherwise a projection (the paper's option B).
        fits = stride == 1 and entry == leave
        self.shortcut = nn.Sequential(OrderedDict() if fits else _conv_norm(entry, leave, 1, stride))

    def forward(
        self, x: Float[Tensor, "b c H W"], drop_path: Float[Tensor, " b"] | None = None
    ) -> Float[Tensor, "b d rows cols"]:
        """Return feature maps (b, d, rows, cols) from `x` (b, c, H, W).

        `drop_path` (b,) multiplies the branch of each picture (stochastic depth).
        """
        branch = self.branch(x)
        if drop_path is not None:
            branch = branch * rearrange(drop_path, "b -> b 1 1 1")
        return functional.relu(self.shortcut(x) + branch)


class ResNet(Network):
    """A ResNet: a stem, residual blocks in one flat list `layers`, a global mean, and a linear `head`.

    `config` is a name in `RESNETS` or a ResNetConfig. The head returns one logit for each class. `seed` draws
    the weights: a number, a generator, or None for PyTorch's global generator. Raises OptionError for an
    unknown name.

    Example:

        >>> ResNet("resnet-nano", channels=1, classes=10, seed=0)(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 10])
    """

    kind = "cnn"
    has_attention = False
    classifies = True
    prefix = ""

    def __init__(self, config: ResNetConfig | str, *, channels: int, classes: int, seed: Seed = None) -> None:
        super().__init__()
        self.config = config = resnet_config(config) if isinstance(config, str) else config
        self.channels, self.classes = require_count("channels", channels), require_count("classes", classes)
        with torch.device("meta"):
            self.stem = nn.Sequential(_stem(channels, config))
            self.layers = nn.ModuleList()
            entry = config.widths[0]
            for stage, (count, width) in enumerate(zip(config.blocks, config.widths, strict=True)):
                for number in range(count):
                    stride = 2 if stage > 0 and number == 0 else 1
                    self.layers.append(
                        ResidualBlock(entry, width, stride=stride, bottleneck=config.bottleneck)
                    )
                    entry = width * EXPANSION if config.bottleneck else width
            self.head = nn.Linear(entry, classes)
        if allocate(self):
            self.reset_parameters(generator_of(seed))

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw new weights for the convolutions, the norms and the head.

        Convolutions are N(0, 2 / fan-out) (He et al. 2015, section 2.2), norms 1 and 0. The last norm of a
        branch starts at 1, too. If it started at 0 (Goyal et al. 2017, section 5.1), networks with few blocks
        would learn later in short trainings (resnet-nano on 1 000 digits, 80 steps: 76 % instead of 96 %).
        """
        for part in self.modules():
            if isinstance(part, nn.Conv2d):
                nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu", generator=generator)
            elif isinstance(part, nn.BatchNorm2d):
                part.reset_parameters()
        self.reset_head(generator)

    def reset_head(self, generator: torch.Generator | None = None) -> None:
        """Draw a head with logits near 0: truncated normal, std 2e-5, as for the Transformer."""
        nn.init.trunc_normal_(self.head.weight, std=2e-5, generator=generator)
        nn.init.zeros_(self.head.bias)

    def maps(
        self, pictures: Float[Tensor, "b c H W"], drop_path: Float[Tensor, "layers each b"] | None = None
    ) -> Float[Tensor, "b d rows cols"]:
        """Return the feature maps (b, d, rows, cols) of the last block for pictures (b, c, H, W).

        Raises OptionError if the number of channels is not that of the model.
        """
        if pictures.shape[1] != self.channels:
            raise OptionError(
                "pictures",
                got=f"{pictures.shape[1]} channels",
                expected=f"{self.channels} channels",
                do="convert the pictures, or create a model with their number of channels",
            )
        # Convolutions keep the channels-last format: a fifth less time on CPUs, and even less on GPUs.
        x = self.stem(pictures.contiguous(memory_format=torch.channels_last))
        for number, layer in enumerate(self.layers):
            x = layer(x, None if drop_path is None else drop_path[number, 0])
        return x

    @property
    def step(self) -> int:
        """Pixels from one cell of the feature maps to the next."""
        return (4 if self.config.stem == "large" else 1) * 2 ** (len(self.config.widths) - 1)

    def grid_for(self, size: tuple[int, int]) -> Grid:
        """Return the grid of cells of the feature maps, for pictures of (height, width) pixels."""
        return Grid(*(-(-side // self.step) for side in size))

    def features(
        self,
        pictures: Float[Tensor, "b c H W"],
        drop_path: Float[Tensor, "layers each b"] | None = None,
        padding_mask: Bool[Tensor, "b n"] | None = None,
    ) -> Float[Tensor, "b d"]:
        """Return the input of the head (b, d): the mean of the feature maps over the picture.

        Cells with a True `padding_mask` (b, n) are not used.
        """
        present = None if padding_mask is None else TokenIndex.of(~padding_mask).to(pictures.device)
        return self.features_from_index(pictures, present, drop_path)

    def features_from_index(
        self,
        pictures: Float[Tensor, "b c H W"],
        present: TokenIndex | None = None,
        drop_path: Float[Tensor, "layers each b"] | None = None,
    ) -> Float[Tensor, "b d"]:
        """Return the input of the head (b, d): the mean of the feature maps over some cells.

        `present` are the cells to use; None uses all.
        """
        maps = self.maps(pictures, drop_path)
        if present is None:
            return reduce(maps, "b d rows cols -> b d", "mean")
        return present.mean_per_row(present.gather(rearrange(maps, "b d rows cols -> b (rows cols) d")))

    def forward(
        self,
        pictures: Float[Tensor, "b c H W"],
        drop_path: Float[Tensor, "layers each b"] | None = None,
        padding_mask: Bool[Tensor, "b n"] | None = None,
    ) -> Float[Tensor, "b classes"]:
        """Return logits (b, classes) for pictures (b, c, H, W) in the model's units.

        `drop_path` (layers, each, b) are factors from `attention.drop_path_factors`. A block has one branch
        and uses the first factor of `each`; the Transformer's layers have two branches. Cells with a True
        `padding_mask` (b, n) are not used.
        """
        return self.head(self.features(pictures, drop_path, padding_mask))

    def resize(self, size: tuple[int, int], how: Resampling = "bicubic") -> None:
        """Do nothing: a ResNet takes pictures of any size."""

    def with_head(self, classes: int, pool: Pooling | None = None, seed: Seed = None) -> ResNet:
        """Return a ResNet with a copy of the weights and a new head.

        The head reads the mean of the feature maps. `pool` has no effect, because it selects tokens.
        """
        model = ResNet(self.config, channels=self.channels, classes=classes, seed=0)
        shared = {name: tensor for name, tensor in self.state_dict().items() if not name.startswith("head.")}
        model.load_state_dict(shared, strict=False)
        model.reset_head(generator_of(seed))
        return model

    def describe(self) -> dict[str, Any]:
        """Return the kind and the name of the config."""
        name = next(name for name, shape in RESNETS.items() if shape == self.config)
        return {"kind": self.kind, "config": name}

    def about(self, inputs: str) -> str:
        """Return blocks, inputs and classes in one line."""
        return f"CNN: {len(self.layers)} blocks, {inputs}, {self.classes} classes"


_Parts = OrderedDict[str, nn.Module]


def _conv_norm(entry: int, leave: int, kernel: int, stride: int = 1, number: str = "") -> _Parts:
    # No bias: the shift of the norm has the same effect.
    conv = nn.Conv2d(entry, leave, kernel, stride, padding=kernel // 2, bias=False)
    return OrderedDict({f"conv{number}": conv, f"norm{number}": nn.BatchNorm2d(leave)})


def _plain(entry: int, width: int, stride: int) -> _Parts:
    first, last = _conv_norm(entry, width, 3, stride, "1"), _conv_norm(width, width, 3, 1, "2")
    return OrderedDict({**first, "relu1": nn.ReLU(), **last})


def _narrow(entry: int, width: int, leave: int, stride: int) -> _Parts:
    first, middle = _conv_norm(entry, width, 1, 1, "1"), _conv_norm(width, width, 3, stride, "2")
    last = _conv_norm(width, leave, 1, 1, "3")
    return OrderedDict({**first, "relu1": nn.ReLU(), **middle, "relu2": nn.ReLU(), **last})


def _stem(channels: int, shape: ResNetConfig) -> _Parts:
    width = shape.widths[0]
    if shape.stem == "small":
        return OrderedDict({**_conv_norm(channels, width, 3), "relu": nn.ReLU()})
    pool = nn.MaxPool2d(3, stride=2, padding=1)
    return OrderedDict({**_conv_norm(channels, width, 7, 2), "relu": nn.ReLU(), "pool": pool})
