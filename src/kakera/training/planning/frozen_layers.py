"""Frozen layers and low-rank updates in a plan: what they cost, and whether their output is stored."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kakera.errors import OptionError
from kakera.model.classifier import Pooling, pooled_tokens
from kakera.model.configs import ViTConfig
from kakera.training.launch import processes
from kakera.training.options import FinetuneOptions
from kakera.training.planning.costs import FLOAT, StepCost, lora_parameters
from kakera.training.planning.fit import gigabytes

RESERVE = 1 << 30  # bytes of the disk that stay free


@dataclass(frozen=True)
class FrozenLayers:
    """The place of the stored output of frozen layers, and a note for the plan.

    The place is "" if each step computes the output.
    """

    stored: Literal["", "memory", "file"]
    note: str
    held: int = 0
    """Bytes of memory for the output."""


def random_options(options: FinetuneOptions) -> list[str]:
    """Return the names of the options that change the output of the frozen layers in each epoch.

    `drop_path` never drops the lowest layer, because its probability is 0.

    Example:

        >>> random_options(FinetuneOptions("", freeze=2, shift=1, mixup=0, cutmix=0, randaugment=0))
        ['crop_min_scale', 'shift', 'flip', 'random_erasing', 'drop_path']
    """
    found = {
        "crop_min_scale": options.crop_min_scale < 1,
        "shift": options.shift,
        "flip": options.flip,
        "mixup": options.mixup,
        "cutmix": options.cutmix,
        "randaugment": options.randaugment,
        "random_erasing": options.random_erasing,
        "patch_dropout": options.patch_dropout,
        "drop_path": options.drop_path and options.freeze > 1,
    }
    return [name for name, value in found.items() if value]


def stored_tokens(shape: ViTConfig, patches: int, pool: Pooling, layers: int) -> int:
    """Return the number of tokens of a picture that are stored after the lowest `layers` layers.

    These are all tokens. If all layers are frozen, they are those that the head reads.

    Example:

        >>> from kakera.model.configs import SIZES
        >>> [stored_tokens(SIZES["nano"], 49, "class", layers) for layers in (2, 3)]
        [50, 1]
    """
    prefix = shape.prefix_tokens
    if layers < shape.depth:
        return prefix + patches
    return prefix + 1 if pool == "mean" else pooled_tokens(shape, pool) or prefix + patches


def frozen_layers(
    options: FinetuneOptions, shape: ViTConfig, *, patches: int, files: int, memory: int, still: bool = True
) -> FrozenLayers | None:
    """Return where the output of the frozen layers is stored; None if no layer is frozen.

    `patches` is the number of patches of a picture, `files` the number of training files, and `memory` the
    number of bytes that tokens may take. `still` is False for recordings, whose windows are random. A
    training of at most one epoch stores nothing. Raises OptionError if there are fewer layers.

    Example:

        >>> from kakera.model.configs import SIZES
        >>> options = FinetuneOptions("demo", freeze=2, out="runs/x")
        >>> found = frozen_layers(options, SIZES["nano"], patches=49, files=100, memory=10**9)
        >>> found.stored, found.note[:60]
        ('', '2 of 3, computed in each step because of crop_min_scale, fli')
    """
    if not options.freeze:
        return None
    if options.freeze > shape.depth:
        got, expected = f"{options.freeze} layers", f"at most {shape.depth}"
        raise OptionError("freeze", got=got, expected=expected, do="freeze fewer layers")
    name, why = f"{options.freeze} of {shape.depth}", _obstacles(options)
    if not still:
        why.append("random windows")
    if why:
        return FrozenLayers("", f"{name}, computed in each step because of {', '.join(why)}")
    per_epoch = max(1, files // min(options.batch_size, files))
    if max(round(options.epochs * per_epoch), options.min_steps) <= per_epoch:
        return FrozenLayers("", f"{name}, computed in each step of the only epoch")
    size = files * stored_tokens(shape, patches, options.pool, options.freeze) * shape.width * FLOAT
    if size <= memory:
        return FrozenLayers("memory", f"{name}, computed once ({gigabytes(size)} in memory)", size)
    if size + RESERVE <= shutil.disk_usage(_existing(Path(options.out))).free:
        return FrozenLayers("file", f"{name}, computed once ({gigabytes(size)} in a file)")
    return FrozenLayers("", f"{name}, computed in each step because {gigabytes(size)} do not fit on the disk")


def trained_cost(
    cost: StepCost, shape: ViTConfig, options: FinetuneOptions, classes: int, layers: FrozenLayers | None
) -> StepCost:
    """Return the cost of a fine-tuning that trains only low-rank updates, or only the layers above `freeze`.

    `layers` are those of `frozen_layers`.

    Example:

        >>> from kakera.model.configs import SIZES
        >>> from kakera.training.planning.costs import classifier_cost
        >>> whole = classifier_cost(SIZES["nano"], (28, 28), 1, 10)
        >>> trained_cost(whole, SIZES["nano"], FinetuneOptions("demo", lora_rank=4), 10, None).changed
        6794
    """
    if options.lora_rank:
        updates = lora_parameters(shape, options.lora_rank, mlp=options.lora_targets == "all")
        width = shape.width * (2 if options.pool.startswith("class and") else 1)
        return cost.with_lora(updates, (width + 1) * classes)
    if layers is None:
        return cost
    share = min(options.freeze / shape.depth, 1.0)
    return cost.with_frozen(share, computed_once=bool(layers.stored))


def lora_text(cost: StepCost, options: FinetuneOptions) -> str:
    """Return the rank of low-rank updates, and the number of weights that are trained; "" without updates.

    Example:

        >>> lora_text(StepCost(0.0, 0.0, 10**6, 64, 50, trained=6794), FinetuneOptions("", lora_rank=4))
        '; LoRA of rank 4 trains 0.01 million'
    """
    if not options.lora_rank:
        return ""
    return f"; LoRA of rank {options.lora_rank} trains {cost.changed / 1e6:.2f} million"


def _obstacles(options: FinetuneOptions) -> list[str]:
    """Return the reasons to compute the output in each step: mostly names of options."""
    found = random_options(options)
    if options.unlabelled:
        found.append("unlabelled")
    devices, nodes = processes(options)
    if devices * nodes > 1 or options.strategy == "fsdp":
        found.append("several processes")
    return found


def _existing(path: Path) -> Path:
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path
