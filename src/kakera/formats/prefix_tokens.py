"""The tokens before the patches, where others lay them out otherwise: registers and heads of two tokens.

Here registers stand nowhere, and there is always a class token, whose position is the first row.
"""

from __future__ import annotations

import torch
from torch import Tensor

Tensors = dict[str, Tensor]


def settle(found: Tensors, ours: str, patches: int) -> None:
    """Tokens and positions under our names, as read, in our layout; `patches` is how many there are.

    A position that comes with a register is added to it for good. Positions of patches alone get a row of
    zeros for the class token. Without a class token the first register is one: no sum can tell.
    """
    registers, positions = found.get(f"{ours}registers"), found.get(f"{ours}positions")
    if positions is None:
        return
    spare = max(0, len(positions) - patches)
    first, rest = positions[:spare], positions[spare:]
    owned = f"{ours}class_token" in found
    if registers is not None:
        if spare == owned + len(registers):
            registers, first = registers + first[int(owned) :], first[: int(owned)]
        if not owned:
            found[f"{ours}class_token"], registers = registers[0], registers[1:]
        if len(registers):
            found[f"{ours}registers"] = registers
        else:
            del found[f"{ours}registers"]
    missing = not len(first) and len(rest) == patches
    none = positions.new_zeros(int(missing), positions.shape[1])
    found[f"{ours}positions"] = torch.cat([first, none, rest])


def with_rows(tensors: Tensors, ours: str) -> Tensors:
    """The inverse for those who have a row of positions for each register: rows of zeros."""
    registers, positions = tensors[f"{ours}registers"], tensors[f"{ours}positions"]
    rows = torch.cat([positions[:1], torch.zeros_like(registers), positions[1:]])
    return {**tensors, f"{ours}positions": rows}


def join_heads(found: Tensors) -> None:
    """The two heads of a distilled DeiT as the one map on both tokens halved (see Classifier)."""
    if "heads.class.weight" not in found or "heads.distilled.weight" not in found:
        return
    weights = [found.pop(f"heads.{which}.weight") for which in ("class", "distilled")]
    biases = [found.pop(f"heads.{which}.bias") for which in ("class", "distilled")]
    found |= {"head.weight": torch.cat(weights, dim=1), "head.bias": (biases[0] + biases[1]) / 2}


def part_heads(tensors: Tensors) -> Tensors:
    """The inverse: two heads with the same bias."""
    parted = dict(tensors)
    weights, bias = parted.pop("head.weight").chunk(2, dim=1), parted.pop("head.bias")
    for which, weight in zip(("class", "distilled"), weights, strict=True):
        parted |= {f"heads.{which}.weight": weight, f"heads.{which}.bias": bias.clone()}
    return parted
