"""The masked autoencoder (He et al. 2022; lecture L8): guess the hidden patches from the visible ones."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from kakera.errors import OptionError
from kakera.grid import Grid
from kakera.model import hog as oriented
from kakera.model import patches, positions
from kakera.model.classifier import Classifier, Pooling
from kakera.model.configs import DecoderConfig, ViTConfig
from kakera.model.decoder import Decoder
from kakera.model.initialize import Seed, generator_of
from kakera.model.network import Network
from kakera.model.token_index import MaskIndex, TokenIndex
from kakera.model.vit import ViT

VARIANCE_FLOOR = 1e-6


class MAE(Network):
    """Encoder on the visible patches, decoder on all, mean squared error on the hidden ones.

    The encoder is a ViT, or a name or config of one with its `channels` and `image_size`; the decoder is by
    default that of the config. `norm_pix_loss` predicts each patch after subtracting its mean and dividing by
    its deviation (Sec. 4.1, "reconstruction target"); otherwise plain pixels, in the model's input units.
    `hog_target` predicts oriented gradients after the pixels (Wei et al. 2022). `seed` draws a new encoder,
    then the decoder. Raises OptionError where a patch is a single value, which has no deviation, or where
    patches overlap: a hidden one would be seen in part, and for an encoder with registers, which no decoder
    knows.

    Where a method takes a mask, that is Boolean (b, n), True = hidden, or a MaskIndex. Beside a Boolean one
    patches may be `padding_mask`, and only those `predict_mask` for predicted, of those that are hidden.
    """

    kind = "mae"
    reconstructs = True

    def __init__(
        self,
        encoder: ViT | ViTConfig | str,
        decoder: DecoderConfig | None = None,
        *,
        channels: int | None = None,
        image_size: int | tuple[int, int] | None = None,
        patch: int | tuple[int, int] | None = None,
        mask_ratio: float = 0.75,
        norm_pix_loss: bool = True,
        hog_target: bool = False,
        seed: Seed = None,
    ) -> None:
        super().__init__()
        generator = generator_of(seed)
        encoder = ViT.of(encoder, channels, image_size, patch, generator)
        _require_side_by_side(encoder, norm_pix_loss=norm_pix_loss)
        self.encoder, self.norm_pix_loss, self.hog_target = encoder, norm_pix_loss, hog_target
        self.mask_ratio = mask_ratio
        self.pixels = encoder.patches.project.in_features
        more = oriented.feature_size(encoder.config.patch, encoder.channels) if hog_target else 0
        self.decoder = Decoder(encoder, decoder or encoder.config.decoder, self.pixels + more, generator)

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw both halves anew."""
        self.encoder.reset_parameters(generator)
        self.decoder.reset_parameters(generator)

    def target(
        self, pictures: Float[Tensor, "b c H W"], index: TokenIndex | None = None
    ) -> Float[Tensor, "b m p"]:
        """Return what should be predicted for the patches of an index, or for all: pixels, then gradients."""
        vectors = patches.patchify(pictures, self.encoder.config.patch)
        vectors = vectors if index is None else index.gather(vectors)
        if self.norm_pix_loss:
            variance, mean = torch.var_mean(vectors, dim=-1, keepdim=True)  # unbiased, as released
            vectors = (vectors - mean) / (variance + VARIANCE_FLOOR).sqrt()
        if not self.hog_target:
            return vectors
        edges = oriented.oriented_gradients(pictures, self.encoder.config.patch)
        return torch.cat([vectors, edges if index is None else index.gather(edges)], dim=-1)

    def predict(
        self,
        pictures: Float[Tensor, "b c H W"],
        mask: Bool[Tensor, "b n"] | MaskIndex,
        padding_mask: Bool[Tensor, "b n"] | None = None,
        predict_mask: Bool[Tensor, "b n"] | None = None,
    ) -> Float[Tensor, "b m p"]:
        """Guess each hidden patch, in units of `target`, in the order of their numbers."""
        return self._guess(pictures, _index(mask, padding_mask, predict_mask, pictures.device))

    def forward(
        self,
        pictures: Float[Tensor, "b c H W"],
        mask: Bool[Tensor, "b n"] | MaskIndex | None = None,
        padding_mask: Bool[Tensor, "b n"] | None = None,
        predict_mask: Bool[Tensor, "b n"] | None = None,
        *,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, ""]:
        """Return the loss: squared error, mean over a patch's values, then over those to guess (Sec. 3).

        Without a mask `mask_ratio` of the patches are hidden, which the generator draws, or PyTorch's global
        one. Raises OptionError for a mask that hides nothing, or more patches in one picture than in another.
        """
        if mask is None and padding_mask is None and predict_mask is None:
            mask = MaskIndex.random(
                len(pictures), self.encoder.grid, self.mask_ratio, generator, pictures.device
            )
        index = _index(mask, padding_mask, predict_mask, pictures.device)
        wrong = self._guess(pictures, index) - self.target(pictures, index.predicted)
        return index.predicted.mean(wrong.square())

    def _guess(self, pictures: Float[Tensor, "b c H W"], index: MaskIndex) -> Float[Tensor, "b m p"]:
        latent = self.encoder.norm(self.encoder.tokens(pictures, index.visible))
        return self.decoder(latent, index)

    @torch.no_grad()
    def reconstruct(
        self,
        pictures: Float[Tensor, "b c H W"],
        mask: Bool[Tensor, "b n"] | MaskIndex,
        padding_mask: Bool[Tensor, "b n"] | None = None,
    ) -> Float[Tensor, "b c H W"]:
        """Return the pictures with their hidden patches predicted, in the model's input units.

        A model of normalised pixels cannot know a patch's mean and deviation: it borrows the true ones.
        """
        index = _index(mask, padding_mask, None, pictures.device)
        guess, wanted = self._guess(pictures, index)[..., : self.pixels], index.predicted
        vectors = patches.patchify(pictures, self.encoder.config.patch)
        if self.norm_pix_loss:
            variance, mean = torch.var_mean(wanted.gather(vectors), dim=-1, keepdim=True)
            guess = guess * (variance + VARIANCE_FLOOR).sqrt() + mean
        filled = wanted.scatter(vectors, guess.to(vectors.dtype))
        return patches.unpatchify(filled, self.encoder.grid, self.encoder.config.patch)

    def resize(self, size: tuple[int, int], how: positions.Resampling = "bicubic") -> None:
        """Take pictures of another size from now on: the positions of both halves are resized.

        They are new Parameters: make an optimizer afterwards.
        """
        old = self.encoder.grid
        self.encoder.resize(size, how)
        resized = positions.resize(self.decoder.positions.detach(), old, self.encoder.grid, how)
        self.decoder.positions = nn.Parameter(resized, requires_grad=self.decoder.positions.requires_grad)
        self.decoder.grid = self.encoder.grid

    @property
    def backbone(self) -> ViT:
        """The encoder."""
        return self.encoder

    @property
    def step(self) -> int:
        """Pixels across from one patch to the next."""
        return self.encoder.step

    def grid_for(self, size: tuple[int, int]) -> Grid:
        """Return the grid of the patches of pictures of (height, width) pixels. Raises OptionError."""
        return self.encoder.grid_for(size)

    def with_head(self, classes: int, pool: Pooling | None = None, seed: Seed = None) -> Classifier:
        """Return a classifier of the encoder; its head reads the mean of the patches, or `pool`."""
        return self.encoder.with_head(classes, pool, seed)

    def position_embeddings(self) -> dict[str, Tensor]:
        """Return the positions (1 + n, d) of encoder and decoder."""
        return {"encoder": self.encoder.positions, "decoder": self.decoder.positions}

    def describe(self) -> dict[str, Any]:
        """Return the encoder's shape, the decoder's, and what is predicted."""
        target = {"norm_pix_loss": self.norm_pix_loss, "hog_target": self.hog_target}
        decoder = asdict(self.decoder.config)
        return {**self.encoder.describe(), "kind": self.kind, "decoder": decoder, **target}

    def about(self, inputs: str) -> str:
        """Return layers, patches, inputs and what is predicted in one line."""
        pixels = "normalised" if self.norm_pix_loss else "plain"
        return f"masked autoencoder: {self.encoder.size_in_words(inputs)}, decoder of {pixels} pixels"


def _index(
    mask: Tensor | MaskIndex | None,
    padding_mask: Tensor | None,
    predict_mask: Tensor | None,
    device: torch.device,
) -> MaskIndex:
    """A mask as index tensors on the device. Raises OptionError."""
    if isinstance(mask, MaskIndex) and padding_mask is None and predict_mask is None:
        return mask.to(device)
    if not isinstance(mask, Tensor):
        got, do = "absent or asked without a Boolean mask", "give them to MaskIndex.of"
        raise OptionError("mask", got=got, expected="a Boolean mask beside them", do=do)
    return MaskIndex.of(mask, padding_mask, predict_mask).to(device)


def _require_side_by_side(encoder: ViT, *, norm_pix_loss: bool) -> None:
    """Raises OptionError for an encoder that no decoder can be behind."""
    if encoder.config.step != encoder.config.patch:
        do, expected = "leave the stride out", "patches side by side, so that what is hidden is not seen"
        got = "patches that overlap"
        raise OptionError("masked autoencoder", got=got, expected=expected, do=do)
    if norm_pix_loss and encoder.patches.project.in_features == 1:
        expected, do = "two or more, where each patch is normalised", "choose a larger patch, or plain pixels"
        raise OptionError("patch", got="a single value", expected=expected, do=do)
    if encoder.config.registers:
        got, expected = f"{encoder.config.registers} registers", "a class token and patches only"
        raise OptionError("encoder", got=got, expected=expected, do="choose another model to pretrain")
