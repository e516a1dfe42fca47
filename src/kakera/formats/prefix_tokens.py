"""Convert the tokens before the patches: class token, registers and the two heads of a distilled DeiT.

In kakera registers have no position embedding. The position embeddings of class tokens are the first rows.
"""

from __future__ import annotations

import torch
from torch import Tensor

Tensors = dict[str, Tensor]


def convert_tokens(tensors: Tensors, ours: str, patches: int) -> None:
    """Change tokens and position embeddings in `tensors`, in place, to kakera's layout.

    `ours` is the prefix of the encoder's names, `patches` the number of patches. The position embedding of a
    register is added to the register. If only patches have position embeddings, a class token gets a row of
    zeros.

    Example:

        >>> tensors = {"class_token": torch.ones(2), "positions": torch.ones(4, 2)}
        >>> convert_tokens(tensors, "", patches=4)
        >>> tensors["positions"].shape
        torch.Size([5, 2])
    """
    registers, positions = tensors.get(f"{ours}registers"), tensors.get(f"{ours}positions")
    if positions is None:
        return
    spare = max(0, len(positions) - patches)
    first, rest = positions[:spare], positions[spare:]
    token = tensors.get(f"{ours}class_token")
    owned = 0 if token is None else len(token) if token.ndim > 1 else 1
    if registers is not None and spare == owned + len(registers):
        tensors[f"{ours}registers"], first = registers + first[owned:], first[:owned]
    missing = not len(first) and len(rest) == patches
    none = positions.new_zeros(owned if missing else 0, positions.shape[1])
    tensors[f"{ours}positions"] = torch.cat([first, none, rest])


def with_rows(tensors: Tensors, ours: str) -> Tensors:
    """Return the tensors with a position row of zeros for each register, as other libraries expect.

    Example:

        >>> with_rows({"registers": torch.ones(2, 3), "positions": torch.ones(5, 3)}, "")["positions"].shape
        torch.Size([7, 3])
    """
    registers, positions = tensors[f"{ours}registers"], tensors[f"{ours}positions"]
    rows = torch.cat([positions[:1], torch.zeros_like(registers), positions[1:]])
    return {**tensors, f"{ours}positions": rows}


def join_heads(tensors: Tensors) -> None:
    """Join the two heads of a distilled DeiT, in place, into one head on both tokens (see Classifier).

    Classifier halves the sum over the two tokens, so the joined bias is the mean of the two biases.

    Example:

        >>> heads = {f"heads.{name}.weight": torch.ones(5, 3) for name in ("class", "distilled")}
        >>> heads |= {f"heads.{name}.bias": torch.ones(5) for name in ("class", "distilled")}
        >>> join_heads(heads)
        >>> heads["head.weight"].shape, heads["head.bias"].shape
        (torch.Size([5, 6]), torch.Size([5]))
    """
    if "heads.class.weight" not in tensors or "heads.distilled.weight" not in tensors:
        return
    weights = [tensors.pop(f"heads.{which}.weight") for which in ("class", "distilled")]
    biases = [tensors.pop(f"heads.{which}.bias") for which in ("class", "distilled")]
    tensors |= {"head.weight": torch.cat(weights, dim=1), "head.bias": (biases[0] + biases[1]) / 2}


def split_heads(tensors: Tensors) -> Tensors:
    """Split one head on two tokens into two heads with the same bias: the inverse of `join_heads`.

    Example:

        >>> sorted(split_heads({"head.weight": torch.ones(5, 6), "head.bias": torch.ones(5)}))[:2]
        ['heads.class.bias', 'heads.class.weight']
    """
    parted = dict(tensors)
    weights, bias = parted.pop("head.weight").chunk(2, dim=1), parted.pop("head.bias")
    for which, weight in zip(("class", "distilled"), weights, strict=True):
        parted |= {f"heads.{which}.weight": weight, f"heads.{which}.bias": bias.clone()}
    return parted
