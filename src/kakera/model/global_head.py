"""The global target: class token and mean token predict the main components of the whole picture's gradients.

The decoder of a masked autoencoder reads the visible patch tokens, so the class token and the mean of the
tokens, which classifiers read, get little of the loss. Here two linear maps predict the oriented gradients of
the whole picture from them (as targets: Dalal and Triggs 2005; Wei et al. 2022, Sec. 3). The gradients are
projected onto their principal components, which are partly whitened, so that fine components also count.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from kakera.grid import Grid
from kakera.model.initialize import Seed, generator_of, reset_layers
from kakera.model.linear import Linear

MOST_CELLS = 8  # of the coarse grid, down and across: patches of finer grids are averaged
WHITENING = 0.25  # power of the variance that divides each component: 0 would keep it, 0.5 would whiten it
SMALLEST = 1e-6  # variances below this share of the largest one count as this share


class GlobalHead(nn.Module):
    """Two linear maps from the class token and from the mean of the visible tokens to `components` numbers.

    `width` is that of the tokens, `grid` that of the patches. `values` is the number of oriented gradients of
    a patch, see `hog.feature_size`. The components are unknown until `fit` has seen pictures; until then,
    targets are 0. `seed` draws the weights.

    Example:

        >>> head = GlobalHead(8, 5, Grid(2, 2), values=9, seed=0)
        >>> gradients = torch.rand(20, 4, 9)
        >>> head.fit(head.features(gradients))
        >>> head.target(gradients).shape, head(torch.zeros(20, 8), torch.zeros(20, 8), gradients).shape
        (torch.Size([20, 5]), torch.Size([]))
    """

    mean: Tensor
    projection: Tensor

    def __init__(self, width: int, components: int, grid: Grid, values: int, seed: Seed = None) -> None:
        super().__init__()
        self.grid, self.components = grid, components
        self.cells = (min(grid.rows, MOST_CELLS), min(grid.cols, MOST_CELLS))
        features = self.cells[0] * self.cells[1] * values
        self.from_class, self.from_mean = Linear(width, components), Linear(width, components)
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("projection", torch.zeros(features, components))
        if not self.mean.is_meta:
            self.reset_parameters(generator_of(seed))

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw new weights: Xavier-uniform, zero biases."""
        reset_layers(self, generator)

    @torch.no_grad()
    def fit(self, features: Float[Tensor, "m f"]) -> None:
        """Compute mean and components from the `features` of pictures.

        With fewer pictures or features than components, the other components are 0.
        """
        features = features.double()
        mean = features.mean(dim=0)
        centred = features - mean
        few = len(centred) < centred.shape[1]
        spread, axes = torch.linalg.eigh((centred @ centred.T if few else centred.T @ centred) / len(centred))
        order = spread.argsort(descending=True)[: self.components]
        spread, axes = spread[order], axes[:, order]
        known = spread > SMALLEST * spread[:1].clamp(min=torch.finfo(spread.dtype).tiny)
        spread, axes = spread[known], axes[:, known]
        if few:
            axes = functional.normalize(centred.T @ axes, dim=0)
        axes = (
            axes * axes.gather(0, axes.abs().argmax(dim=0, keepdim=True)).sign()
        )  # one sign on all machines
        scaled = axes * spread**-WHITENING
        size = (spread ** (1 - 2 * WHITENING)).mean().sqrt() if len(spread) else 1.0
        self.mean.copy_(mean)
        self.projection.zero_()
        self.projection[:, : scaled.shape[1]] = (scaled / size).to(self.projection.dtype)

    def target(self, gradients: Float[Tensor, "b n p"]) -> Float[Tensor, "b k"]:
        """Return the components (b, k) of the gradients of all patches of pictures.

        Their mean square over the fitted pictures is 1.
        """
        return (self.features(gradients) - self.mean) @ self.projection

    def forward(
        self,
        class_token: Float[Tensor, "b d"],
        mean_token: Float[Tensor, "b d"],
        gradients: Float[Tensor, "b n p"],
    ) -> Float[Tensor, ""]:
        """Return the loss: the mean squared errors of the predictions from both tokens, added."""
        target = self.target(gradients)
        of_class, of_mean = self.from_class(class_token) - target, self.from_mean(mean_token) - target
        return of_class.square().mean() + of_mean.square().mean()

    def features(self, gradients: Float[Tensor, "b n p"]) -> Float[Tensor, "b f"]:
        """Return the gradients (b, n, p) of all patches as vectors (b, f), on at most 8 × 8 cells."""
        if self.cells != (self.grid.rows, self.grid.cols):
            maps = gradients.mT.unflatten(2, (self.grid.rows, self.grid.cols))
            gradients = functional.adaptive_avg_pool2d(maps, self.cells).flatten(2).mT
        return gradients.flatten(1)
