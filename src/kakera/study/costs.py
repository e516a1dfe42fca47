"""What a network costs: parameters, floating-point operations, seconds of training."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from statistics import median

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from kakera import seeding
from kakera.formats.bundle import Pretrained
from kakera.formats.native import parameters
from kakera.model.mae import MAE
from kakera.model.masking import MASKINGS

PICTURES = 2  # to count with; one would do but for batch norm


def forward_flops(saved: Pretrained) -> int:
    """Of one picture through a classifier, two for each product and sum."""
    model = saved.model.eval()
    pictures = torch.zeros(PICTURES, saved.inputs.channels, *saved.inputs.size)
    with torch.no_grad():
        return _count(model, pictures)


def step_flops(saved: Pretrained[MAE], hide: float) -> int:
    """Of one picture in a step of pretraining, forward and backward, with this share hidden."""
    model = saved.model
    grid = model.encoder.grid
    noise = seeding.uniform(0, 0, range(PICTURES), "mask", grid.count)
    hidden = torch.from_numpy(MASKINGS["random"](noise, grid, hide))
    return _count(model, torch.zeros(PICTURES, saved.inputs.channels, *saved.inputs.size), hidden)


def size(saved: Pretrained) -> int:
    """Parameters of a network."""
    return parameters(saved.model)


def training_seconds(folder: Path) -> float:
    """Of a finished run, from its metrics: the median epoch times the epochs, whatever interrupted it."""
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    rows = [row for row in rows if "seconds" in row]
    if not rows:
        return 0.0
    rates = [
        (after["seconds"] - before["seconds"]) / (after["step"] - before["step"])
        for before, after in pairwise(rows)
        if after["seconds"] > before["seconds"] and after["step"] > before["step"]
    ]
    if not rates:
        return rows[-1]["seconds"]
    return median(rates) * rows[-1]["step"]


def _count(model: nn.Module, *inputs: torch.Tensor) -> int:
    """Operations of one picture: forward, and backward where gradients are on."""
    # The fused kernel of the CPU is not known to the counter; the plain one does the same sums.
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        found = model(*inputs)
        if found.requires_grad:
            found.sum().backward()
    model.zero_grad(set_to_none=True)
    return counter.get_total_flops() // PICTURES
