"""What guesses the hidden patches: a small Transformer over all places, or over the hidden ones alone."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kakera.model import positions
from kakera.model.attention import CrossLayer, Layer
from kakera.model.configs import DecoderConfig
from kakera.model.linear import Linear
from kakera.model.roles import Roles
from kakera.model.vit import ViT, initialise_linears


class Decoder(nn.Module):
    """Visible tokens and mask tokens in, guesses out.

    All places attend to all (He et al. 2022, Sec. 3); or, where the shape is `cross`, the places to guess
    attend to the encoder's tokens and not to each other (Fu et al. 2024, Sec. 3): those that are not asked
    for cost nothing.
    """

    def __init__(self, encoder: ViT, shape: DecoderConfig, outputs: int) -> None:
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

    def forward(self, latent: Float[Tensor, "b k d"], roles: Roles) -> Float[Tensor, "b m p"]:
        """Guesses for the patches that are wanted, in the order of their numbers.

        The latent has the class token first. Mask tokens stand in hidden places alone: none where a patch
        is absent.
        """
        places = self._across if self.shape.cross else self._among
        return self.predict(self.norm(places(self.embed(latent), roles)))

    def _among(self, latent: Float[Tensor, "b k e"], roles: Roles) -> Float[Tensor, "b m e"]:
        tokens = self.mask_token.to(latent.dtype).expand(len(latent), len(self.positions) - 1, -1)
        tokens = roles.entered.put(tokens, latent[:, 1:])
        z, void = torch.cat([latent[:, :1], tokens], dim=1) + self.positions, None
        if roles.present is not None:
            z = torch.cat([z[:, :1], roles.present.pick(z[:, 1:])], dim=1)
            void = roles.present.behind(1)
        for layer in self.layers[:-1]:
            z = layer(z, void=void)
        return self.layers[-1](z, void=void, wanted=lambda z: roles.among.pick(z[:, 1:]))

    def _across(self, latent: Float[Tensor, "b k e"], roles: Roles) -> Float[Tensor, "b m e"]:
        where = self.positions[1:].expand(len(latent), -1, -1)
        z = self.mask_token + roles.wanted.pick(where)
        for layer in self.layers:
            z = layer(z, latent, roles.entered.behind(1))
        return z
