"""The token target: the decoder also predicts the tokens of a frozen encoder that reads the whole picture.

Pixels of a hidden patch are details; the tokens of an encoder that has learned before describe what the patch
shows. Features of a frozen network as targets at hidden places: Wei et al. 2022 (MaskFeat), Sec. 3; tokens as
targets, normalised without scale and shift: Baevski et al. 2022 (data2vec), Sec. 3.3.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from kakera.model.initialize import Seed, generator_of, reset_layers
from kakera.model.linear import Linear
from kakera.model.token_index import MaskIndex, TokenIndex
from kakera.model.vit import ViT


class TokenHead(nn.Module):
    """A linear map from the decoder's tokens (`width`) to the tokens of a frozen encoder (`outputs`).

    `factor` multiplies the loss. `seed` draws the weights.

    Example:

        >>> index = TokenIndex.of(torch.tensor([[True, False, True]]))
        >>> head = TokenHead(width=8, outputs=16, factor=0.5, seed=0)
        >>> head(torch.zeros(1, 2, 8), torch.ones(1, 2, 16), index).item()
        0.5
    """

    def __init__(self, width: int, outputs: int, factor: float, seed: Seed = None) -> None:
        super().__init__()
        self.factor = factor
        self.predict = Linear(width, outputs)
        if not self.predict.weight.is_meta:
            self.reset_parameters(generator_of(seed))

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw new weights: Xavier-uniform, zero biases."""
        reset_layers(self, generator)

    def forward(
        self, decoded: Float[Tensor, "r m e"], targets: Float[Tensor, "r m d"], predicted: TokenIndex
    ) -> Float[Tensor, ""]:
        """Return `factor` times the mean squared error of the predicted patches.

        `decoded` (r, m, e) are the decoder's tokens after its last norm, `targets` (r, m, d) are those of
        `frozen_tokens`. Padding in `predicted` is ignored.
        """
        return self.factor * predicted.mean((self.predict(decoded) - targets).square())


@torch.no_grad()
def frozen_tokens(
    encoder: ViT, pictures: Float[Tensor, "b c H W"], index: MaskIndex
) -> Float[Tensor, "r m d"]:
    """Return the frozen tokens of the predicted patches of the rows that the decoder receives.

    The encoder reads whole pictures (b, c, H, W), without their padding. Each token is normalised to mean 0
    and variance 1 over its values.

    Example:

        >>> encoder = ViT("nano", channels=1, image_size=8, seed=0)
        >>> index = MaskIndex.of(torch.tensor([[True, True, True, False]]))
        >>> frozen_tokens(encoder, torch.rand(1, 1, 8, 8), index).shape
        torch.Size([1, 3, 64])
    """
    read = pictures if index.rows is None else pictures[index.rows]
    tokens = encoder.tokens(read, index.present)[:, encoder.config.prefix_tokens :]
    query = index.predicted if index.query is None else index.query
    tokens = query.gather(tokens).float()
    return functional.layer_norm(tokens, tokens.shape[-1:], eps=encoder.config.block.epsilon)
