"""A model as one graph from what a file holds to what is asked for, for ONNX.

The number of pictures is free, and so is what is hidden or absent: all patches are computed, and none
attends to those. That gives the numbers of the model, which leaves them out.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kakera.formats.native import Saved
from kakera.grid import Grid
from kakera.inputs import InputSpec
from kakera.model import patches
from kakera.model.classifier import Classifier
from kakera.model.decoder import Decoder
from kakera.model.mae import MAE, VARIANCE_FLOOR
from kakera.model.presence import beyond
from kakera.model.resnet import ResNet
from kakera.model.vit import ViT
from kakera.sound.logmel import LogMel, blank_after


class Pictures(nn.Module):
    """Stored values (0 … scale), (b, c, H, W), to the model's units; nothing is absent."""

    def __init__(self, inputs: InputSpec) -> None:
        super().__init__()
        self.inputs = inputs

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor | None]:
        """Normalised pictures, and which patches are absent."""
        return self.inputs.normalise(pictures), None


class Recordings(nn.Module):
    """Waveforms (b, samples), and how many of the samples are recorded, through the log-mel front end."""

    def __init__(self, saved: Saved) -> None:
        super().__init__()
        assert saved.inputs.sound is not None
        self.inputs, self.spec = saved.inputs, saved.inputs.sound
        self.front = LogMel(self.spec)
        self.grid, self.step = parts(saved)

    def forward(self, waveforms: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor | None]:
        """Normalised spectrograms, and which patches, or cells of a CNN's maps, lie beyond the end."""
        frames = ((lengths - self.spec.frame_samples) // self.spec.hop_samples + 1).clamp(min=1)
        blank = self.inputs.mean[0] if self.inputs.blank is None else self.inputs.blank
        pictures = self.inputs.normalise(blank_after(self.front(waveforms), frames, blank))
        if self.inputs.blank is not None:
            return pictures, None
        return pictures, beyond(frames, self.grid, self.step)


def parts(saved: Saved) -> tuple[Grid, int]:
    """The patches of a picture, or the cells of a CNN's maps, and the pixels from one to the next."""
    if isinstance(saved.model, ResNet):
        return saved.model.grid(saved.inputs.size), saved.model.step
    return saved.encoder.grid, saved.encoder.shape.step[1]


class Graph(nn.Module):
    """What enters is told by `front`; the last argument of an autoencoder is the mask."""

    def __init__(self, saved: Saved) -> None:
        super().__init__()
        self.model, self.several = saved.model, saved.several
        self.front = Recordings(saved) if saved.inputs.sound else Pictures(saved.inputs)

    def forward(self, *given: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Logits and probabilities; tokens, class token first; or pictures with hidden patches guessed."""
        if isinstance(self.model, MAE):
            pictures, absent = self.front(*given[:-1])
            return self._reconstruct(self.model, pictures, given[-1], absent)
        pictures, absent = self.front(*given)
        if isinstance(self.model, ViT):
            return self.model.norm(_tokens(self.model, pictures, absent))
        logits = self._logits(self.model, pictures, absent)
        return logits, logits.sigmoid() if self.several else logits.softmax(dim=-1)

    def _logits(self, model: Classifier | ResNet, pictures: Tensor, absent: Tensor | None) -> Tensor:
        if absent is None:
            return model(pictures)
        present = (~absent).to(pictures.dtype).unsqueeze(-1)
        if isinstance(model, ResNet):
            return model.head(_mean(model.maps(pictures).flatten(2).transpose(1, 2), present))
        tokens = _tokens(model.encoder, pictures, absent)
        after = model.encoder.norm(tokens)
        first = 1 + model.encoder.shape.registers
        pooled = {
            "class": lambda: after[:, 0],
            "halves": lambda: after[:, :2].mean(dim=1),
            "distilled": lambda: (after[:, :2] / 2).flatten(1),
            "mean": lambda: model.encoder.norm(_mean(tokens[:, first:], present)),
            "class and mean": lambda: torch.cat([after[:, 0], _mean(after[:, first:], present)], dim=1),
        }[model.pool]()
        return model.head(pooled if model.head_norm is None else model.head_norm(pooled))

    def _reconstruct(self, model: MAE, pictures: Tensor, hidden: Tensor, absent: Tensor | None) -> Tensor:
        encoder, decoder = model.encoder, model.decoder
        hidden = hidden if absent is None else hidden & ~absent
        unseen = hidden if absent is None else hidden | absent
        latent = decoder.embed(encoder.norm(_tokens(encoder, pictures, unseen)))
        decode = _across if decoder.shape.cross else _among
        guess = decoder.predict(decoder.norm(decode(decoder, latent, unseen, absent)))[..., : model.pixels]
        vectors = patches.cut(pictures, encoder.shape.patch)
        if model.norm_pix_loss:
            mean = vectors.mean(dim=-1, keepdim=True)
            variance = (vectors - mean).square().sum(dim=-1, keepdim=True) / (vectors.shape[-1] - 1)
            guess = guess * (variance + VARIANCE_FLOOR).sqrt() + mean
        filled = torch.where(hidden.unsqueeze(-1), guess, vectors)
        return self.front.inputs.restore(patches.join(filled, encoder.grid, encoder.shape.patch))


def _among(decoder: Decoder, latent: Tensor, unseen: Tensor, absent: Tensor | None) -> Tensor:
    inside = torch.where(unseen.unsqueeze(-1), decoder.mask_token, latent[:, 1:])
    z = torch.cat([latent[:, :1], inside], dim=1) + decoder.positions
    void = None if absent is None else _behind(absent, 1)
    for layer in decoder.layers:
        z = layer(z, void=void)
    return z[:, 1:]


def _across(decoder: Decoder, latent: Tensor, unseen: Tensor, absent: Tensor | None) -> Tensor:
    z = (decoder.mask_token + decoder.positions[1:]).expand(latent.shape[0], -1, -1)
    for layer in decoder.layers:
        z = layer(z, latent, _behind(unseen, 1))
    return z


def _tokens(encoder: ViT, pictures: Tensor, unseen: Tensor | None) -> Tensor:
    """z^(L) of all tokens, where none attends to what is unseen."""
    z = encoder.embed(pictures)
    void = None if unseen is None else _behind(unseen, 1 + encoder.shape.registers)
    for layer in encoder.layers:
        z = layer(z, void=void)
    return z


def _behind(void: Tensor, tokens: int) -> Tensor:
    return torch.cat([torch.zeros_like(void[:, :1]).expand(-1, tokens), void], dim=1)


def _mean(tokens: Tensor, present: Tensor) -> Tensor:
    return (tokens * present).sum(dim=1) / present.sum(dim=1)
