"""The configurations of Vision Transformers and ResNets. Tests check the parameter count of each."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal, NoReturn, TypeAlias

from kakera.errors import OptionError

Activation: TypeAlias = Literal["gelu", "gelu_tanh", "quick_gelu"]
Norm: TypeAlias = Literal["pre", "post"]


@dataclass(frozen=True)
class BlockConfig:
    """The options of Transformer layers; the defaults are those of ViT and MAE.

    `ratio` is the inner width of the MLP divided by the width of the tokens. `epsilon` belongs to every layer
    norm. `activation` is that of the MLP: the exact GELU, its tanh form, or x · sigmoid(1.702 x)
    ("quick_gelu"; Hendrycks and Gimpel 2016, Sec. 2, has all three). `layer_scale` multiplies each branch by
    a learned vector (Touvron et al. 2021b, CaiT). `gated` uses an MLP that multiplies half of its inner
    values by the SiLU of the other half (Shazeer 2020, SwiGLU), instead of the activation. `norm` is the
    place of the layer norms: before each branch ("pre"), or after each sum of tokens and branch ("post", as
    in Vaswani et al. 2017). `residual` multiplies the tokens in that sum (Wang et al. 2022, "DeepNet": α).
    `inner_norm` is a layer norm of the inner values of the MLP (Shleifer et al. 2021, "NormFormer"; EVA-02).
    With `gated_positions`, each query multiplies the bias of relative positions by a factor (Chen et al.
    2023, BEATs).

    Example:

        >>> BlockConfig(epsilon=1e-5).ratio
        4.0
    """

    ratio: float = 4.0
    epsilon: float = 1e-6
    qkv_bias: bool = True
    activation: Activation = "gelu"
    layer_scale: bool = False
    gated: bool = False
    norm: Norm = "pre"
    residual: float = 1.0
    gated_positions: bool = False
    inner_norm: bool = False

    def ratio_of(self, inside: int, outside: int) -> BlockConfig:
        """Return the same layers with an MLP of inner width `inside` for tokens of width `outside`."""
        return replace(self, ratio=inside / outside)


PLAIN = BlockConfig()


def _require_layers(where: str, width: int, depth: int, heads: int) -> None:
    """Raise OptionError for layers that cannot exist."""
    if width < 1 or depth < 0:
        got = f"{depth} layers of {width}"
        raise OptionError(where, got=got, expected="positive numbers", do="correct them")
    if heads < 1 or width % heads:
        got, expected = f"{heads} heads for a width of {width}", "a number of heads that divides the width"
        raise OptionError(where, got=got, expected=expected, do="correct heads or width")


@dataclass(frozen=True)
class DecoderConfig:
    """The size of a decoder: `depth` layers of `width` with `heads` heads.

    With `cross`, hidden patches attend to the encoder's tokens only (Fu et al. 2024, CrossMAE).

    Example:

        >>> DecoderConfig(width=64, depth=1, heads=2).cross
        False
    """

    width: int
    depth: int
    heads: int
    block: BlockConfig = PLAIN
    cross: bool = False

    def __post_init__(self) -> None:
        _require_layers("decoder", self.width, self.depth, self.heads)
        if self.block.norm != "pre":
            got, expected = "a norm after each branch", "pre, as in the MAE paper"
            raise OptionError("decoder's norm", got=got, expected=expected, do="leave it out")


@dataclass(frozen=True)
class ViTConfig:
    """The size of a ViT: `depth` layers of `width` with `heads` heads, and patches of (height, width) pixels.

    A `stride` below the patch size makes neighbouring patches overlap, as in AST (Gong et al. 2021: 16 × 16,
    stride 10). `registers` counts the tokens that are neither class token nor patch: registers (Darcet et al.
    2024), or DeiT's distillation token. `class_tokens` is 0 for an encoder that has only patches, and above 1
    for one whose class output is the mean of several tokens. `norm_pre` is a layer norm before the first
    layer (Radford et al. 2021, CLIP). With `attention_pool` the encoder has a head that pools its tokens by
    attention (Zhai et al. 2023, SigLIP). A `rotary` above 0 is the base of rotary position embeddings on the
    patches (Siméoni et al. 2025, DINOv3: 100), which replace the table of position embeddings. With a
    `rotary_span` above 0 their angles begin with 0 at the first patch, and the picture has this span (Fang et
    al. 2023, EVA-02). With a `rotary_table` the encoder has that table too. Without a `final_norm` the tokens
    of the last layer are the output (Chen et al. 2024, EAT).

    Three fields are those of BEATs (Chen et al. 2023). With a `patch_width` above 0, patches are embedded
    with this width; a layer norm and a linear map to `width` follow. `convolution` is (kernel, groups) of a
    convolution along the sequence of patches that adds positions to the tokens. `relative` is (buckets,
    farthest distance) of a bias of the attention logits. Either of these two replaces the table of position
    embeddings, see `sequence_positions`.

    With `any_shape` the encoder takes pictures of every size, and resizes its table of position embeddings to
    each (Dehghani et al. 2023, NaViT; Tschannen et al. 2025, SigLIP 2).

    Example:

        >>> config = ViTConfig(64, 3, 2, (4, 4), DecoderConfig(32, 1, 1))
        >>> config.with_patch((8, 8)).step
        (8, 8)
    """

    width: int
    depth: int
    heads: int
    patch: tuple[int, int]
    decoder: DecoderConfig
    block: BlockConfig = PLAIN
    registers: int = 0
    stride: tuple[int, int] | None = None
    """Pixels from one patch to the next (down, across); None for patches side by side."""
    class_tokens: int = 1
    norm_pre: bool = False
    attention_pool: bool = False
    rotary: float = 0.0
    rotary_span: float = 0.0
    rotary_table: bool = False
    final_norm: bool = True
    patch_width: int = 0
    convolution: tuple[int, int] | None = None
    relative: tuple[int, int] | None = None
    any_shape: bool = False

    def __post_init__(self) -> None:
        _require_layers("encoder", self.width, self.depth, self.heads)
        if self.any_shape and (not self.has_table or self.rotary):
            got, do = "positions without a table alone", "leave any_shape out"
            raise OptionError("any_shape", got=got, expected="a table of positions", do=do)
        for name in ("registers", "class_tokens", "patch_width"):
            if getattr(self, name) < 0:
                got, do = getattr(self, name), "correct the number"
                raise OptionError(name, got=got, expected="0 or more", do=do)

    @property
    def has_table(self) -> bool:
        """True if the encoder has a table of position embeddings."""
        return self.rotary_table or not (self.rotary or self.convolution or self.relative)

    @property
    def step(self) -> tuple[int, int]:
        """Pixels from one patch to the next (down, across)."""
        return self.stride or self.patch

    @property
    def prefix_tokens(self) -> int:
        """The number of tokens before the patches: class tokens and registers."""
        return self.class_tokens + self.registers

    def with_patch(self, patch: tuple[int, int], stride: tuple[int, int] | None = None) -> ViTConfig:
        """Return the same layers with other patches."""
        return replace(self, patch=patch, stride=stride)


_PAPER = DecoderConfig(512, 8, 16)  # MAE paper, Sec. 3

SIZES: dict[str, ViTConfig] = {
    # for pictures of 28 to 64 pixels
    "nano": ViTConfig(64, 3, 2, (4, 4), DecoderConfig(32, 1, 1)),
    "micro": ViTConfig(128, 4, 4, (4, 4), DecoderConfig(64, 1, 1)),
    "mini": ViTConfig(192, 6, 3, (4, 4), DecoderConfig(96, 2, 3)),
    # for pictures of 224 pixels: Touvron et al. 2021 (tiny, small), Dosovitskiy et al. 2021 (the rest)
    "tiny": ViTConfig(192, 12, 3, (16, 16), DecoderConfig(192, 4, 3)),
    "small": ViTConfig(384, 12, 6, (16, 16), DecoderConfig(256, 8, 8)),
    "base": ViTConfig(768, 12, 12, (16, 16), _PAPER),
    "large": ViTConfig(1024, 24, 16, (16, 16), _PAPER),
    "huge": ViTConfig(1280, 32, 16, (14, 14), _PAPER),
}


def decoder_for(width: int) -> DecoderConfig:
    """Return the decoder of the table's encoder with this width, or the decoder of the MAE paper.

    Example:

        >>> decoder_for(64).width, decoder_for(100).width
        (32, 512)
    """
    return next((shape.decoder for shape in SIZES.values() if shape.width == width), _PAPER)


def vit_config(name: str) -> ViTConfig:
    """Return the ViT configuration with this name. Raises OptionError for an unknown name.

    Example:

        >>> vit_config("base").width
        768
    """
    return SIZES[name] if name in SIZES else unknown("model", name, SIZES)


def unknown(what: str, name: Any, known: Iterable[str]) -> NoReturn:
    """Raise OptionError for a name that is not in `known`, and suggest the nearest known name.

    Example:

        >>> try:
        ...     unknown("model", "bas", ["nano", "base"])
        ... except OptionError as error:
        ...     print(error)
        model: got bas, expected one of nano, base; did you mean base?
    """
    names = list(known)
    near = difflib.get_close_matches(str(name).lower(), names, n=1, cutoff=0.5)
    do = f"did you mean {near[0]}?" if near else "choose one of these"
    raise OptionError(what, got=name, expected="one of " + ", ".join(names), do=do)


def pair(what: str, value: Any) -> tuple[int, int]:
    """Return (height, width) from one number for both, or from two numbers.

    Raises OptionError, with the subject `what`, for other values.

    Example:

        >>> pair("image_size", 28)
        (28, 28)
    """
    both = (
        (value, value) if isinstance(value, int) else tuple(value) if isinstance(value, tuple | list) else ()
    )
    if len(both) != 2 or not all(isinstance(side, int) and side > 0 for side in both):
        expected = "a number of pixels, or (height, width)"
        raise OptionError(what, got=value, expected=expected, do="correct it")
    return both


def require_count(what: str, value: Any) -> int:
    """Return a number of channels or classes. Raises OptionError if it is not an integer above 0.

    Example:

        >>> require_count("classes", 10)
        10
    """
    if not isinstance(value, int) or value < 1:
        raise OptionError(what, got=value, expected="1 or more", do="correct the number")
    return value


EXPANSION = 4  # channels of a bottleneck's output divided by channels of its 3 × 3 convolution


@dataclass(frozen=True)
class ResNetConfig:
    """The size of a ResNet: stage i has `blocks[i]` blocks with `widths[i]` channels.

    Each stage except the first halves height and width. The `small` stem is one 3 × 3 convolution at full
    size. The `large` stem, for pictures of 224 pixels, is a 7 × 7 convolution with stride 2 and a max pool;
    it divides height and width by 4.

    Example:

        >>> ResNetConfig((1, 1), (32, 64), bottleneck=False, stem="small").features
        64
    """

    blocks: tuple[int, ...]
    widths: tuple[int, ...]
    bottleneck: bool
    stem: Literal["small", "large"]

    @property
    def features(self) -> int:
        """The number of channels d of the last stage."""
        return self.widths[-1] * (EXPANSION if self.bottleneck else 1)


_SMALL, _WIDE, _LARGE = (32, 64, 128), (64, 128, 256), (64, 128, 256, 512)


RESNETS: dict[str, ResNetConfig] = {
    # for pictures of 28 to 64 pixels; micro and mini: within 5 % of the parameters of those ViTs
    "resnet-nano": ResNetConfig((1, 1, 1), _SMALL, bottleneck=False, stem="small"),
    "resnet-micro": ResNetConfig((3, 3, 2), _SMALL, bottleneck=False, stem="small"),
    "resnet-mini": ResNetConfig((2, 2, 2), _WIDE, bottleneck=False, stem="small"),
    # for pictures above 64 pixels and for spectrograms: the small stem would take hours
    "resnet-nano-7x7": ResNetConfig((1, 1, 1), _SMALL, bottleneck=False, stem="large"),
    "resnet-micro-7x7": ResNetConfig((3, 3, 2), _SMALL, bottleneck=False, stem="large"),
    "resnet-mini-7x7": ResNetConfig((2, 2, 2), _WIDE, bottleneck=False, stem="large"),
    # for pictures of 224 pixels: He et al. 2016, table 1
    "resnet-18": ResNetConfig((2, 2, 2, 2), _LARGE, bottleneck=False, stem="large"),
    "resnet-34": ResNetConfig((3, 4, 6, 3), _LARGE, bottleneck=False, stem="large"),
    "resnet-50": ResNetConfig((3, 4, 6, 3), _LARGE, bottleneck=True, stem="large"),
    "resnet-101": ResNetConfig((3, 4, 23, 3), _LARGE, bottleneck=True, stem="large"),
    "resnet-152": ResNetConfig((3, 8, 36, 3), _LARGE, bottleneck=True, stem="large"),
}


def resnet_config(name: str) -> ResNetConfig:
    """Return the ResNet configuration with this name. Raises OptionError for an unknown name.

    Example:

        >>> resnet_config("resnet-50").features
        2048
    """
    return RESNETS[name] if name in RESNETS else unknown("ResNet", name, RESNETS)
