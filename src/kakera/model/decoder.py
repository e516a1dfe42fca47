"""The decoder of the masked autoencoder: it predicts hidden patches from visible tokens and mask tokens."""

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
    """A decoder that predicts hidden patches from visible tokens and mask tokens.

    All positions attend to all positions (He et al. 2022, Sec. 3). If `config.cross` is True, the predicted
    positions attend to the encoder's tokens and not to each other (Fu et al. 2024, Sec. 3); hidden patches
    that are not predicted then cost nothing. `outputs` is the number of values p for each patch.

    Example:

        >>> from kakera.model.token_index import MaskIndex
        >>> encoder = ViT("nano", channels=1, image_size=8, seed=0)
        >>> decoder = Decoder(encoder, encoder.config.decoder, outputs=16, seed=0)
        >>> index = MaskIndex.of(torch.tensor([[True, True, True, False]]))
        >>> decoder(encoder.tokens(torch.zeros(1, 1, 8, 8), index.visible), index).shape
        torch.Size([1, 3, 16])
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
        """Draw new weights as for the encoder: Xavier-uniform, zero biases, mask token N(0, .02²)."""
        reset_layers(self, generator)
        nn.init.normal_(self.mask_token, std=0.02, generator=generator)
        self.positions.copy_(positions.sincos(self.grid, self.config.width))

    def forward(self, latent: Float[Tensor, "b k d"], index: MaskIndex) -> Float[Tensor, "b m p"]:
        """Return predictions (b, m, p) for the patches of `index.predicted`, in the order of their numbers.

        `latent` (b, k, d) are the encoder's tokens, class token first. Mask tokens are used for hidden
        patches only, not for padding.
        """
        return self.predict(self.tokens(latent, index))

    def tokens(self, latent: Float[Tensor, "b k d"], index: MaskIndex) -> Float[Tensor, "b m e"]:
        """Return the normalised tokens (b, m, e) from which the values are predicted; see `forward`."""
        places = self._across if self.config.cross else self._among
        return self.norm(places(self.embed(latent), index))

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
