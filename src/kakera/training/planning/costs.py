"""What a step of training costs, from the shape of the network alone: operations and bytes. No torch here.

Sums and products of a Transformer layer are counted as usual: 24 d² + 4 n d for each of n tokens of width d
(queries, keys, values and their output 8 d², the MLP 16 d², attention 4 n d), twice as much again backward.
Bytes were compared with the peak of processes that train `micro` to `base` on a CPU (docs/defaults.md).
"""

from __future__ import annotations

from dataclasses import dataclass

from kakera.model.configs import RESNETS, ResNetConfig, ViTConfig

FLOAT = 4  # bytes
FUSED = 128  # tokens: up to here attention on a CPU keeps its weights for the backward pass
KEPT, PASSING = 16, 40  # numbers a token and unit of width: kept of each layer, and needed once on the way
ORIENTED = 25  # numbers a value of the picture that oriented gradients take on their way
STATES = 4  # copies of the weights: themselves, gradients, two moments
PROCESS = 650 << 20  # bytes of a process that has imported everything and trains nothing
GRAIN = 350.0  # width at which matrix products reach half of a machine's best rate


@dataclass(frozen=True)
class StepCost:
    """Of one picture in a step of training, and of the whole network."""

    flops: float
    """Forward and backward, one picture."""
    bytes: float
    """Kept and passing, one picture."""
    parameters: int
    width: int
    """Of the tokens: small ones leave a processor half idle."""
    tokens: int
    """That the encoder reads of a picture."""

    @property
    def states(self) -> int:
        """Bytes of weights, gradients and moments."""
        return STATES * FLOAT * self.parameters

    def seconds(self, gflops: float) -> float:
        """Of one picture on a machine whose large matrix products reach `gflops`."""
        return self.flops / (1e9 * gflops * self.width / (self.width + GRAIN))


def mae_cost(
    shape: ViTConfig, size: tuple[int, int], channels: int, mask_ratio: float, *, hog_target: bool = False
) -> StepCost:
    """Of a masked autoencoder: the encoder reads what is visible, the decoder all places."""
    n, pixels = _patches(shape, size), shape.patch[0] * shape.patch[1] * channels
    visible, places = 1 + max(1, int(n * (1 - mask_ratio))), 1 + n
    decoder = shape.decoder
    flops = _layers(shape.width, shape.depth, visible) + _layers(decoder.width, decoder.depth, places)
    flops += 2 * visible * pixels * shape.width + 2 * places * decoder.width * pixels
    memory = _kept(shape.width, shape.depth, shape.heads, visible)
    memory += _kept(decoder.width, decoder.depth, decoder.heads, places)
    values = size[0] * size[1] * channels
    memory += values * (8 + ORIENTED * hog_target)
    parameters = _parameters(shape, pixels) + 12 * decoder.depth * decoder.width**2
    parameters += decoder.width * (pixels + shape.width + n)
    return StepCost(3 * flops, FLOAT * memory, parameters, shape.width, visible)


def classifier_cost(shape: ViTConfig, size: tuple[int, int], channels: int, classes: int) -> StepCost:
    """Of a Vision Transformer with a head."""
    n, pixels = _patches(shape, size), shape.patch[0] * shape.patch[1] * channels
    flops = _layers(shape.width, shape.depth, 1 + n) + 2 * n * pixels * shape.width
    memory = _kept(shape.width, shape.depth, shape.heads, 1 + n) + 8 * size[0] * size[1] * channels
    parameters = _parameters(shape, pixels) + shape.width * (classes + n)
    return StepCost(3 * flops, FLOAT * memory, parameters, shape.width, 1 + n)


def resnet_cost(shape: ResNetConfig, size: tuple[int, int], channels: int, classes: int) -> StepCost:
    """Of a ResNet, counted convolution by convolution, shortcuts left out."""
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
    """Whether a model's name is one of a CNN."""
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
