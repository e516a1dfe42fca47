"""Models as modules from stored values to outputs, for export to ONNX.

Batch size, mask and padding can vary: a graph computes all patches, and no token attends to hidden or padding
patches. The outputs equal those of the model, which leaves these patches out.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from kakera.formats.bundle import Pretrained, require_classifier, require_mae, require_token_classifier
from kakera.formats.onnx.inputs import input_of
from kakera.formats.with_tokens import logits_and_tokens
from kakera.model import patches
from kakera.model.mae import VARIANCE_FLOOR, Decoder
from kakera.model.token_index import TokenIndex, visible_index


class Graph(nn.Module):
    """The front end of a pretrained model, followed by the model.

    Example:

        >>> from kakera.inputs import InputSpec
        >>> from kakera.model.vit import ViT
        >>> saved = Pretrained(ViT("nano", channels=1, image_size=8), InputSpec(1, 8, 8, (0.5,), (0.5,)))
        >>> Graph(saved).input_names
        ('pictures',)
    """

    output_names: ClassVar[tuple[str, ...]]
    """The names of the outputs."""

    def __init__(self, saved: Pretrained) -> None:
        super().__init__()
        self.graph_input, self.front = input_of(saved.inputs), saved.front_end

    @property
    def input_names(self) -> tuple[str, ...]:
        """The names of the inputs."""
        return tuple(self.graph_input.axes)

    def example(self, count: int = 2, seed: int = 0) -> tuple[Tensor, ...]:
        """Return random inputs for `count` files; the last recording has half the length."""
        return self.graph_input.example(count, torch.Generator().manual_seed(seed))

    def expected(self, *values: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs of the model itself, which leaves out hidden and padding patches."""
        raise NotImplementedError


class Tokens(Graph):
    """A graph from stored values to normalised tokens (b, 1 + n, d) of an encoder, class token first.

    Example:

        >>> from kakera.inputs import InputSpec
        >>> from kakera.model.vit import ViT
        >>> saved = Pretrained(ViT("nano", channels=1, image_size=8), InputSpec(1, 8, 8, (0.5,), (0.5,)))
        >>> Tokens(saved)(torch.zeros(2, 1, 8, 8)).shape
        torch.Size([2, 5, 64])
    """

    output_names = ("tokens",)

    def __init__(self, saved: Pretrained) -> None:
        super().__init__(saved)
        self.model = saved.encoder

    def forward(self, *values: Tensor) -> Tensor:
        """Return the tokens of all patches; tokens of padding patches have no meaning."""
        pixels, padding = self.front(*values)
        return self.model.norm(self.model.tokens(pixels, all_patches(padding)))

    def expected(self, *values: Tensor) -> tuple[Tensor, ...]:
        """Return the tokens of the encoder itself, or of the graph if there is padding."""
        pixels, padding = self.front(*values)
        return (self.model(pixels) if padding is None else self(*values),)


class Labels(Graph):
    """A graph from stored values to logits and probabilities (b, classes).

    Example:

        >>> from kakera.inputs import InputSpec
        >>> from kakera.model.classifier import Classifier
        >>> model = Classifier("nano", 2, channels=1, image_size=8)
        >>> saved = Pretrained(model, InputSpec(1, 8, 8, (0.5,), (0.5,)), ("cat", "dog"))
        >>> [values.shape for values in Labels(saved)(torch.zeros(3, 1, 8, 8))]
        [torch.Size([3, 2]), torch.Size([3, 2])]
    """

    output_names = ("logits", "probabilities")

    def __init__(self, saved: Pretrained) -> None:
        super().__init__(saved)
        self.model, self.multi_label = require_classifier(saved).model, saved.multi_label

    def forward(self, *values: Tensor) -> tuple[Tensor, ...]:
        """Return logits and probabilities."""
        pixels, padding = self.front(*values)
        return self._both(self.model.head(self.model.features_from_index(pixels, all_patches(padding))))

    def expected(self, *values: Tensor) -> tuple[Tensor, ...]:
        """Return logits and probabilities of the model itself, without padding patches."""
        pixels, padding = self.front(*values)
        return self._both(self.model(pixels, padding_mask=padding))

    def _both(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        return logits, logits.sigmoid() if self.multi_label else logits.softmax(dim=-1)


class LabelsAndDistance(Labels):
    """A graph from stored values to logits, probabilities (b, classes), pooled tokens (b, e) and `typical`.

    `typical` (b,) is the share of held-out training files that are at least as unusual; see `Rejection`.

    Example:

        >>> import numpy as np
        >>> from dataclasses import replace
        >>> from kakera.formats.rejection import fit_rejection
        >>> from kakera.inputs import InputSpec
        >>> from kakera.model.classifier import Classifier
        >>> model = Classifier("nano", 2, channels=1, image_size=8)
        >>> saved = Pretrained(model, InputSpec(1, 8, 8, (0.5,), (0.5,)), ("cat", "dog"))
        >>> found = fit_rejection(np.random.default_rng(0).normal(size=(50, 128)))
        >>> outputs = graph_of(replace(saved, rejection=found))(torch.zeros(3, 1, 8, 8))
        >>> [values.shape for values in outputs]
        [torch.Size([3, 2]), torch.Size([3, 2]), torch.Size([3, 128]), torch.Size([3])]
    """

    output_names = ("logits", "probabilities", "pooled", "typical")
    mean: Tensor
    whitening: Tensor
    distances: Tensor

    def __init__(self, saved: Pretrained) -> None:
        super().__init__(saved)
        assert saved.rejection is not None
        self.network = require_token_classifier(saved).model
        for name in ("mean", "whitening", "distances"):
            self.register_buffer(name, torch.from_numpy(getattr(saved.rejection, name).copy()))

    def forward(self, *values: Tensor) -> tuple[Tensor, ...]:
        """Return logits, probabilities, pooled tokens and `typical`."""
        pixels, padding = self.front(*values)
        return self._all(*logits_and_tokens(self.network, pixels, all_patches(padding)))

    def expected(self, *values: Tensor) -> tuple[Tensor, ...]:
        """Return the outputs of the model itself, without padding patches."""
        pixels, padding = self.front(*values)
        return self._all(
            *logits_and_tokens(self.network, pixels, visible_index(None, padding, pixels.device))
        )

    def _all(self, logits: Tensor, pooled: Tensor) -> tuple[Tensor, ...]:
        distance = ((pooled - self.mean) @ self.whitening).square().mean(dim=1, keepdim=True)
        farther = (self.distances >= distance).to(distance.dtype).sum(dim=1)
        return *self._both(logits), pooled, (farther + 1) / (len(self.distances) + 1)


class Reconstructions(Graph):
    """A graph that predicts hidden patches of stored pictures (b, c, H, W); the mask is its last input.

    Example:

        >>> from kakera.inputs import InputSpec
        >>> from kakera.model.mae import MAE
        >>> saved = Pretrained(MAE("nano", channels=1, image_size=8), InputSpec(1, 8, 8, (0.5,), (0.5,)))
        >>> hidden = torch.tensor([[True, False, False, True]])
        >>> Reconstructions(saved)(torch.zeros(1, 1, 8, 8), hidden).shape
        torch.Size([1, 1, 8, 8])
    """

    output_names = ("reconstructions",)

    def __init__(self, saved: Pretrained) -> None:
        super().__init__(saved)
        self.model = require_mae(saved).model

    @property
    def input_names(self) -> tuple[str, ...]:
        """The names of the inputs."""
        return (*super().input_names, "hidden")

    def example(self, count: int = 2, seed: int = 0) -> tuple[Tensor, ...]:
        """Return random inputs and a mask that hides half of the patches."""
        draws = torch.Generator().manual_seed(seed)
        inputs = self.graph_input.example(count, draws)
        noise = torch.rand(count, self.model.encoder.grid.count, generator=draws)
        return (*inputs, noise > noise.median(dim=1, keepdim=True).values)

    def expected(self, *values: Tensor) -> tuple[Tensor, ...]:
        """Return the reconstructions of the autoencoder itself."""
        pixels, padding = self.front(*values[:-1])
        hidden = values[-1] if padding is None else values[-1] & ~padding
        return (self.front.inputs.denormalize(self.model.reconstruct(pixels, hidden, padding)),)

    def forward(self, *values: Tensor) -> Tensor:
        """Return the pictures with predicted hidden patches; visible and padding patches are unchanged."""
        model, encoder, decoder, hidden = self.model, self.model.encoder, self.model.decoder, values[-1]
        pixels, padding = self.front(*values[:-1])
        hidden = hidden if padding is None else hidden & ~padding
        unseen = hidden if padding is None else hidden | padding
        latent = decoder.embed(encoder.norm(encoder.tokens(pixels, all_patches(unseen))))
        decode = _across if decoder.config.cross else _among
        guess = decoder.predict(decoder.norm(decode(decoder, latent, unseen, padding)))[..., : model.pixels]
        vectors = patches.patchify(pixels, encoder.config.patch)
        if model.norm_pix_loss:
            mean = vectors.mean(dim=-1, keepdim=True)
            variance = (vectors - mean).square().sum(dim=-1, keepdim=True) / (vectors.shape[-1] - 1)
            guess = guess * (variance + VARIANCE_FLOOR).sqrt() + mean
        filled = torch.where(hidden.unsqueeze(-1), guess, vectors)
        return self.front.inputs.denormalize(patches.unpatchify(filled, encoder.grid, encoder.config.patch))


GRAPHS: dict[str, type[Graph]] = {
    "encoder": Tokens,
    "classifier": Labels,
    "cnn": Labels,
    "mae": Reconstructions,
}


def graph_of(saved: Pretrained) -> Graph:
    """Return the graph for the kind of a pretrained model.

    Example:

        >>> from kakera.inputs import InputSpec
        >>> from kakera.model.vit import ViT
        >>> saved = Pretrained(ViT("nano", channels=1, image_size=8), InputSpec(1, 8, 8, (0.5,), (0.5,)))
        >>> graph_of(saved).output_names
        ('tokens',)
    """
    return (LabelsAndDistance if saved.rejection is not None else GRAPHS[saved.model.kind])(saved)


def all_patches(unseen: Tensor | None) -> TokenIndex | None:
    """Return the index of all patches in order, with `unseen` patches (b, n) marked as padding.

    Example:

        >>> all_patches(torch.tensor([[False, False, True]])).ids
        tensor([[0, 1, 2]])
    """
    if unseen is None:
        return None
    return TokenIndex(torch.arange(unseen.shape[1], device=unseen.device).expand_as(unseen), unseen)


def _among(decoder: Decoder, latent: Tensor, unseen: Tensor, padding: Tensor | None) -> Tensor:
    inside = torch.where(unseen.unsqueeze(-1), decoder.mask_token, latent[:, 1:])
    z = torch.cat([latent[:, :1], inside], dim=1) + decoder.positions
    key_padding_mask = None if padding is None else _behind(padding, 1)
    for layer in decoder.layers:
        z = layer(z, key_padding_mask=key_padding_mask)
    return z[:, 1:]


def _across(decoder: Decoder, latent: Tensor, unseen: Tensor, padding: Tensor | None) -> Tensor:
    z = (decoder.mask_token + decoder.positions[1:]).expand(latent.shape[0], -1, -1)
    for layer in decoder.layers:
        z = layer(z, latent, _behind(unseen, 1))
    return z


def _behind(key_padding_mask: Tensor, tokens: int) -> Tensor:
    return torch.cat([torch.zeros_like(key_padding_mask[:, :1]).expand(-1, tokens), key_padding_mask], dim=1)
