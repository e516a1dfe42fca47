"""Which parameters decay and how fast each layer learns: the groups that an optimiser is given.

Layer-wise decay of the rate is Clark et al. 2020, "ELECTRA", appendix A, and for pictures Bao et al.
2022, "BEiT", appendix; the numbering of the layers is that of the MAE paper's fine-tuning.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from kakera.errors import OptionError

# What turns pictures into tokens, below the first layer.
_ENTRY = frozenset({"patches", "positions", "class_token", "registers", "stem"})
_TOGETHER = {"qkv": 3, "kv": 2}


def parameter_groups(
    model: nn.Module, *, weight_decay: float, lr: float, layer_decay: float = 1.0
) -> list[dict[str, Any]]:
    """Groups for a torch optimiser, one for each (rate, decays or not, maps), from the input upwards.

    Each has `params`, `names`, `weight_decay`, `lr_scale` = layer_decay ** (top − depth) and a first `lr` of
    lr · lr_scale; a schedule sets it to its rate · `lr_scale` at each step; and `maps` as `maps_in` tells.
    One-dimensional parameters do not decay. Frozen parameters are left out.
    Raises OptionError where `layer_decay` is not in (0, 1].
    """
    if not 0.0 < layer_decay <= 1.0:
        raise OptionError(
            "layer decay", got=layer_decay, expected="a number in (0, 1]", do="try 0.75, or 1 for none"
        )
    top = 1 + _layers(model)
    found: dict[tuple[float, bool, int], dict[str, Any]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        depth = depth_of(name, top=top)
        decays = parameter.ndim > 1
        scale, maps = layer_decay ** (top - depth), linear_layers(name, parameter)
        group = found.setdefault(
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
    return [found[place] for place in sorted(found)]


def depth_of(name: str, *, top: int) -> int:
    """0 for what makes tokens, i + 1 for layer i, `top` for the final norm, the head and all else.

    A name is a path with or without the encoder's prefix: "encoder.layers.3.norm.weight" is at depth 4.
    """
    path = name.removeprefix("encoder.").split(".")
    if path[0] in _ENTRY:
        return 0
    if path[0] == "layers":
        return int(path[1]) + 1
    return top


def linear_layers(name: str, parameter: Tensor) -> int:
    """How many linear maps inside a Transformer's layers lie in a parameter, one below the other; or 0.

    "encoder.layers.3.attention.qkv.weight" holds three.
    """
    path = name.split(".")
    return _TOGETHER.get(path[-2], 1) if parameter.ndim == 2 and "layers" in path else 0


def _layers(model: nn.Module) -> int:
    """How many layers the model's encoder has, frozen ones included."""
    layers = getattr(getattr(model, "encoder", model), "layers", ())
    return len(layers)
