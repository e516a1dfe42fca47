"""The decoder of the masked autoencoder: visible tokens and mask tokens in, predicted patches out."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kakera.model import positions
from kakera.model.attention import Block, CrossBlock
from kakera.model.configs import DecoderConfig
from kakera.model.initialize import Seed, allocate, generator_of, reset_layers
from kakera.model.linear import Linear
from kakera.model.token_index import MaskIndex
from kakera.model.vit import ViT


class Decoder(nn.Module):
    """Visible tokens and mask tokens in, guesses out.

    All places attend to all (He et al. 2022, Sec. 3); or, where the config is `cross`, the places to guess
    attend to the encoder's tokens and not to each other (Fu et al. 2024, Sec. 3): those that are not asked
    for cost nothing.
    """

    def __init__(self, encoder: ViT, config: DecoderConfig, outputs: int, seed: Seed = None) -> None:
        super().__init__()
        self.config, self.grid = config, encoder.grid
        kind = CrossBlock if config.cross else Block
        with torch.device("meta"):
            self.embed = Linear(encoder.config.width, config.width)
            self.mask_token = nn.Parameter(torch.zeros(config.width))
            self.positions = nn.Parameter(positions.sincos(encoder.grid, config.width), requires_grad=False)
            layers = (kind(config.width, config.heads, config.block) for _ in range(config.depth))
            self.layers = nn.ModuleList(layers)
            self.norm = nn.LayerNorm(config.width, eps=config.block.epsilon)
            self.predict = Linear(config.width, outputs)
        if allocate(self):
            self.reset_parameters(generator_of(seed))

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw as the encoder does: Xavier-uniform, zero biases, N(0, .02²) mask token."""
        reset_layers(self, generator)
        nn.init.normal_(self.mask_token, std=0.02, generator=generator)
        self.positions.copy_(positions.sincos(self.grid, self.config.width))

    def forward(self, latent: Float[Tensor, "b k d"], index: MaskIndex) -> Float[Tensor, "b m p"]:
        """Guess the patches of `index.predicted`, in the order of their numbers.

        The latent has the class token first. Mask tokens stand in hidden places alone: none where a patch
        is absent.
        """
        places = self._across if self.config.cross else self._among
        return self.predict(self.norm(places(self.embed(latent), index)))

    def _among(self, latent: Float[Tensor, "b k e"], index: MaskIndex) -> Float[Tensor, "b m e"]:
        tokens = self.mask_token.to(latent.dtype).expand(len(latent), len(self.positions) - 1, -1)
        tokens = index.visible.scatter(tokens, latent[:, 1:])
        z, padding = torch.cat([latent[:, :1], tokens], dim=1) + self.positions, None
        if index.present is not None:
            z = torch.cat([z[:, :1], index.present.gather(z[:, 1:])], dim=1)
            padding = index.present.key_padding(1)
        for layer in self.layers[:-1]:
            z = layer(z, key_padding_mask=padding)
        query = index.predicted if index.query is None else index.query
        return self.layers[-1](z, key_padding_mask=padding, select=lambda z: query.gather(z[:, 1:]))

    def _across(self, latent: Float[Tensor, "b k e"], index: MaskIndex) -> Float[Tensor, "b m e"]:
        where = self.positions[1:].expand(len(latent), -1, -1)
        z = self.mask_token + index.predicted.gather(where)
        for layer in self.layers:
            z = layer(z, latent, index.visible.key_padding(1))
        return z
