"""Which tokens take part, as index tensors: told to the model once for a batch, so that it never looks.

A picture may end before its frame does. Patches beyond its end are `padding_mask` (True): neither attended to,
nor predicted, nor pooled. Patches may also be `hidden` (True) from the encoder. Rows of a batch may then have
different numbers of tokens, and shorter rows are filled up with padding.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor

from kakera.errors import OptionError
from kakera.grid import Grid
from kakera.masking import num_visible
from kakera.model.patches import gather_tokens


class TokenIndex(NamedTuple):
    """Some places of each row, ascending. `padding` is None where every row has as many as the others."""

    ids: Int[Tensor, "b k"]
    """Numbers of the places; a row with fewer than k is filled up with places that were not chosen."""
    padding: Bool[Tensor, "b k"] | None = None
    """True where a row was filled up."""

    @classmethod
    def of(cls, chosen: Bool[Tensor, "b n"]) -> TokenIndex:
        """Turn a mask, True = chosen, into numbers; as many columns as the row with the most of them."""
        counts = chosen.sum(dim=1)
        most = int(counts.max()) if len(counts) else 0
        ids = torch.argsort((~chosen).to(torch.uint8), dim=1, stable=True)[:, :most]
        if bool((counts == most).all()):
            return cls(ids)
        return cls(ids, torch.arange(most, device=chosen.device) >= counts.unsqueeze(1))

    @property
    def total(self) -> int:
        """How many places are chosen, of all rows together."""
        return self.ids.numel() if self.padding is None else int((~self.padding).sum())

    def to(self, device: torch.device) -> TokenIndex:
        """Copy to another device; a GPU fetches it by itself while the program goes on."""
        return TokenIndex(
            _sent(self.ids, device), None if self.padding is None else _sent(self.padding, device)
        )

    def gather(self, tokens: Float[Tensor, "b n d"]) -> Float[Tensor, "b k d"]:
        """Pick the chosen tokens."""
        return gather_tokens(tokens, self.ids)

    def scatter(
        self, tokens: Float[Tensor, "b n d"], values: Float[Tensor, "b k d"]
    ) -> Float[Tensor, "b n d"]:
        """Put values into the chosen places of the tokens; padding goes nowhere."""
        places = self.ids
        if self.padding is None:
            return torch.scatter(tokens, 1, places.unsqueeze(-1).expand_as(values), values)
        nowhere = tokens.shape[1]
        places = places.masked_fill(self.padding, nowhere)
        tokens = torch.cat([tokens, tokens[:, :1]], dim=1)
        return torch.scatter(tokens, 1, places.unsqueeze(-1).expand_as(values), values)[:, :nowhere]

    def mean(self, values: Float[Tensor, "b k d"]) -> Float[Tensor, ""]:
        """Average over all that was chosen, in whatever row it stands."""
        if self.padding is None:
            return values.mean()
        if not torch.compiler.is_compiling():
            return values[~self.padding].mean()
        there = (~self.padding).unsqueeze(-1)  # a graph's shapes cannot depend on how many these are
        return torch.where(there, values, 0.0).sum() / (there.sum() * values.shape[-1])

    def mean_per_row(self, values: Float[Tensor, "b k d"]) -> Float[Tensor, "b d"]:
        """Average over what was chosen of each row."""
        if self.padding is None:
            return values.mean(dim=1)
        there = (~self.padding).unsqueeze(-1)
        return torch.where(there, values, 0.0).sum(dim=1) / there.sum(dim=1)

    def key_padding(self, first: int) -> Bool[Tensor, "b m"] | None:
        """`padding` of rows that have `first` other tokens in front, such as the class token."""
        if self.padding is None:
            return None
        return torch.nn.functional.pad(self.padding, (first, 0), value=False)


class MaskIndex(NamedTuple):
    """What each patch of a batch is to a masked autoencoder: a mask as index tensors.

    A tuple of tensors, so that wrappers around a model (DistributedDataParallel, Lightning Fabric,
    torch.compile) pass it through.
    """

    visible: TokenIndex
    """The encoder gets these."""
    predicted: TokenIndex
    """These are to be guessed."""
    present: TokenIndex | None = None
    """The decoder has a token for these; None for all."""
    query: TokenIndex | None = None
    """Where those to guess stand among the present; None where that is their own number."""

    @classmethod
    def of(
        cls,
        hidden: Bool[Tensor, "b n"],
        padding_mask: Bool[Tensor, "b n"] | None = None,
        predict_mask: Bool[Tensor, "b n"] | None = None,
    ) -> MaskIndex:
        """Make one of Boolean masks; to guess are the hidden patches that are `predict_mask` for, all if None.

        Masks may lie on the CPU while the model does not: how many patches there are is then known without
        waiting for the device. Raises OptionError where none is absent and the rows differ in number all the
        same, or where nothing is hidden or everything.
        """
        wanted = hidden if predict_mask is None else hidden & predict_mask
        if padding_mask is None:
            return cls(_equal(~hidden, "visible"), _equal(wanted, "hidden"))
        padding_mask = padding_mask.to(hidden.device)
        return cls.joined(
            TokenIndex.of(~(hidden | padding_mask)), TokenIndex.of(wanted & ~padding_mask), padding_mask
        )

    @classmethod
    def joined(
        cls, visible: TokenIndex, predicted: TokenIndex, padding_mask: Bool[Tensor, "b n"] | None = None
    ) -> MaskIndex:
        """Make one of patches that are visible, those to guess, and those that are `padding_mask`."""
        if padding_mask is None:
            return cls(visible, predicted)
        places = ((~padding_mask).cumsum(dim=1) - 1).clamp(min=0).gather(1, predicted.ids)
        return cls(visible, predicted, TokenIndex.of(~padding_mask), TokenIndex(places, predicted.padding))

    @classmethod
    def random(
        cls, batch: int, grid: Grid, ratio: float, generator: torch.Generator | None, device: torch.device
    ) -> MaskIndex:
        """Draw a uniform mask, all on the device; without a generator PyTorch's global one draws.

        Raises OptionError for a ratio that hides nothing or everything.
        """
        drawing = device if generator is None else generator.device
        noise = torch.rand(batch, grid.count, generator=generator, device=drawing).to(device)
        order, keep = noise.argsort(dim=1), num_visible(grid.count, ratio)
        return cls(*(TokenIndex(ids.sort(dim=1).values) for ids in (order[:, :keep], order[:, keep:])))

    def to(self, device: torch.device) -> MaskIndex:
        """Copy to another device."""
        return MaskIndex(*(None if part is None else part.to(device) for part in self))  # type: ignore[arg-type]


def visible_index(
    hidden: Bool[Tensor, "b n"] | None,
    padding_mask: Bool[Tensor, "b n"] | None,
    device: torch.device | None = None,
) -> TokenIndex | None:
    """Return the patches that the encoder gets; None for all. Raises OptionError as `MaskIndex.of` does."""
    if padding_mask is not None:
        found = TokenIndex.of(~padding_mask if hidden is None else ~(hidden | padding_mask))
    elif hidden is not None:
        found = _equal(~hidden, "visible")
    else:
        return None
    return found if device is None else found.to(device)


def padding_patches(widths: Int[Tensor, " b"], grid: Grid, step: int) -> Bool[Tensor, "b n"]:
    """Tell the patches that begin where a picture of its own width has ended, one every `step` pixels."""
    starts = step * torch.arange(grid.cols, device=widths.device)
    past = starts >= rearrange(widths, "b -> b 1")
    return past.repeat(1, grid.rows)


def _equal(chosen: Bool[Tensor, "b n"], kind: str) -> TokenIndex:
    """The chosen places. Raises OptionError where there are none or rows differ."""
    counts = chosen.sum(dim=1)
    each = int(counts[0])
    if each == 0 or not bool((counts == each).all()):
        raise OptionError(
            "mask",
            got=f"{int(counts.min())} to {int(counts.max())} {kind} patches",
            expected="the same number, at least one, in every picture of a batch",
            do="hide the same number of patches in each",
        )
    ids = chosen.nonzero()[:, 1].view(len(chosen), each)
    return TokenIndex(ids.contiguous())  # else gathering takes longer


def _sent(tensor: Tensor, device: torch.device) -> Tensor:
    if device.type == "cuda" and not tensor.is_cuda:
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)
