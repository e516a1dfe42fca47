"""Classifiers that return their pooled tokens beside the probabilities, from one pass of the network.

The tokens tell how unlike the training files a file is; see `rejection`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from kakera.formats.bundle import Pretrained
from kakera.formats.rejection import rejection_pool
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier, pool_tokens
from kakera.model.token_index import TokenIndex, visible_index


def logits_and_tokens(
    model: Classifier, pixels: Float[Tensor, "b c H W"], chosen: TokenIndex | None = None
) -> tuple[Float[Tensor, "b classes"], Float[Tensor, "b e"]]:
    """Return logits and pooled tokens (see `rejection_pool`) of pictures in the model's units.

    `chosen` are the patches that the model sees; None means all patches.

    Example:

        >>> model = Classifier("nano", 2, channels=1, image_size=28)
        >>> [values.shape for values in logits_and_tokens(model, torch.zeros(3, 1, 28, 28))]
        [torch.Size([3, 2]), torch.Size([3, 128])]
    """
    encoder = model.encoder
    tokens = encoder.tokens(pixels.to(encoder.reference.dtype), chosen)
    pooled = pool_tokens(encoder, tokens, model.pool, chosen)
    logits = model.head(pooled if model.head_norm is None else model.head_norm(pooled))
    return logits, pool_tokens(encoder, tokens, rejection_pool(encoder.config.class_tokens), chosen)


def token_width(model: Classifier) -> int:
    """Return the number of values of the pooled tokens.

    Example:

        >>> token_width(Classifier("nano", 2, channels=1, image_size=28))
        128
    """
    config = model.encoder.config
    return config.width * (2 if config.class_tokens else 1)


@dataclass(frozen=True, eq=False)
class WithTokens:
    """A classifier whose rows are probabilities, then the pooled tokens, for `each_file`.

    Example:

        >>> network = Classifier("nano", 2, channels=1, image_size=28)
        >>> saved = Pretrained(network.eval(), InputSpec(1, 28, 28, (0.5,), (0.5,)), ("cat", "dog"))
        >>> WithTokens(saved).probabilities(torch.zeros(3, 1, 28, 28, dtype=torch.uint8)).shape
        torch.Size([3, 130])
    """

    saved: Pretrained[Classifier]

    @property
    def inputs(self) -> InputSpec:
        """The input specification of the classifier."""
        return self.saved.inputs

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes, then a name for each value of the tokens."""
        return with_token_names(self.saved.classes, token_width(self.saved.model))

    @torch.inference_mode()
    def probabilities(self, values: Tensor, lengths: Tensor | None = None) -> Float[Tensor, "b columns"]:
        """Return probabilities and tokens (b, classes + e) of stored pictures or waveforms, on the CPU."""
        saved = self.saved
        pixels, padding = saved.front_end(values.to(saved.device), lengths)
        logits, tokens = logits_and_tokens(saved.model, pixels, visible_index(None, padding, saved.device))
        logits = logits.float()
        likely = logits.sigmoid() if saved.multi_label else logits.softmax(dim=1)
        return torch.cat([likely, tokens.float()], dim=1).cpu()


def with_token_names(classes: tuple[str, ...], width: int) -> tuple[str, ...]:
    """Return the names of classes, then a name for each of `width` values of the tokens.

    Example:

        >>> with_token_names(("cat",), 2)
        ('cat', 'token 0', 'token 1')
    """
    return (*classes, *(f"token {number}" for number in range(width)))
