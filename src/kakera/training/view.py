"""What the model sees of a batch: pictures as numbers, recordings as spectrograms, padding as absent."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Bool, Float, Num
from torch import Tensor, nn

from kakera.data.batch import Batch
from kakera.formats.preparation import stored, widths
from kakera.grid import Grid
from kakera.inputs import InputSpec
from kakera.model.resnet import ResNet
from kakera.model.token_index import beyond
from kakera.model.vit import ViT


@dataclass(frozen=True)
class View:
    """`grid` and `step`, in pixels across, are those of the patches."""

    inputs: InputSpec
    grid: Grid
    step: int

    @classmethod
    def of(cls, model: nn.Module, inputs: InputSpec) -> View:
        """By a Vision Transformer, or what has one inside, in patches; by a CNN in the cells of its maps."""
        if isinstance(model, ResNet):
            return cls(inputs, model.grid(inputs.size), model.step)
        encoder = model if isinstance(model, ViT) else model.encoder
        assert isinstance(encoder, ViT)
        return cls(inputs, encoder.grid, encoder.shape.step[1])

    def stored(self, batch: Batch) -> Num[Tensor, "b c H W"]:
        """In stored values (0 … scale, or log-mel): before `normalise`."""
        return stored(batch, self.inputs)

    def pictures(self, batch: Batch) -> Float[Tensor, "b c H W"]:
        """In the model's units; what lies beyond a recording's end is 0, the mean, or what `blank` says."""
        return self.inputs.normalise(self.stored(batch))

    def absent(self, batch: Batch) -> Bool[Tensor, "b n"] | None:
        """The patches beyond the recording's end; None where all are there, or `blank` ones looked at."""
        if self.inputs.sound is None or self.inputs.blank is not None:
            return None
        found = beyond(widths(batch, self.inputs.sound), self.grid, self.step)
        return found if bool(found.any()) else None
