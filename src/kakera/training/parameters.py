"""Parameter groups for an optimiser, with weight decay and learning rate of each layer.

Layer-wise decay of the learning rate comes from Clark et al. 2020, "ELECTRA", appendix A, and for pictures
from Bao et al. 2022, "BEiT", appendix. The layers are numbered as in the fine-tuning of the MAE paper.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from kakera.errors import OptionError

# Modules below the first layer, which turn pictures into tokens.
_ENTRY = frozenset(
    {"patches", "positions", "convolution", "relative", "class_token", "registers", "norm_pre", "stem"}
)
_TOGETHER = {"qkv": 3, "kv": 2}  # number of linear maps in the matrix of a module


def parameter_groups(
    model: nn.Module, *, weight_decay: float, lr: float, layer_decay: float = 1.0
) -> list[dict[str, Any]]:
    """Return parameter groups for a torch optimiser, from the input to the head.

    There is one group for each combination of learning rate, weight decay and `maps`. A group has `params`,
    `names`, `weight_decay`, `lr_scale` = layer_decay ** (top − depth), an initial `lr` of lr · lr_scale, and
    `maps` as from `linear_layers`. The training loop sets `lr` to the scheduled learning rate · `lr_scale` at
    each step. One-dimensional parameters have no weight decay. Frozen parameters are left out. Raises
    OptionError if `layer_decay` is not in (0, 1].

    Example:

        >>> groups = parameter_groups(nn.Linear(3, 2), weight_decay=0.05, lr=1e-3)
        >>> [(group["names"], group["weight_decay"]) for group in groups]
        [(['bias'], 0.0), (['weight'], 0.05)]
    """
    if not 0.0 < layer_decay <= 1.0:
        raise OptionError(
            "layer decay", got=layer_decay, expected="a number in (0, 1]", do="try 0.75, or 1 for none"
        )
    top = 1 + _layers(model)
    groups: dict[tuple[float, bool, int], dict[str, Any]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        depth = depth_of(name, top=top)
        decays = parameter.ndim > 1
        scale, maps = layer_decay ** (top - depth), linear_layers(name, parameter)
        group = groups.setdefault(
            (scale, decays, maps),
            {
                "params": [],
                "names": [],
                "weight_decay": weight_decay if decays else 0.0,
                "lr": lr * scale,
                "lr_scale": scale,
                "maps": maps,
            },
        )
        group["params"].append(parameter)
        group["names"].append(name)
    return [groups[place] for place in sorted(groups)]


def depth_of(name: str, *, top: int) -> int:
    """Return the depth of a parameter: 0 for the patch embedding, i + 1 for layer i, `top` for all others.

    The class token, positions, registers and a norm before the layers also have depth 0; the final norm and
    the head have depth `top`. The prefix "encoder." is optional.

    Example:

        >>> depth_of("encoder.layers.3.norm.weight", top=13), depth_of("head.weight", top=13)
        (4, 13)
    """
    path = name.removeprefix("encoder.").split(".")
    if path[0] in _ENTRY:
        return 0
    if path[0] == "layers":
        return int(path[1]) + 1
    return top


def linear_layers(name: str, parameter: Tensor) -> int:
    """Return the number of linear maps that a parameter contains, stacked along its rows.

    It is 0 for parameters that are not matrices inside a Transformer layer.

    Example:

        >>> linear_layers("encoder.layers.3.attention.qkv.weight", Tensor(12, 4))
        3
    """
    path = name.split(".")
    return _TOGETHER.get(path[-2], 1) if parameter.ndim == 2 and "layers" in path else 0


def _layers(model: nn.Module) -> int:
    """Return the number of layers of the encoder, including frozen ones."""
    layers = getattr(getattr(model, "encoder", model), "layers", ())
    return len(layers)
