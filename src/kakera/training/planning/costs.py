"""Cost of a training step, in operations and bytes, from the shape of the network. Does not import torch.

A Transformer layer takes 24 d² + 4 n d operations for each of n tokens of width d: 8 d² for queries, keys,
values and the output projection, 16 d² for the MLP, 4 n d for attention. The backward pass takes twice as
many. The bytes were compared with the peak memory of processes that train `micro` to `base` on a CPU
(docs/defaults.md).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from kakera.model.configs import RESNETS, ResNetConfig, ViTConfig

FLOAT = 4  # bytes of a float32
FUSED = 128  # tokens: up to this number, attention on a CPU stores its weights for the backward pass
KEPT, PASSING = 16, 40  # numbers per token and unit of width: stored per layer, and needed once in a step
ORIENTED = 25  # numbers per value of the picture that the HOG target needs temporarily
STATES = 4  # copies of the weights: the weights, their gradients, two moments
PROCESS = 650 << 20  # bytes of a process after all imports, before training
LEAST = 0.02  # share of a step that remains if all layers are frozen: tokens, head, optimiser
GRAIN = 350.0  # width at which matrix products reach half of the machine's best rate


@dataclass(frozen=True)
class StepCost:
    """The cost of one picture in a training step, and the size of the network. See `mae_cost`."""

    flops: float
    """Floating point operations per picture, forward and backward."""
    bytes: float
    """Bytes of activations per picture."""
    parameters: int
    """Number of weights of the network."""
    width: int
    """Width d of the tokens; a small width leaves a processor partly idle."""
    tokens: int
    """Tokens per picture that the encoder receives."""
    trained: int | None = None
    """Number of weights that training changes; None for all."""
    forward: float = 1 / 3
    """Operations of a forward pass, as a share of `flops`: a backward pass takes twice as many."""
    frozen: int = 0
    """Number of weights of a second network that does not learn."""
    once: float = 0.0
    """Operations per picture that the whole training needs once."""

    @property
    def changed(self) -> int:
        """Number of weights that training changes."""
        return self.parameters if self.trained is None else self.trained

    @property
    def states(self) -> int:
        """Bytes of weights, gradients and moments (float32)."""
        return FLOAT * (self.parameters + (STATES - 1) * self.changed + self.frozen)

    def with_lora(self, updates: int, head: int) -> StepCost:
        """Return the cost if only `updates` weights of low-rank updates and `head` others are trained.

        The backward pass computes no gradients of the frozen weights, which are half of it.
        """
        more = 2 * self.tokens * updates
        forward = self.flops / 3 + more
        flops = 2 * self.flops / 3 + 3 * more
        return replace(self, flops=flops, forward=forward / flops, trained=updates + head)

    def with_frozen(self, share: float, *, computed_once: bool = False) -> StepCost:
        """Return the cost if the lowest `share` of the layers is frozen, from 0 to 1.

        With `computed_once`, a step begins with the stored output of these layers.
        """
        below, above = self.flops * share / 3, self.flops * (1 - share)
        trained = round(self.parameters * (1 - share))
        if computed_once:
            return replace(self, flops=max(above, LEAST * self.flops), once=below, trained=trained)
        forward = self.flops / 3 / (above + below)
        return replace(self, flops=above + below, forward=forward, trained=trained)

    def with_unlabelled(self, ratio: int) -> StepCost:
        """Return the cost of a labelled sample with `ratio` unlabelled ones, which a teacher sees too.

        A forward pass of the teacher costs a third of a step and stores nothing.
        """
        return replace(self, flops=self.flops * (1 + ratio * 4 / 3), bytes=self.bytes * (1 + ratio))

    def seconds(self, gflops: float) -> float:
        """Return the seconds per picture on a machine whose large matrix products reach `gflops` GFLOP/s."""
        return self.flops / (1e9 * gflops * self.width / (self.width + GRAIN))

    def seconds_once(self, gflops: float) -> float:
        """Return the seconds per picture that the whole training needs once, see `seconds`."""
        return replace(self, flops=self.once).seconds(gflops)


def mae_cost(
    shape: ViTConfig,
    size: tuple[int, int],
    channels: int,
    mask_ratio: float,
    *,
    hog_target: bool = False,
    decoded: float = 1.0,
) -> StepCost:
    """Return the cost of a masked autoencoder: the encoder reads visible patches, the decoder all patches.

    `size` is (H, W) in pixels. `hog_target` adds the memory of the HOG target. `decoded` is the share of the
    pictures that the decoder reads.

    Example:

        >>> from kakera.model.configs import SIZES
        >>> mae_cost(SIZES["nano"], (32, 32), 3, 0.75).tokens
        17
    """
    n, pixels = _patches(shape, size), shape.patch[0] * shape.patch[1] * channels
    visible, places = 1 + max(1, int(n * (1 - mask_ratio))), 1 + n
    decoder = shape.decoder
    flops = _layers(shape.width, shape.depth, visible) + 2 * visible * pixels * shape.width
    decoding = _layers(decoder.width, decoder.depth, places) + 2 * places * decoder.width * pixels
    memory = _kept(shape.width, shape.depth, shape.heads, visible)
    memory += decoded * _kept(decoder.width, decoder.depth, decoder.heads, places)
    values = size[0] * size[1] * channels
    memory += values * (8 + ORIENTED * hog_target)
    parameters = _parameters(shape, pixels) + 12 * decoder.depth * decoder.width**2
    parameters += decoder.width * (pixels + shape.width + n)
    return StepCost(3 * (flops + decoded * decoding), FLOAT * memory, parameters, shape.width, visible)


def with_token_target(
    cost: StepCost, shape: ViTConfig, size: tuple[int, int], channels: int, *, decoded: float = 1.0
) -> StepCost:
    """Return the cost of a masked autoencoder that also predicts the tokens of its frozen start.

    The frozen encoder reads all patches of the pictures that the decoder reads, without a backward pass. Its
    activations are freed before the step. The other arguments are as in `mae_cost`.

    Example:

        >>> from kakera.model.configs import SIZES
        >>> plain = mae_cost(SIZES["nano"], (32, 32), 3, 0.75)
        >>> with_token_target(plain, SIZES["nano"], (32, 32), 3).flops > 1.5 * plain.flops
        True
    """
    n, pixels = _patches(shape, size), shape.patch[0] * shape.patch[1] * channels
    frozen = _layers(shape.width, shape.depth, 1 + n) + 2 * n * pixels * shape.width
    head = shape.decoder.width * shape.width
    return replace(
        cost,
        flops=cost.flops + decoded * (frozen + 3 * 2 * n * head),
        bytes=cost.bytes + decoded * FLOAT * 2 * n * shape.width,
        parameters=cost.parameters + head,
        frozen=_parameters(shape, pixels),
    )


def classifier_cost(shape: ViTConfig, size: tuple[int, int], channels: int, classes: int) -> StepCost:
    """Return the cost of a Vision Transformer with a classification head. `size` is (H, W) in pixels.

    Example:

        >>> from kakera.model.configs import SIZES
        >>> classifier_cost(SIZES["nano"], (32, 32), 3, classes=10).tokens
        65
    """
    n, pixels = _patches(shape, size), shape.patch[0] * shape.patch[1] * channels
    flops = _layers(shape.width, shape.depth, 1 + n) + 2 * n * pixels * shape.width
    memory = _kept(shape.width, shape.depth, shape.heads, 1 + n) + 8 * size[0] * size[1] * channels
    parameters = _parameters(shape, pixels) + shape.width * (classes + n)
    return StepCost(3 * flops, FLOAT * memory, parameters, shape.width, 1 + n)


def lora_parameters(shape: ViTConfig, rank: int, *, mlp: bool = False) -> int:
    """Return the number of weights of low-rank updates: of attention, and of the MLPs too if `mlp`.

    Example:

        >>> from kakera.model.configs import SIZES
        >>> lora_parameters(SIZES["nano"], rank=4)
        6144
    """
    width, inside = shape.width, round(shape.width * shape.block.ratio)
    sides = 8 * width  # three maps to queries, keys and values, and the output
    if mlp:
        sides += 2 * width + inside * (3 if shape.block.gated else 2)
    return shape.depth * rank * sides


def resnet_cost(shape: ResNetConfig, size: tuple[int, int], channels: int, classes: int) -> StepCost:
    """Return the cost of a ResNet: the sum over all convolutions except the shortcuts.

    `size` is (H, W) in pixels.

    Example:

        >>> from kakera.model.configs import RESNETS
        >>> resnet_cost(RESNETS["resnet-18"], (32, 32), 3, classes=10).flops > 0
        True
    """
    scale = 1 if shape.stem == "small" else 4
    side = (size[0] / scale) * (size[1] / scale)
    flops, kept, parameters, before = 0.0, 0.0, 0, shape.widths[0]
    flops += 2 * side * (9 if scale == 1 else 49 * 4) * channels * shape.widths[0]
    for stage, (blocks, width) in enumerate(zip(shape.blocks, shape.widths, strict=True)):
        cells, out = side / 4**stage, width * (4 if shape.bottleneck else 1)
        for _ in range(blocks):
            inner = width * (before + out) + 9 * width**2 if shape.bottleneck else 9 * width * (before + out)
            flops, parameters = flops + 2 * cells * inner, parameters + inner
            kept += cells * (3 * out + (6 * width if shape.bottleneck else 4 * width))
            before = out
    memory = 2 * kept + 8 * size[0] * size[1] * channels
    return StepCost(3 * flops, FLOAT * memory, parameters + before * classes, 4 * before, int(side))


def is_resnet(name: str) -> bool:
    """Return True if `name` is the name of a CNN.

    Example:

        >>> is_resnet("resnet-18"), is_resnet("nano")
        (True, False)
    """
    return name in RESNETS


def _patches(shape: ViTConfig, size: tuple[int, int]) -> int:
    down, across = (
        (side - patch) // step + 1 for side, patch, step in zip(size, shape.patch, shape.step, strict=True)
    )
    return max(down, 1) * max(across, 1)


def _layers(width: int, depth: int, tokens: int) -> float:
    return depth * tokens * (24 * width**2 + 4 * tokens * width)


def _kept(width: int, depth: int, heads: int, tokens: int) -> float:
    attention = 2 * heads * tokens if tokens <= FUSED else 0
    return tokens * (width * (KEPT * depth + PASSING) + attention * depth)


def _parameters(shape: ViTConfig, pixels: int) -> int:
    return int(shape.depth * (4 + 2 * shape.block.ratio) * shape.width**2 + pixels * shape.width)
