"""Low-rank adaptation (Hu et al. 2021, "LoRA: Low-Rank Adaptation of Large Language Models").

A linear map W stays as it is, and training learns an update of low rank: W + (α / r) B A, with A (r, i) and
B (o, r) (Sec. 4.1). A is drawn from a normal distribution and B begins at 0, so the network is at first equal
to the start. After training the update is added to W: the result is an ordinary network, as fast as before.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TypeVar, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from kakera import seeding
from kakera.errors import OptionError
from kakera.model.attention import MLP, Attention
from kakera.model.linear import Linear, Then, linear, with_activation
from kakera.training.options import FinetuneOptions

M = TypeVar("M", bound=nn.Module)
QKV = 3  # queries, keys and values are three maps in one matrix; each has its own update
NAMES = ("lora_a", "lora_b", "lora_scale")


class LowRankLinear(Linear):
    """A linear map with an update of low rank: x Wᵀ + b + scale · x Aᵀ Bᵀ.

    W and b are those of `base`. With `maps` above 1, W consists of this many maps, stacked along its rows,
    and each has its own update: A is (maps · r, i), B is (o, r). `scale` is α / r.

    Example:

        >>> base = Linear(4, 2)
        >>> updated = LowRankLinear(base, rank=1, scale=2.0)
        >>> x = torch.ones(3, 4)
        >>> torch.equal(updated(x), base(x))
        True
    """

    lora_scale: Tensor

    def __init__(
        self,
        base: Linear,
        *,
        rank: int,
        scale: float,
        maps: int = 1,
        generator: torch.Generator | None = None,
    ) -> None:
        with torch.device("meta"):
            super().__init__(
                base.in_features, base.out_features, bias=cast("Tensor | None", base.bias) is not None
            )
        self.weight, self.bias, self.maps = base.weight, base.bias, maps
        first = torch.randn(maps * rank, base.in_features, generator=generator) * base.in_features**-0.5
        self.lora_a = nn.Parameter(first.to(base.weight))
        self.lora_b = nn.Parameter(base.weight.new_zeros(base.out_features, rank))
        self.register_buffer("lora_scale", base.weight.new_tensor(scale))

    def forward(self, input: Float[Tensor, "... i"], then: Then = "nothing") -> Float[Tensor, "... o"]:
        """Return the map of the input with its update; `then` applies a GELU to it."""
        return with_activation(
            linear(input, self.weight, self.bias).add_(self._update(input, slice(None))), then
        )

    def rows(self, input: Float[Tensor, "... i"], which: slice) -> Float[Tensor, "... o"]:
        """Return some of the outputs: those of the rows `which` of the weight."""
        return super().rows(input, which).add_(self._update(input, which))

    def _update(self, input: Tensor, which: slice) -> Tensor:
        low = functional.linear(input, self.lora_a)
        back = torch.block_diag(*self.lora_b.chunk(self.maps)) if self.maps > 1 else self.lora_b
        return functional.linear(low, back[which]) * self.lora_scale

    @torch.no_grad()
    def merge(self) -> None:
        """Add the update to the weight in place."""
        self.weight.copy_(merged_weight(self.weight, self.lora_a, self.lora_b, self.lora_scale))

    def plain(self) -> Linear:
        """Return the linear map with the same weight and bias, without the update."""
        with torch.device("meta"):
            plain = Linear(
                self.in_features, self.out_features, bias=cast("Tensor | None", self.bias) is not None
            )
        plain.weight, plain.bias = self.weight, self.bias
        return plain


def merged_weight(
    weight: Float[Tensor, "o i"], a: Float[Tensor, "m i"], b: Float[Tensor, "o r"], scale: Tensor
) -> Float[Tensor, "o i"]:
    """Return W + scale · B A; W may consist of several maps, each with its own A and B.

    Example:

        >>> merged_weight(torch.zeros(1, 2), torch.tensor([[1.0, 2.0]]), torch.ones(1, 1), torch.tensor(3.0))
        tensor([[3., 6.]])
    """
    maps = len(a) // b.shape[1]
    pairs = zip(b.chunk(maps), a.chunk(maps), strict=True)
    return weight + scale * torch.cat([back @ down for back, down in pairs])


def merged_tensors(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors of a model with the updates added to the weights, as from a checkpoint.

    Tensors without updates are returned as they are.

    Example:

        >>> updated = LowRankLinear(Linear(4, 2), rank=1, scale=2.0)
        >>> sorted(merged_tensors(updated.state_dict()))
        ['bias', 'weight']
    """
    found = dict(tensors)
    for name in tensors:
        prefix = name.removesuffix(NAMES[0])
        if prefix != name:
            update = [found.pop(f"{prefix}{part}") for part in NAMES]
            found[f"{prefix}weight"] = merged_weight(tensors[f"{prefix}weight"], *update)
    return found


@contextmanager
def with_lora(model: nn.Module, options: FinetuneOptions) -> Generator[None]:
    """Add low-rank updates to the layers of a Vision Transformer within the block, and freeze the rest.

    Trained are the updates of `lora_targets` and the head. With a `lora_rank` of 0 nothing changes.
    Afterwards the model has no updates; `merged` adds them to the weights before. Raises OptionError if the
    rank is larger than the width.

    Example:

        >>> from kakera.model.classifier import Classifier
        >>> model = Classifier("nano", 2, channels=1, image_size=28)
        >>> with with_lora(model, FinetuneOptions("", lora_rank=4)):
        ...     len([each for each in model.parameters() if each.requires_grad])
        14
    """
    if not options.lora_rank:
        yield
        return
    stopped = [each for each in model.parameters() if each.requires_grad]
    kept = [each for part in _heads(model) for each in part.parameters()]
    for parameter in stopped:
        parameter.requires_grad_(any(parameter is each for each in kept))
    draws = torch.Generator().manual_seed(seeding.key(options.seed, "lora"))
    for owner, name, base, maps in _targets(model, options.lora_targets):
        most = min(base.in_features, base.out_features // maps)
        if options.lora_rank > most:
            got, do = options.lora_rank, "use a smaller rank, such as 8"
            raise OptionError("lora_rank", got=got, expected=f"at most the width of {most}", do=do)
        scale = options.lora_alpha / options.lora_rank
        update = LowRankLinear(base, rank=options.lora_rank, scale=scale, maps=maps, generator=draws)
        setattr(owner, name, update)
    try:
        yield
    finally:
        _remove(model)
        for parameter in stopped:
            parameter.requires_grad_(True)


def merged(model: M) -> M:
    """Add all low-rank updates of a model to its weights, in place, and return the model without updates.

    Example:

        >>> model = nn.Sequential(LowRankLinear(Linear(4, 2), rank=1, scale=2.0))
        >>> type(merged(model)[0]).__name__
        'Linear'
    """
    for part in model.modules():
        if isinstance(part, LowRankLinear):
            part.merge()
    _remove(model)
    return model


def count_trained(model: nn.Module, options: FinetuneOptions) -> int:
    """Return the number of weights that a fine-tuning with `lora_rank` trains: updates and head.

    Example:

        >>> from kakera.model.classifier import Classifier
        >>> model = Classifier("nano", 2, channels=1, image_size=28)
        >>> count_trained(model, FinetuneOptions("", lora_rank=4)) - 2 * (64 + 1)
        6144
    """
    heads = sum(each.numel() for part in _heads(model) for each in part.parameters())
    found = _targets(model, options.lora_targets)
    return heads + sum(
        options.lora_rank * (maps * base.in_features + base.out_features) for _, _, base, maps in found
    )


def _remove(model: nn.Module) -> None:
    for owner in list(model.modules()):
        for name, part in list(owner.named_children()):
            if isinstance(part, LowRankLinear):
                setattr(owner, name, part.plain())


def _heads(model: nn.Module) -> list[nn.Module]:
    parts = (getattr(model, name, None) for name in ("head", "head_norm"))
    return [part for part in parts if isinstance(part, nn.Module)]


def _targets(model: nn.Module, targets: str) -> list[tuple[nn.Module, str, Linear, int]]:
    """Return the linear maps to adapt: their module, their name in it, the map, and its number of maps."""
    found: list[tuple[nn.Module, str, Linear, int]] = []
    for part in model.modules():
        if isinstance(part, Attention):
            found += [(part, "qkv", part.qkv, QKV), (part, "out", part.out, 1)]
        if isinstance(part, MLP) and targets == "all":
            found += [(part, "up", part.up, 1), (part, "down", part.down, 1)]
    return found
