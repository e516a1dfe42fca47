"""Index tensors that select the tokens of a batch; they are computed once for each batch.

Models use index tensors and never read a mask on the CPU, so a GPU does not wait. A picture may end before
its frame does, and patches beyond its end are padding (True in a padding mask): tokens do not attend to them,
and they are neither predicted nor pooled. Patches may also be hidden (True) from the encoder. The rows of a
batch may then have different numbers of tokens, and shorter rows are filled up with padding.
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
    """The numbers of some patches in each row, in ascending order.

    Example:

        >>> index = TokenIndex.of(torch.tensor([[True, False, True], [False, True, False]]))
        >>> index.ids.shape, index.total
        (torch.Size([2, 2]), 3)
    """

    ids: Int[Tensor, "b k"]
    """The patch numbers; a row with fewer than k patches is filled up with patches that were not chosen."""
    padding: Bool[Tensor, "b k"] | None = None
    """True where a row is filled up; None if all rows have the same number of patches."""

    @classmethod
    def of(cls, chosen: Bool[Tensor, "b n"]) -> TokenIndex:
        """Return the index of a Boolean mask (b, n), True = chosen.

        The number of columns k is that of the row with the most chosen patches.
        """
        counts = chosen.sum(dim=1)
        most = int(counts.max()) if len(counts) else 0
        ids = torch.argsort((~chosen).to(torch.uint8), dim=1, stable=True)[:, :most]
        if bool((counts == most).all()):
            return cls(ids)
        return cls(ids, torch.arange(most, device=chosen.device) >= counts.unsqueeze(1))

    @property
    def total(self) -> int:
        """The number of chosen patches in all rows together."""
        return self.ids.numel() if self.padding is None else int((~self.padding).sum())

    def to(self, device: torch.device) -> TokenIndex:
        """Return a copy on another device; a copy from CPU to GPU is asynchronous."""
        return TokenIndex(
            _sent(self.ids, device), None if self.padding is None else _sent(self.padding, device)
        )

    def take(self, rows: Int[Tensor, " r"]) -> TokenIndex:
        """Return the index of some rows of the batch."""
        return TokenIndex(self.ids[rows], None if self.padding is None else self.padding[rows])

    def gather(self, tokens: Float[Tensor, "b n d"]) -> Float[Tensor, "b k d"]:
        """Return the chosen tokens (b, k, d) of tokens (b, n, d)."""
        return gather_tokens(tokens, self.ids)

    def scatter(
        self, tokens: Float[Tensor, "b n d"], values: Float[Tensor, "b k d"]
    ) -> Float[Tensor, "b n d"]:
        """Return tokens (b, n, d) with `values` (b, k, d) at the chosen places; padding is ignored."""
        places = self.ids
        if self.padding is None:
            return torch.scatter(tokens, 1, places.unsqueeze(-1).expand_as(values), values)
        nowhere = tokens.shape[1]
        places = places.masked_fill(self.padding, nowhere)
        tokens = torch.cat([tokens, tokens[:, :1]], dim=1)
        return torch.scatter(tokens, 1, places.unsqueeze(-1).expand_as(values), values)[:, :nowhere]

    def mean(self, values: Float[Tensor, "b k d"]) -> Float[Tensor, ""]:
        """Return the mean of all chosen values, over all rows together; padding is ignored."""
        if self.padding is None:
            return values.mean()
        if not torch.compiler.is_compiling():
            return values[~self.padding].mean()
        chosen = (~self.padding).unsqueeze(-1)  # the shapes of a compiled graph cannot depend on their number
        return torch.where(chosen, values, 0.0).sum() / (chosen.sum() * values.shape[-1])

    def mean_per_row(self, values: Float[Tensor, "b k d"]) -> Float[Tensor, "b d"]:
        """Return the mean of the chosen values of each row (b, d); padding is ignored."""
        if self.padding is None:
            return values.mean(dim=1)
        chosen = (~self.padding).unsqueeze(-1)
        return torch.where(chosen, values, 0.0).sum(dim=1) / chosen.sum(dim=1)

    def key_padding(self, first: int) -> Bool[Tensor, "b m"] | None:
        """Return the key padding mask (b, first + k) of rows with `first` other tokens in front.

        Such tokens are, for example, the class token. Returns None if there is no padding.
        """
        if self.padding is None:
            return None
        return torch.nn.functional.pad(self.padding, (first, 0), value=False)


class MaskIndex(NamedTuple):
    """A mask for a masked autoencoder, as index tensors: the role of each patch of a batch.

    Other code calls the patch numbers `ids_keep` and `ids_restore`.

    It is a tuple of tensors, so that wrappers of a model (DistributedDataParallel, Lightning Fabric,
    torch.compile) accept it.

    Example:

        >>> index = MaskIndex.of(torch.tensor([[True, False, True, False]]))
        >>> index.visible.ids, index.predicted.ids
        (tensor([[1, 3]]), tensor([[0, 2]]))
    """

    visible: TokenIndex
    """The patches that the encoder receives."""
    predicted: TokenIndex
    """The patches that the decoder predicts."""
    present: TokenIndex | None = None
    """The patches that the decoder has a token for; None for all."""
    query: TokenIndex | None = None
    """The places of the predicted patches among the `present` ones; None if these are the patch numbers."""
    rows: Int[Tensor, " r"] | None = None
    """The rows of the batch that the decoder receives; `predicted`, `present` and `query` have only these
    rows. None for all rows."""
    scale: Float[Tensor, ""] | None = None
    """A factor of the patches' loss, if `rows` is not None: the pieces of a step may have unlike shares of
    its rows for the decoder. None for 1."""

    @classmethod
    def of(
        cls,
        hidden: Bool[Tensor, "b n"],
        padding_mask: Bool[Tensor, "b n"] | None = None,
        predict_mask: Bool[Tensor, "b n"] | None = None,
    ) -> MaskIndex:
        """Return the index of Boolean masks (b, n).

        The predicted patches are those with True in both `hidden` and `predict_mask`; without a
        `predict_mask`, all hidden patches. `padding_mask` is True for padding. Masks on the CPU avoid waiting
        for a GPU, which would otherwise have to report the number of patches. Raises OptionError if there is
        no `padding_mask` and rows have different numbers of hidden patches, or if no patch or every patch is
        hidden.
        """
        predicted = hidden if predict_mask is None else hidden & predict_mask
        if padding_mask is None:
            return cls(_equal(~hidden, "visible"), _equal(predicted, "hidden"))
        padding_mask = padding_mask.to(hidden.device)
        return cls.joined(
            TokenIndex.of(~(hidden | padding_mask)), TokenIndex.of(predicted & ~padding_mask), padding_mask
        )

    @classmethod
    def joined(
        cls, visible: TokenIndex, predicted: TokenIndex, padding_mask: Bool[Tensor, "b n"] | None = None
    ) -> MaskIndex:
        """Return the index of visible patches, predicted patches and a padding mask (b, n)."""
        if padding_mask is None:
            return cls(visible, predicted)
        places = ((~padding_mask).cumsum(dim=1) - 1).clamp(min=0).gather(1, predicted.ids)
        return cls(visible, predicted, TokenIndex.of(~padding_mask), TokenIndex(places, predicted.padding))

    @classmethod
    def random(
        cls, batch: int, grid: Grid, ratio: float, generator: torch.Generator | None, device: torch.device
    ) -> MaskIndex:
        """Draw a uniformly random mask on the device; None uses PyTorch's global generator.

        Raises OptionError if the ratio hides no patch or every patch.
        """
        drawing = device if generator is None else generator.device
        noise = torch.rand(batch, grid.count, generator=generator, device=drawing).to(device)
        order, keep = noise.argsort(dim=1), num_visible(grid.count, ratio)
        visible, hidden = (TokenIndex(ids.sort(dim=1).values) for ids in (order[:, :keep], order[:, keep:]))
        return cls(visible, hidden)

    def decoded(self, rows: Int[Tensor, " r"], scale: Float[Tensor, ""] | None = None) -> MaskIndex:
        """Return the same mask for a decoder that receives only some rows of the batch.

        `scale` multiplies the loss of their patches.

        Example:

            >>> index = MaskIndex.of(torch.tensor([[True, False], [False, True]]))
            >>> index.decoded(torch.tensor([1])).predicted.ids
            tensor([[1]])
        """
        present = None if self.present is None else self.present.take(rows)
        query = None if self.query is None else self.query.take(rows)
        return MaskIndex(self.visible, self.predicted.take(rows), present, query, rows, scale)

    def for_decoder(self) -> MaskIndex:
        """Return the mask of the rows that the decoder receives, as a mask of a batch of these rows."""
        return self if self.rows is None else self._replace(visible=self.visible.take(self.rows), rows=None)

    def to(self, device: torch.device) -> MaskIndex:
        """Return a copy on another device."""
        visible, predicted, present, query = (
            None if part is None else part.to(device)
            for part in (self.visible, self.predicted, self.present, self.query)
        )
        assert visible is not None
        assert predicted is not None
        rows = None if self.rows is None else _sent(self.rows, device)
        scale = None if self.scale is None else _sent(self.scale, device)
        return MaskIndex(visible, predicted, present, query, rows, scale)


def visible_index(
    hidden: Bool[Tensor, "b n"] | None,
    padding_mask: Bool[Tensor, "b n"] | None,
    device: torch.device | None = None,
) -> TokenIndex | None:
    """Return the patches that the encoder receives, from Boolean masks (b, n); None means all patches.

    Raises OptionError if there is no `padding_mask` and rows have different numbers of hidden patches, or if
    every patch is hidden.

    Example:

        >>> visible_index(torch.tensor([[True, False, True, False]]), None).ids
        tensor([[1, 3]])
    """
    if padding_mask is not None:
        index = TokenIndex.of(~padding_mask if hidden is None else ~(hidden | padding_mask))
    elif hidden is not None:
        index = _equal(~hidden, "visible")
    else:
        return None
    return index if device is None else index.to(device)


def padding_patches(widths: Int[Tensor, " b"], grid: Grid, step: int) -> Bool[Tensor, "b n"]:
    """Return a padding mask (b, n): True for patches that begin after the end of their picture.

    `widths` (b,) are the widths of the pictures in pixels; patches begin every `step` pixels.

    Example:

        >>> padding_patches(torch.tensor([8, 3]), Grid(1, 2), step=4)
        tensor([[False, False],
                [False,  True]])
    """
    starts = step * torch.arange(grid.cols, device=widths.device)
    past = starts >= rearrange(widths, "b -> b 1")
    return past.repeat(1, grid.rows)


def _equal(chosen: Bool[Tensor, "b n"], kind: str) -> TokenIndex:
    """Return the index of the chosen patches. Raises OptionError if rows differ or have none."""
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
    return TokenIndex(ids.contiguous())  # `gather` is faster with contiguous numbers


def _sent(tensor: Tensor, device: torch.device) -> Tensor:
    if device.type == "cuda" and not tensor.is_cuda:
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)
