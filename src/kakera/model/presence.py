"""Which patches take part: rows of a batch may have different numbers of them.

A picture may end before its frame does. Patches beyond its end are `absent` (True): neither attended to,
nor predicted, nor pooled. Patches may also be `hidden` (True) from the encoder.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor

from kakera.grid import Grid
from kakera.model.patches import pick


@dataclass(frozen=True, eq=False)
class Choice:
    """Some places of each row, in order. `void` is None where every row has as many as the others."""

    numbers: Int[Tensor, "b k"]
    """Of the places; a row with fewer than k is filled up with places that were not chosen."""
    void: Bool[Tensor, "b k"] | None
    """True where a row was filled up."""

    def to(self, device: torch.device) -> Choice:
        """The same on another device."""
        void = None if self.void is None else _sent(self.void, device)
        return Choice(_sent(self.numbers, device), void)

    def pick(self, tokens: Float[Tensor, "b n d"]) -> Float[Tensor, "b k d"]:
        """The chosen tokens."""
        return pick(tokens, self.numbers)

    def put(self, tokens: Float[Tensor, "b n d"], values: Float[Tensor, "b k d"]) -> Float[Tensor, "b n d"]:
        """The tokens with values in the chosen places; what is void goes nowhere."""
        places = self.numbers
        if self.void is None:
            return torch.scatter(tokens, 1, places.unsqueeze(-1).expand_as(values), values)
        nowhere = tokens.shape[1]
        places = places.masked_fill(self.void, nowhere)
        tokens = torch.cat([tokens, tokens[:, :1]], dim=1)
        return torch.scatter(tokens, 1, places.unsqueeze(-1).expand_as(values), values)[:, :nowhere]

    def mean(self, values: Float[Tensor, "b k d"]) -> Float[Tensor, ""]:
        """Over all that was chosen, in whatever row it stands."""
        return values.mean() if self.void is None else values[~self.void].mean()

    def mean_of_each(self, values: Float[Tensor, "b k d"]) -> Float[Tensor, "b d"]:
        """Over what was chosen of each row."""
        if self.void is None:
            return values.mean(dim=1)
        there = (~self.void).unsqueeze(-1)
        return torch.where(there, values, 0.0).sum(dim=1) / there.sum(dim=1)

    def behind(self, tokens: int) -> Bool[Tensor, "b m"] | None:
        """`void` of a sentence that has so many other tokens first, as the class token."""
        return None if self.void is None else torch.nn.functional.pad(self.void, (tokens, 0), value=False)


def _sent(tensor: Tensor, device: torch.device) -> Tensor:
    """On a device; a GPU fetches it by itself while the program goes on."""
    if device.type == "cuda" and not tensor.is_cuda:
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def choose(wanted: Bool[Tensor, "b n"]) -> Choice:
    """The places that are wanted, in order; as many columns as the row with the most of them."""
    counts = wanted.sum(dim=1)
    most = int(counts.max()) if len(counts) else 0
    numbers = torch.argsort((~wanted).to(torch.uint8), dim=1, stable=True)[:, :most]
    if bool((counts == most).all()):
        return Choice(numbers, None)
    places = torch.arange(most, device=wanted.device)
    return Choice(numbers, places >= counts.unsqueeze(1))


def beyond(widths: Int[Tensor, " b"], grid: Grid, step: int) -> Bool[Tensor, "b n"]:
    """The patches that begin where a picture of its own width, in pixels, has ended, `step` after `step`."""
    starts = step * torch.arange(grid.cols, device=widths.device)
    past = starts >= rearrange(widths, "b -> b 1")
    return past.repeat(1, grid.rows)
