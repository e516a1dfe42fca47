"""Which patches enter the encoder, and which are to be guessed: told once for a batch, before all else.

From masks, True = hidden or absent, to numbers. Masks may lie on the CPU while the model does not: how many
there are is then known without waiting for the device.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool
from torch import Tensor

from kakera.model.masking import concealed, visible
from kakera.model.presence import Choice, choose


@dataclass(frozen=True, eq=False)
class Roles:
    """What each patch of a batch is to a masked autoencoder."""

    entered: Choice
    """The encoder gets these."""
    wanted: Choice
    """These are to be guessed."""
    present: Choice | None
    """The decoder has a token for these; None for all."""
    among: Choice
    """Where those to guess stand among the present."""


def roles(
    hidden: Bool[Tensor, "b n"],
    absent: Bool[Tensor, "b n"] | None = None,
    asked: Bool[Tensor, "b n"] | None = None,
    device: torch.device | None = None,
) -> Roles:
    """Those of a mask; to guess are the hidden patches that are `asked` for, all if None.

    Raises OptionError where none is absent and the rows differ in number all the same.
    """
    device = hidden.device if device is None else device
    wanted = hidden if asked is None else hidden & asked
    if absent is None:
        guessed = Choice(concealed(wanted), None).to(device)
        return Roles(_entering(hidden, None).to(device), guessed, None, guessed)
    absent = absent.to(hidden.device)
    wanted, present = wanted & ~absent, choose(~absent)
    among = wanted.gather(1, present.numbers)
    among = choose(among if present.void is None else among & ~present.void)
    entered = _entering(hidden, absent)
    return Roles(entered.to(device), choose(wanted).to(device), present.to(device), among.to(device))


def entering(
    hidden: Bool[Tensor, "b n"] | None,
    absent: Bool[Tensor, "b n"] | None,
    device: torch.device | None = None,
) -> Choice | None:
    """The patches that the encoder gets; None for all. Raises OptionError as `roles` does."""
    if hidden is None and absent is None:
        return None
    chosen = _entering(hidden, absent)
    return chosen if device is None else chosen.to(device)


def _entering(hidden: Tensor | None, absent: Tensor | None) -> Choice:
    if absent is None:
        assert hidden is not None
        return Choice(visible(hidden), None)
    return choose(~absent if hidden is None else ~(hidden | absent))
