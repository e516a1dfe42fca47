"""`Embedder`: a transformer of scikit-learn that turns files into vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassNamePrefixFeaturesOutMixin, TransformerMixin

from kakera.formats.tokens.store import PoolName
from kakera.option_fields import AUTO, Auto
from kakera.sklearn.base import EncoderEstimator
from kakera.sklearn.samples import Samples


class Embedder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, EncoderEstimator):
    """Turn files into vectors (n, d) with a frozen encoder, as `kakera embed` does.

    `init_from` is a run folder, or weights of another library. `pool` selects the vector: "class", "mean",
    "class and mean" or "attention"; "auto" is the pool of the classifier, or the encoder's default. With
    `cache`, vectors are kept in the cache folder that `kakera fit` and `kakera embed` share. `device` is
    "auto", "cpu" or a GPU. `workers` is the number of processes that read files; "auto" uses all cores for
    more than 256 files. `fit` learns no weights: it opens the encoder, and measures black and white of deep
    pictures. X is as in `samples_of`. All methods raise ValueError for unreadable files and wrong values.

    Example:

        >>> from kakera import InputSpec, ViT
        >>> from kakera.formats.bundle import Pretrained
        >>> saved = Pretrained(ViT("nano", channels=1, image_size=8), InputSpec(1, 8, 8, (0.5,), (0.5,)))
        >>> saved.save("run")
        >>> X = np.zeros((3, 8, 8), np.uint8)
        >>> Embedder("run", pool="mean", cache=False).fit_transform(X).shape
        (3, 64)
    """

    pool_: PoolName
    """The pooling that is used."""

    def __init__(
        self,
        init_from: str | Path = "",
        *,
        pool: str = AUTO,
        cache: bool = True,
        device: str = AUTO,
        workers: int | Auto = AUTO,
    ) -> None:
        self.init_from = init_from
        self.pool = pool
        self.cache = cache
        self.device = device
        self.workers = workers

    def fit(self, X: Samples, y: Any = None) -> Embedder:  # noqa: N803  # scikit-learn's name
        """Open the encoder, and return the estimator. Raises OptionError, RunError and DataError."""
        encoder, _ = self._opened(X)
        self.pool_ = encoder.require_pool(self.pool)
        double = self.pool_ in ("class and mean", "distilled")
        self._n_features_out = encoder.encoder.width * (2 if double else 1)
        return self

    def transform(self, X: Samples) -> NDArray[np.float32]:  # noqa: N803
        """Return the vectors of the samples, float32 (n, d). Raises DataError and RunError."""
        return self._tokens_of(X, getattr(self, "pool_", "class"))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        assert tags.transformer_tags is not None
        tags.transformer_tags.preserves_dtype = []  # vectors are float32, whatever the files are
        return tags
