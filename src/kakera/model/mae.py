"""The masked autoencoder (He et al. 2022; lecture L8): predict the hidden patches from the visible ones."""

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
from kakera.model.global_head import GlobalHead
from kakera.model.initialize import Seed, generator_of
from kakera.model.network import Network
from kakera.model.token_head import TokenHead
from kakera.model.token_index import MaskIndex, TokenIndex
from kakera.model.vit import ViT

VARIANCE_FLOOR = 1e-6
GLOBAL_WEIGHT = 2.0  # of the global head's loss beside that of the patches


class MAE(Network):
    """A masked autoencoder: the encoder reads the visible patches, the decoder predicts the hidden ones.

    The loss is the mean squared error on the hidden patches. `encoder` is a ViT, or the name or config of a
    new one with its `channels` and `image_size`. `decoder` is a config; the default is the decoder of the
    encoder's config. `mask_ratio` is used when `forward` gets no mask. `seed` draws a new encoder, then the
    decoder.

    With `norm_pix_loss`, the target of each patch is its pixels minus their mean, divided by their standard
    deviation (Sec. 4.1, "reconstruction target"); otherwise the target is pixels in the model's input units.
    With `hog_target`, the model also predicts oriented gradients after the pixels (Wei et al. 2022).

    With `global_target` above 0, class token and mean token also predict this number of main components of
    the whole picture's gradients, see `GlobalHead`; `global_head.fit` must see pictures first.

    With `token_target` above 0, the decoder also predicts the tokens of a frozen encoder, see `TokenHead`.
    Their loss is multiplied by `token_target`; `forward` receives the tokens, see `frozen_tokens`.

    Methods accept a mask as a Boolean tensor (b, n), True = hidden, or as a MaskIndex. With a Boolean mask,
    two more Boolean masks are possible: `padding_mask` (True = padding), and `predict_mask`, which limits the
    predicted patches to a part of the hidden ones.

    Registers take part in the encoder only. Raises OptionError if patches overlap (parts of hidden patches
    would be visible), or if `norm_pix_loss` is on and a patch is a single value.

    transformers calls it ViTMAE.

    Example:

        >>> model = MAE("nano", channels=1, image_size=28, seed=0)
        >>> loss = model(torch.rand(2, 1, 28, 28), generator=torch.Generator().manual_seed(0))
        >>> loss.shape, bool(loss > 0)
        (torch.Size([]), True)
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
        global_target: int = 0,
        token_target: float = 0.0,
        seed: Seed = None,
    ) -> None:
        super().__init__()
        generator = generator_of(seed)
        encoder = ViT.of(encoder, channels, image_size, patch, generator)
        _require_side_by_side(encoder, norm_pix_loss=norm_pix_loss)
        self.encoder, self.norm_pix_loss, self.hog_target = encoder, norm_pix_loss, hog_target
        self.mask_ratio = mask_ratio
        self.pixels = encoder.patches.project.in_features
        gradients = oriented.feature_size(encoder.config.patch, encoder.channels)
        more = gradients if hog_target else 0
        self.decoder = Decoder(encoder, decoder or encoder.config.decoder, self.pixels + more, generator)
        self.global_head: GlobalHead | None = None
        if global_target:
            width, grid = encoder.config.width, encoder.grid
            self.global_head = GlobalHead(width, global_target, grid, gradients, generator)
        self.token_head: TokenHead | None = None
        if token_target:
            widths = self.decoder.config.width, encoder.config.width
            self.token_head = TokenHead(*widths, token_target, generator)

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw new weights for the encoder, the decoder and the heads."""
        for part in (self.encoder, self.decoder, self.global_head, self.token_head):
            if part is not None:
                part.reset_parameters(generator)

    def target(
        self,
        pictures: Float[Tensor, "b c H W"],
        index: TokenIndex | None = None,
        gradients: Float[Tensor, "b n g"] | None = None,
    ) -> Float[Tensor, "b m p"]:
        """Return the prediction target (b, m, p) of the patches in `index`, or of all patches.

        The values of a patch are its pixels, then its oriented gradients if `hog_target` is on. `gradients`
        are those of `pictures`, if they are known.
        """
        vectors = patches.patchify(pictures, self.encoder.config.patch)
        vectors = vectors if index is None else index.gather(vectors)
        if self.norm_pix_loss:
            variance, mean = torch.var_mean(
                vectors, dim=-1, keepdim=True
            )  # unbiased, as in the released models
            vectors = (vectors - mean) / (variance + VARIANCE_FLOOR).sqrt()
        if not self.hog_target:
            return vectors
        gradients = self.gradients(pictures) if gradients is None else gradients
        edges = gradients if index is None else index.gather(gradients)
        return torch.cat([vectors, edges], dim=-1)

    def gradients(self, pictures: Float[Tensor, "b c H W"]) -> Float[Tensor, "b n p"]:
        """Return the oriented gradients (b, n, p) of all patches, see `hog.oriented_gradients`."""
        return oriented.oriented_gradients(pictures, self.encoder.config.patch)

    def predict(
        self,
        pictures: Float[Tensor, "b c H W"],
        mask: Bool[Tensor, "b n"] | MaskIndex,
        padding_mask: Bool[Tensor, "b n"] | None = None,
        predict_mask: Bool[Tensor, "b n"] | None = None,
    ) -> Float[Tensor, "b m p"]:
        """Return predictions (b, m, p) of the hidden patches, in the order of their numbers.

        Predictions have the units of `target`. `pictures` (b, c, H, W) are in the model's input units. See
        `MAE` for the masks. Raises OptionError for masks that cannot be used.
        """
        return self._predict(pictures, _index(mask, padding_mask, predict_mask, pictures.device))

    def forward(
        self,
        pictures: Float[Tensor, "b c H W"],
        mask: Bool[Tensor, "b n"] | MaskIndex | None = None,
        padding_mask: Bool[Tensor, "b n"] | None = None,
        predict_mask: Bool[Tensor, "b n"] | None = None,
        *,
        generator: torch.Generator | None = None,
        tokens: Float[Tensor, "r m d"] | None = None,
    ) -> Float[Tensor, ""]:
        """Return the loss: the mean squared error of the predicted patches (Sec. 3).

        The mean is taken over the values of each patch, then over the predicted patches. With a global head,
        `GLOBAL_WEIGHT` times its loss is added, and with a token head and `tokens` (r, m, d) of a frozen
        encoder that of the tokens. `pictures` (b, c, H, W) are in the model's input units.
        Without a mask, `mask_ratio` of the patches are hidden at random; `generator` draws them, or PyTorch's
        global generator if it is None. Raises OptionError for a mask that hides no patch, or that hides more
        patches in one picture than in another.
        """
        if mask is None and padding_mask is None and predict_mask is None:
            mask = MaskIndex.random(
                len(pictures), self.encoder.grid, self.mask_ratio, generator, pictures.device
            )
        index = _index(mask, padding_mask, predict_mask, pictures.device)
        latent = self._encode(pictures, index)
        decoded, gradients, rows = pictures, None, index.rows
        if self.global_head is not None:
            gradients = self.gradients(pictures)
        known = gradients
        if rows is not None:
            decoded, known = pictures[rows], None if gradients is None else gradients[rows]
        features = self._decode(latent, index)
        error = self.decoder.predict(features) - self.target(decoded, index.predicted, known)
        loss = index.predicted.mean(error.square())
        if self.token_head is not None and tokens is not None:
            loss = loss + self.token_head(features, tokens, index.predicted)
        loss = loss if index.scale is None else loss * index.scale
        if self.global_head is None:
            return loss
        mean = index.visible.mean_per_row(latent[:, 1:])
        return loss + GLOBAL_WEIGHT * self.global_head(latent[:, 0], mean, gradients)

    def _predict(self, pictures: Float[Tensor, "b c H W"], index: MaskIndex) -> Float[Tensor, "b m p"]:
        return self.decoder.predict(self._decode(self._encode(pictures, index), index))

    def _encode(self, pictures: Float[Tensor, "b c H W"], index: MaskIndex) -> Float[Tensor, "b k d"]:
        """Return the class token and the visible patches' tokens after the final norm, without registers."""
        tokens = self.encoder.tokens(pictures, index.visible)
        registers = self.encoder.config.registers
        if registers:
            tokens = torch.cat([tokens[:, :1], tokens[:, 1 + registers :]], dim=1)
        return self.encoder.norm(tokens)

    def _decode(self, latent: Float[Tensor, "b k d"], index: MaskIndex) -> Float[Tensor, "r m e"]:
        """Return the decoder's tokens for the rows that it receives."""
        latent = latent if index.rows is None else latent[index.rows]
        return self.decoder.tokens(latent, index.for_decoder())

    @torch.no_grad()
    def reconstruct(
        self,
        pictures: Float[Tensor, "b c H W"],
        mask: Bool[Tensor, "b n"] | MaskIndex,
        padding_mask: Bool[Tensor, "b n"] | None = None,
    ) -> Float[Tensor, "b c H W"]:
        """Return the pictures (b, c, H, W) with predicted hidden patches, in the model's input units.

        A model with `norm_pix_loss` cannot predict the mean and standard deviation of a patch. The true
        values are used instead. Raises OptionError for masks that cannot be used.
        """
        index = _index(mask, padding_mask, None, pictures.device)
        guess, predicted = self._predict(pictures, index)[..., : self.pixels], index.predicted
        vectors = patches.patchify(pictures, self.encoder.config.patch)
        if self.norm_pix_loss:
            variance, mean = torch.var_mean(predicted.gather(vectors), dim=-1, keepdim=True)
            guess = guess * (variance + VARIANCE_FLOOR).sqrt() + mean
        filled = predicted.scatter(vectors, guess.to(vectors.dtype))
        return patches.unpatchify(filled, self.encoder.grid, self.encoder.config.patch)

    def resize(self, size: tuple[int, int], how: positions.Resampling = "bicubic") -> None:
        """Change the picture size to (height, width) and resize the position embeddings.

        Those of encoder and decoder become new Parameters, so create the optimizer afterwards. `how` is the
        method, see `positions.resize`. The global head is dropped.
        """
        old = self.encoder.grid
        self.encoder.resize(size, how)
        resized = positions.resize(self.decoder.positions.detach(), old, self.encoder.grid, how)
        self.decoder.positions = nn.Parameter(resized, requires_grad=self.decoder.positions.requires_grad)
        self.decoder.grid = self.encoder.grid
        self.global_head = None  # its components belong to the old size

    @property
    def backbone(self) -> ViT:
        """The encoder."""
        return self.encoder

    @property
    def step(self) -> int:
        """Horizontal pixels from one patch to the next."""
        return self.encoder.step

    def grid_for(self, size: tuple[int, int]) -> Grid:
        """Return the grid of patches of pictures with `size` (height, width) in pixels.

        Raises OptionError if the patches do not divide the picture.
        """
        return self.encoder.grid_for(size)

    def with_head(self, classes: int, pool: Pooling | None = None, seed: Seed = None) -> Classifier:
        """Return a classifier with the same encoder and a new head.

        The head reads `pool`, by default the mean of the patch tokens.
        """
        return self.encoder.with_head(classes, pool, seed)

    def position_embeddings(self) -> dict[str, Tensor]:
        """Return the position embeddings (1 + n, d) of encoder and decoder."""
        return {**self.encoder.position_embeddings(), "decoder": self.decoder.positions}

    def describe(self) -> dict[str, Any]:
        """Return the configs of encoder and decoder, and the prediction target."""
        target: dict[str, Any] = {"norm_pix_loss": self.norm_pix_loss, "hog_target": self.hog_target}
        if self.global_head is not None:
            target["global_target"] = self.global_head.components
        if self.token_head is not None:
            target["token_target"] = self.token_head.factor
        decoder = asdict(self.decoder.config)
        return {**self.encoder.describe(), "kind": self.kind, "decoder": decoder, **target}

    def about(self, inputs: str) -> str:
        """Return layers, patches, inputs and prediction target in one line."""
        pixels = "normalised" if self.norm_pix_loss else "plain"
        return f"masked autoencoder: {self.encoder.size_in_words(inputs)}, predicts {pixels} pixels"


def _index(
    mask: Tensor | MaskIndex | None,
    padding_mask: Tensor | None,
    predict_mask: Tensor | None,
    device: torch.device,
) -> MaskIndex:
    """Return a mask as index tensors on the device. Raises OptionError."""
    if isinstance(mask, MaskIndex) and padding_mask is None and predict_mask is None:
        return mask.to(device)
    if not isinstance(mask, Tensor):
        got, do = "padding_mask or predict_mask without a Boolean mask", "pass them to MaskIndex.of"
        raise OptionError("mask", got=got, expected="a Boolean mask with them", do=do)
    return MaskIndex.of(mask, padding_mask, predict_mask).to(device)


def _require_side_by_side(encoder: ViT, *, norm_pix_loss: bool) -> None:
    """Raise OptionError for an encoder that cannot have a decoder."""
    if encoder.config.step != encoder.config.patch:
        do, expected = "leave the stride out", "patches side by side, so that hidden pixels stay hidden"
        got = "patches that overlap"
        raise OptionError("masked autoencoder", got=got, expected=expected, do=do)
    if encoder.config.class_tokens != 1:
        got, expected = f"an encoder with {encoder.config.class_tokens} class tokens", "one class token"
        do = "choose another encoder; fine-tuning and probes read this one"
        raise OptionError("masked autoencoder", got=got, expected=expected, do=do)
    if norm_pix_loss and encoder.patches.project.in_features == 1:
        expected, do = "two or more, to normalise each patch", "choose a larger patch, or plain pixels"
        raise OptionError("patch", got="a single value", expected=expected, do=do)
