"""The common part of the estimators: their encoder, and the tokens of their samples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted, validate_data

from kakera.data.dataset import Dataset
from kakera.data.images.value_range import Ranges
from kakera.errors import RunError
from kakera.formats.tokens.store import PoolName
from kakera.option_fields import AUTO, Auto
from kakera.sklearn.encoders import SharedEncoder, shared_encoder
from kakera.sklearn.samples import Samples, samples_of


def plain_number(value: Any) -> Any:
    """Return a whole number of NumPy, such as one of a parameter grid, as int; another value as it is.

    Example:

        >>> plain_number(np.int64(3)), plain_number("auto")
        (3, 'auto')
    """
    return int(value) if isinstance(value, np.integer) else value


class EncoderEstimator(BaseEstimator):
    """An estimator with a frozen encoder. A pickle has the name of the encoder, not its weights.

    See `kakera.sklearn.embedder.Embedder`.
    """

    init_from: str | Path
    cache: bool
    device: str
    workers: int | Auto
    encoder_digest_: str
    """Digest of weights, configuration and input of the encoder at `fit`."""
    ranges_: Ranges
    """The values of black and white in deep pictures, measured at `fit`."""

    def _samples(self, X: Samples, *, reset: bool) -> list[Any]:  # noqa: N803  # scikit-learn's name
        """Return the samples; a column (n, 1) also sets or checks the names and the number of features."""
        if getattr(X, "ndim", None) == 2 and X.shape[1] == 1:
            validate_data(self, X, reset=reset, skip_check_array=True)
        return samples_of(X)

    def _opened(self, X: Samples) -> tuple[SharedEncoder, Dataset]:  # noqa: N803
        """Open encoder and samples for a fit, and store what other samples need."""
        if self.device not in (AUTO, "cpu"):  # also if all tokens are in the cache
            from kakera.training.device import device_of

            device_of(self.device)
        samples, encoder = self._samples(X, reset=True), shared_encoder(self.init_from)
        dataset = encoder.opened(samples)
        self.encoder_digest_, self.ranges_ = encoder.digest, dataset.ranges
        return encoder, dataset

    def _tokens(
        self, encoder: SharedEncoder, dataset: Dataset, pools: Sequence[PoolName]
    ) -> dict[PoolName, NDArray[np.float32]]:
        workers = plain_number(self.workers)
        return encoder.tokens(dataset, pools, cache=self.cache, device=self.device, workers=workers)

    def _tokens_of(self, X: Samples, pool: PoolName) -> NDArray[np.float32]:  # noqa: N803
        """Return tokens (n, d) of samples for a fitted estimator. Raises RunError for other weights."""
        check_is_fitted(self)
        samples, encoder = self._samples(X, reset=False), shared_encoder(self.init_from)
        if encoder.digest != self.encoder_digest_:
            got, expected = "other weights than at fit", "the same encoder"
            raise RunError(str(self.init_from), got=got, expected=expected, do="fit again")
        return self._tokens(encoder, encoder.opened(samples, self.ranges_), [pool])[pool]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        inputs = tags.input_tags
        inputs.one_d_array = inputs.three_d_array = inputs.string = True
        inputs.two_d_array = False
        return tags
