"""The frozen start of a pretraining, whose tokens are a target beside the pixels (`--token-target`)."""

from __future__ import annotations

import copy
import hashlib

import torch
from jaxtyping import Float
from torch import Tensor

from kakera.model.token_head import frozen_tokens
from kakera.model.token_index import MaskIndex
from kakera.model.vit import ViT


class FrozenStart:
    """A frozen copy of an encoder, taken before training, that computes the targets of the tokens.

    Training changes the encoder and leaves the copy as it is. The copy is in no checkpoint: a resumed run
    loads the same start again, and `digest` tells if it is the same. With `bf16`, its matrix products are
    in bf16, as those of the model that learns.

    Example:

        >>> frozen = FrozenStart(ViT("nano", channels=1, image_size=8, seed=0))
        >>> index = MaskIndex.of(torch.tensor([[True, True, True, False]]))
        >>> frozen.tokens(torch.rand(1, 1, 8, 8), index).shape
        torch.Size([1, 3, 64])
    """

    def __init__(self, encoder: ViT, *, bf16: bool = False) -> None:
        self.encoder = copy.deepcopy(encoder).eval().requires_grad_(False)
        self.bf16 = bf16

    def tokens(self, pixels: Float[Tensor, "b c H W"], index: MaskIndex) -> Float[Tensor, "r m d"]:
        """Return the targets (r, m, d) of the predicted patches; see `frozen_tokens`.

        `pixels` are those that the model receives, so the view is the same. The copy moves to their device.
        """
        device = pixels.device
        self.encoder.to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=self.bf16):
            return frozen_tokens(self.encoder, pixels, index.to(device))


def digest(encoder: ViT) -> str:
    """Return a digest of all weights of an encoder.

    Example:

        >>> first, second = (ViT("nano", channels=1, image_size=8, seed=seed) for seed in (0, 1))
        >>> digest(first) == digest(first), digest(first) == digest(second)
        (True, False)
    """
    found = hashlib.blake2b(digest_size=16)
    for name, tensor in sorted(encoder.state_dict().items()):
        found.update(name.encode())
        found.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()
