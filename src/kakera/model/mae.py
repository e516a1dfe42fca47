"""The masked autoencoder (He et al. 2022; lecture L8): guess the hidden patches from the visible ones."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from kakera.errors import OptionError, sentence
from kakera.model import hog as oriented
from kakera.model import patches, positions
from kakera.model.configs import DecoderConfig
from kakera.model.decoder import Decoder
from kakera.model.roles import Roles, roles
from kakera.model.vit import ViT

VARIANCE_FLOOR = 1e-6


class MAE(nn.Module):
    """Encoder on the visible patches, decoder on all, mean squared error on the hidden ones.

    `normalised` predicts each patch after subtracting its mean and dividing by its deviation
    (Sec. 4.1, "reconstruction target"); otherwise plain pixels, in the model's input units. `gradients`
    predicts oriented gradients after the pixels (Wei et al. 2022). Raises OptionError where a patch is a
    single value, which has no deviation, or where patches overlap: a hidden one would be seen in part,
    and for an encoder with registers, which no decoder knows.
    Patches may be `absent` in every method that takes a mask; those are never `hidden`. Of the hidden
    patches only those `asked` for are predicted, where that is given.
    """

    def __init__(
        self, encoder: ViT, decoder: DecoderConfig, *, norm_pix_loss: bool = True, hog_target: bool = False
    ) -> None:
        super().__init__()
        if encoder.shape.step != encoder.shape.patch:
            raise OptionError(
                sentence(
                    "masked autoencoder",
                    got="patches that overlap",
                    expected="patches side by side, so that what is hidden is not seen",
                    do="leave the stride out",
                )
            )
        if norm_pix_loss and encoder.patches.project.in_features == 1:
            raise OptionError(
                sentence(
                    "patch",
                    got="a single value",
                    expected="two or more, where each patch is normalised",
                    do="choose a larger patch, or plain pixels",
                )
            )
        if encoder.shape.registers:
            raise OptionError(
                sentence(
                    "encoder",
                    got=f"{encoder.shape.registers} registers",
                    expected="a class token and patches only",
                    do="choose another model to pretrain",
                )
            )
        self.encoder, self.norm_pix_loss, self.hog_target = encoder, norm_pix_loss, hog_target
        self.pixels = encoder.patches.project.in_features
        more = oriented.width(encoder.shape.patch, encoder.channels) if hog_target else 0
        self.decoder = Decoder(encoder, decoder, self.pixels + more)

    def initialise(self, generator: torch.Generator) -> None:
        """Both halves anew."""
        self.encoder.initialise(generator)
        self.decoder.initialise(generator)

    def target(self, pictures: Float[Tensor, "b c H W"]) -> Float[Tensor, "b n p"]:
        """What should be predicted for every patch: its pixels, then its gradients if they are asked for."""
        vectors = patches.cut(pictures, self.encoder.shape.patch)
        if self.norm_pix_loss:
            variance, mean = torch.var_mean(vectors, dim=-1, keepdim=True)  # unbiased, as released
            vectors = (vectors - mean) / (variance + VARIANCE_FLOOR).sqrt()
        if not self.hog_target:
            return vectors
        return torch.cat([vectors, oriented.oriented_gradients(pictures, self.encoder.shape.patch)], dim=-1)

    def predict(
        self,
        pictures: Float[Tensor, "b c H W"],
        hidden: Bool[Tensor, "b n"],
        absent: Bool[Tensor, "b n"] | None = None,
        asked: Bool[Tensor, "b n"] | None = None,
    ) -> Float[Tensor, "b m p"]:
        """The prediction for each patch to guess, in units of `target`, in the order of their numbers."""
        return self._guess(pictures, roles(hidden, absent, asked, pictures.device))

    def forward(
        self,
        pictures: Float[Tensor, "b c H W"],
        hidden: Bool[Tensor, "b n"],
        absent: Bool[Tensor, "b n"] | None = None,
        asked: Bool[Tensor, "b n"] | None = None,
    ) -> Float[Tensor, ""]:
        """The loss: squared error, mean over a patch's values, then over the patches to guess (Sec. 3)."""
        of = roles(hidden, absent, asked, pictures.device)
        wrong = self._guess(pictures, of) - of.wanted.pick(self.target(pictures))
        return of.wanted.mean(wrong.square())

    def _guess(self, pictures: Float[Tensor, "b c H W"], of: Roles) -> Float[Tensor, "b m p"]:
        latent = self.encoder.norm(self.encoder.tokens(pictures, of.entered))
        return self.decoder(latent, of)

    @torch.no_grad()
    def reconstruct(
        self,
        pictures: Float[Tensor, "b c H W"],
        hidden: Bool[Tensor, "b n"],
        absent: Bool[Tensor, "b n"] | None = None,
    ) -> Float[Tensor, "b c H W"]:
        """The pictures with their hidden patches predicted, in the model's input units.

        A model of normalised pixels cannot know a patch's mean and deviation: it borrows the true ones.
        """
        of = roles(hidden, absent, device=pictures.device)
        guess, wanted = self._guess(pictures, of)[..., : self.pixels], of.wanted
        vectors = patches.cut(pictures, self.encoder.shape.patch)
        if self.norm_pix_loss:
            variance, mean = torch.var_mean(wanted.pick(vectors), dim=-1, keepdim=True)
            guess = guess * (variance + VARIANCE_FLOOR).sqrt() + mean
        filled = wanted.put(vectors, guess.to(vectors.dtype))
        return patches.join(filled, self.encoder.grid, self.encoder.shape.patch)

    def resize(self, size: tuple[int, int], how: positions.Resampling = "bicubic") -> None:
        """Take pictures of another size from now on: the positions of both halves are resized."""
        old = self.encoder.grid
        self.encoder.resize(size, how)
        resized = positions.resize(self.decoder.positions.detach(), old, self.encoder.grid, how)
        self.decoder.positions = nn.Parameter(resized, requires_grad=self.decoder.positions.requires_grad)
