"""What guesses the hidden patches: a small Transformer over all places, or over the hidden ones alone."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from kakera.model import positions
from kakera.model.attention import CrossLayer, Layer
from kakera.model.encoder import Encoder, entering, initialise_linears
from kakera.model.linear import Linear
from kakera.model.masking import concealed
from kakera.model.presence import Choice, choose
from kakera.model.sizes import DecoderShape


class Decoder(nn.Module):
    """Visible tokens and mask tokens in, guesses out.

    All places attend to all (He et al. 2022, Sec. 3); or, where the shape is `cross`, the places to guess
    attend to the encoder's tokens and not to each other (Fu et al. 2024, Sec. 3): those that are not asked
    for cost nothing.
    """

    def __init__(self, encoder: Encoder, shape: DecoderShape, outputs: int) -> None:
        super().__init__()
        self.shape = shape
        kind = CrossLayer if shape.cross else Layer
        self.embed = Linear(encoder.shape.width, shape.width)
        self.mask_token = nn.Parameter(torch.zeros(shape.width))
        self.positions = nn.Parameter(positions.sincos(encoder.grid, shape.width), requires_grad=False)
        self.layers = nn.ModuleList(kind(shape.width, shape.heads, shape.kind) for _ in range(shape.depth))
        self.norm = nn.LayerNorm(shape.width, eps=shape.kind.epsilon)
        self.predict = Linear(shape.width, outputs)

    def initialise(self, generator: torch.Generator) -> None:
        """As the encoder: Xavier-uniform, zero biases, N(0, .02²) mask token."""
        initialise_linears(self, generator)
        nn.init.normal_(self.mask_token, std=0.02, generator=generator)

    def forward(
        self,
        latent: Float[Tensor, "b k d"],
        hidden: Bool[Tensor, "b n"],
        absent: Bool[Tensor, "b n"] | None = None,
        asked: Bool[Tensor, "b n"] | None = None,
    ) -> Float[Tensor, "b m p"]:
        """Guesses for the patches `asked` for, all hidden ones if None, in the order of their numbers.

        The latent has the class token first. Mask tokens stand in hidden places alone: none where a patch
        is `absent`.
        """
        places = self._across if self.shape.cross else self._among
        return self.predict(self.norm(places(self.embed(latent), hidden, absent, asked)))

    def _among(
        self, latent: Tensor, hidden: Tensor, absent: Tensor | None, asked: Tensor | None
    ) -> Float[Tensor, "b m e"]:
        entered = entering(hidden, absent)
        assert entered is not None
        tokens = self.mask_token.to(latent.dtype).expand(len(latent), hidden.shape[1], -1)
        tokens = entered.put(tokens, latent[:, 1:])
        z = torch.cat([latent[:, :1], tokens], dim=1) + self.positions
        if absent is None:
            wanted, void = to_guess(hidden, None, asked), None
        else:
            present = choose(~absent)
            z = torch.cat([z[:, :1], present.pick(z[:, 1:])], dim=1)
            wanted, void = _of_those(present, hidden if asked is None else asked & hidden), present.behind(1)
        for layer in self.layers[:-1]:
            z = layer(z, void=void)
        return self.layers[-1](z, void=void, wanted=lambda z: wanted.pick(z[:, 1:]))

    def _across(
        self, latent: Tensor, hidden: Tensor, absent: Tensor | None, asked: Tensor | None
    ) -> Float[Tensor, "b m e"]:
        entered, wanted = entering(hidden, absent), to_guess(hidden, absent, asked)
        assert entered is not None
        where = self.positions[1:].expand(len(latent), -1, -1)
        z = self.mask_token + wanted.pick(where)
        for layer in self.layers:
            z = layer(z, latent, entered.behind(1))
        return z


def to_guess(
    hidden: Bool[Tensor, "b n"],
    absent: Bool[Tensor, "b n"] | None = None,
    asked: Bool[Tensor, "b n"] | None = None,
) -> Choice:
    """The patches to guess: the hidden ones that are asked for, or all of them.

    Raises OptionError where none is absent and the rows differ in number all the same.
    """
    wanted = hidden if asked is None else hidden & asked
    return Choice(concealed(wanted), None) if absent is None else choose(wanted & ~absent)


def _of_those(present: Choice, wanted: Bool[Tensor, "b n"]) -> Choice:
    """Where the wanted patches stand among those that are present."""
    among = wanted.gather(1, present.numbers)
    return choose(among if present.void is None else among & ~present.void)
