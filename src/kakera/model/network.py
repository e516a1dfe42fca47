"""The interface that ViT, MAE, Classifier and ResNet share, so that a caller can use any of them."""

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
    """The base class of all networks: it takes pictures (b, c, H, W) in the model's input units.

    Some of the patches, or of the cells of feature maps, may be padding.

    Example:

        >>> from kakera.model.vit import ViT
        >>> model: Network = ViT("nano", channels=1, image_size=28, seed=0)
        >>> model.kind, model.grid_for((28, 28)).count
        ('encoder', 49)
    """

    kind: ClassVar[str]
    """The name of the kind in `kakera.json`: encoder, mae, classifier or cnn."""
    has_attention: ClassVar[bool] = True
    """True if the network has tokens that attend to each other: all kinds except a CNN."""
    reconstructs: ClassVar[bool] = False
    """True if the network predicts hidden patches."""
    classifies: ClassVar[bool] = False
    """True if the network has a `head` that returns one logit for each class."""
    prefix: ClassVar[str] = "encoder."
    """The prefix of the Vision Transformer's tensor names in `state_dict`."""
    classes: int = 0
    """The number of classes; 0 without a head."""
    head_epsilon: float | None = None
    """The epsilon of a layer norm before the head; None without such a norm."""

    @property
    def pool(self) -> Pooling | None:
        """The tokens that the head reads; None without a head on tokens."""
        return None

    @property
    def drop_path_layers(self) -> int:
        """The number of layers with stochastic depth; 0 if it is not used."""
        return 0

    @property
    def backbone(self) -> ViT | None:
        """The Vision Transformer of this network, which may be the network itself; None for a CNN."""
        return None

    @property
    def step(self) -> int:
        """Horizontal pixels from one patch to the next, or from one cell of the feature maps to the next."""
        raise NotImplementedError

    def grid_for(self, size: tuple[int, int]) -> Grid:
        """Return the grid of patches, or of cells of the last feature maps, for pictures of `size`.

        `size` is (height, width) in pixels.
        """
        raise NotImplementedError

    def resize(self, size: tuple[int, int], how: Resampling = "bicubic") -> None:
        """Change the picture size to (height, width) pixels. Raises OptionError."""
        raise NotImplementedError

    def with_head(self, classes: int, pool: Pooling | None = None, seed: Seed = None) -> Classifier | ResNet:
        """Return a classifier with the weights of this network and a new head.

        `pool` selects the tokens that the head reads. By default it is the pool of the old head, or the mean.
        `seed` draws the head.
        """
        raise NotImplementedError

    def position_embeddings(self) -> dict[str, Tensor]:
        """Return the position embeddings (1 + n, d), with the keys "encoder" and "decoder"."""
        return {}

    def describe(self) -> dict[str, Any]:
        """Return plain values from which the same network can be built: `kind` and its config."""
        raise NotImplementedError

    def about(self, inputs: str) -> str:
        """Return kind, size, the text `inputs` and the output, in one line."""
        raise NotImplementedError
