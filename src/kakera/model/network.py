"""The face that ViT, MAE, Classifier and ResNet share: who asks it need not know which of them it has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor, nn

from kakera.grid import Grid
from kakera.model.initialize import Seed
from kakera.model.positions import Resampling

if TYPE_CHECKING:
    from kakera.model.classifier import Classifier, Pooling
    from kakera.model.resnet import ResNet
    from kakera.model.vit import ViT


class Network(nn.Module):
    """A network that takes pictures (b, c, H, W) in its own units, some of whose cells may be padding."""

    kind: ClassVar[str]
    """Its name in `kakera.json`: encoder, mae, classifier or cnn."""
    has_attention: ClassVar[bool] = True
    """Whether it has tokens that attend to each other: all but a CNN."""
    reconstructs: ClassVar[bool] = False
    """Whether it predicts hidden patches."""
    classifies: ClassVar[bool] = False
    """Whether it gives one logit a class, from a `head`."""
    prefix: ClassVar[str] = "encoder."
    """What the names of the Vision Transformer's tensors begin with in `state_dict`."""
    classes: int = 0
    """How many classes it tells apart; 0 without a head."""
    head_epsilon: float | None = None
    """Epsilon of a layer norm before the head; None where there is no such norm."""

    @property
    def pool(self) -> Pooling | None:
        """What of the tokens the head reads; None without a head on tokens."""
        return None

    @property
    def drop_path_layers(self) -> int:
        """How many layers stochastic depth may leave out; 0 where it is not used."""
        return 0

    @property
    def backbone(self) -> ViT | None:
        """The Vision Transformer inside, or itself; None in a CNN."""
        return None

    @property
    def step(self) -> int:
        """Pixels across from one cell to the next: from patch to patch, or from cell to cell of the maps."""
        raise NotImplementedError

    def grid_for(self, size: tuple[int, int]) -> Grid:
        """Return the grid of patches, or of cells of the last maps, of pictures of (height, width) pixels."""
        raise NotImplementedError

    def resize(self, size: tuple[int, int], how: Resampling = "bicubic") -> None:
        """Take pictures of (height, width) pixels from now on. Raises OptionError."""
        raise NotImplementedError

    def with_head(self, classes: int, pool: Pooling | None = None, seed: Seed = None) -> Classifier | ResNet:
        """Return a classifier of this network, whose weights it shares, with a new head.

        `pool` is what the head reads of the tokens: without one what the old head reads, or the mean; `seed`
        draws the head.
        """
        raise NotImplementedError

    def position_embeddings(self) -> dict[str, Tensor]:
        """Return the position vectors (1 + n, d) of encoder and decoder, by these names."""
        return {}

    def describe(self) -> dict[str, Any]:
        """Return what builds the same network anew, as plain values: `kind` and its shape."""
        raise NotImplementedError

    def about(self, inputs: str) -> str:
        """Return kind, size, `inputs` in words, and what it gives, in one line."""
        raise NotImplementedError
