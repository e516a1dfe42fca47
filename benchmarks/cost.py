"""Estimate the cost of pretraining on large data: `python -m benchmarks.cost`.

FLOPs are counted by formula. The rate of a GPU was measured once (see `SHARE`).
"""

from __future__ import annotations

from dataclasses import dataclass

from kakera.grid import Grid
from kakera.masking import num_visible
from kakera.model.configs import vit_config

SIDE, HIDE = 224, 0.75
PEAK = {"A100": 312e12, "H100": 989e12}  # bf16, dense, from NVIDIA's data sheets
SHARE = 0.26  # share of the peak that a step reaches: ViT-B/16 on an H100, docs/bench-gpu.json; else assumed
PICTURES = {"14 M": 14e6, "300 M": 300e6}


@dataclass(frozen=True)
class Cost:
    """The FLOPs of one picture in one step, forward and backward."""

    size: str
    flops: float

    def speed(self, gpu: str) -> float:
        """Return pictures per second on one GPU."""
        return SHARE * PEAK[gpu] / self.flops

    def hours(self, gpu: str, pictures: float) -> float:
        """Return the GPU hours of an epoch."""
        return pictures / self.speed(gpu) / 3600


def layers(tokens: int, width: int, depth: int, read: int | None = None) -> float:
    """Return the FLOPs of layers, forward: 12 d² weights per layer for each token, and attention.

    In the last layer only `read` tokens are computed; the others only provide keys and values.
    """
    each = 24 * tokens * width**2 + 4 * tokens**2 * width
    if read is None:
        return depth * each
    return (depth - 1) * each + 20 * read * width**2 + 4 * tokens * width**2 + 4 * read * tokens * width


def cost(size: str) -> Cost:
    """Return the cost of a masked autoencoder with the default decoder.

    The backward pass costs twice as much as the forward pass.
    """
    shape = vit_config(size)
    grid = Grid.cover((SIDE, SIDE), shape.patch, shape.step)
    values = 3 * shape.patch[0] * shape.patch[1]
    visible = num_visible(grid.count, HIDE)
    inside, hidden, decoder = visible + 1, grid.count - visible, shape.decoder
    forward = layers(inside, shape.width, shape.depth)
    forward += layers(grid.count + 1, decoder.width, decoder.depth, read=hidden)
    forward += 2 * visible * values * shape.width  # patches to tokens
    forward += 2 * inside * shape.width * decoder.width  # encoder to decoder
    forward += 2 * hidden * decoder.width * values  # tokens to hidden patches
    return Cost(size, 3 * forward)


def rows() -> list[str]:
    """Return the table of docs/cluster.md."""
    found = ["| | GFLOP per picture | pictures/s, A100, H100 | GPU hours per epoch, 14 M | 300 M |"]
    found.append("|---|---|---|---|---|")
    for title, size in (("ViT-B/16", "base"), ("ViT-L/16", "large")):
        one = cost(size)
        speeds = ", ".join(f"{one.speed(gpu):,.0f}" for gpu in PEAK)
        hours = [", ".join(f"{one.hours(gpu, count):.1f}" for gpu in PEAK) for count in PICTURES.values()]
        found.append(f"| {title} | {one.flops / 1e9:.0f} | {speeds} | {hours[0]} | {hours[1]} |")
    return found


if __name__ == "__main__":
    print("\n".join(rows()))
