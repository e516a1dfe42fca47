"""`KakeraClassifier`: a classifier of scikit-learn, with a head on the tokens of a frozen encoder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, column_or_1d

from kakera.commands.fitting.head import AUTOMATIC, best_head
from kakera.errors import DataError, OptionError
from kakera.formats.tokens.store import PoolName
from kakera.option_fields import AUTO, Auto, Bounds, check_number
from kakera.sklearn.base import EncoderEstimator, plain_number
from kakera.sklearn.encoders import SharedEncoder
from kakera.sklearn.samples import Samples
from kakera.training.heads.fits import HeadKind
from kakera.training.heads.linear_head import Array, probabilities


class KakeraClassifier(ClassifierMixin, EncoderEstimator):
    """Classify files with a linear head on the tokens of a frozen encoder, as `kakera fit` does.

    `head` is "ridge", "logistic" or "prototype" (class means); "auto" fits all of them and keeps the best on
    labels that each fit leaves out. `pool` is as in `Embedder`; "auto" tries the poolings of the encoder. The
    head chooses its own penalty, and a temperature that calibrates the probabilities (Guo et al. 2017,
    section 4.2). `random_state` draws the parts that are left out. The other parameters are as in `Embedder`.
    X is as in `samples_of`, y (n,) are the labels. All methods raise ValueError for unreadable files and
    wrong values.

    Example:

        >>> from kakera import InputSpec, ViT
        >>> from kakera.formats.bundle import Pretrained
        >>> saved = Pretrained(ViT("nano", channels=1, image_size=8), InputSpec(1, 8, 8, (0.5,), (0.5,)))
        >>> saved.save("run")
        >>> X = np.repeat(np.array([0, 250], np.uint8), 4)[:, None, None] * np.ones((8, 8), np.uint8)
        >>> y = np.repeat(["dark", "bright"], 4)
        >>> KakeraClassifier("run", head="ridge", cache=False).fit(X, y).score(X, y)
        1.0
    """

    classes_: NDArray[Any]
    """The classes (c,), sorted."""
    head_: str
    """The kind of the head that is used."""
    pool_: PoolName
    """The pooling that it reads."""
    coef_: Array
    """Its weights (c, d), divided by the temperature."""
    intercept_: Array
    """Its biases (c,), divided by the temperature."""
    temperature_: float
    """The temperature in the weights."""
    tried_: tuple[Mapping[str, Any], ...]
    """All heads that were tried, the best first, with their measures on the labels that each fit left out."""

    def __init__(
        self,
        init_from: str | Path = "",
        *,
        head: str = AUTO,
        pool: str = AUTO,
        cache: bool = True,
        device: str = AUTO,
        workers: int | Auto = AUTO,
        random_state: int = 0,
    ) -> None:
        self.init_from = init_from
        self.head = head
        self.pool = pool
        self.cache = cache
        self.device = device
        self.workers = workers
        self.random_state = random_state

    def fit(self, X: Samples, y: Any) -> KakeraClassifier:  # noqa: N803  # scikit-learn's name
        """Fit a head to the labels y (n,), and return the estimator.

        Raises OptionError, RunError, and DataError also for labels of one class.
        """
        if y is None:
            got = "None; this estimator requires y to be passed, but the target y is None"
            raise DataError("y", got=got, expected="a label for each file", do="pass y")
        _require_known(y)
        labels = column_or_1d(y, warn=True)
        if labels.dtype.kind == "f":
            assert_all_finite(labels, input_name="y")
        check_classification_targets(labels)
        seed = plain_number(self.random_state)
        check_number("random_state", seed, int, Bounds(0))
        kinds = self._kinds()
        encoder, dataset = self._opened(X)
        check_consistent_length(dataset.split, labels)
        self.classes_, codes = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            got = f"labels of one class ({self.classes_[0]})"
            raise DataError("y", got=got, expected="two or more classes", do="add files of another class")
        names = tuple(map(str, self.classes_))
        train = replace(dataset, labels=codes.astype(np.int64), classes=names)
        tokens = self._tokens(encoder, train, self._pools(encoder))
        found = best_head(train, cast("Any", tokens), codes.astype(np.int64), kinds, seed)
        self.head_, self.pool_ = found.kind, cast("PoolName", found.pool)
        self.coef_, self.intercept_ = found.head.weights.T, found.head.bias
        self.temperature_, self.tried_ = found.temperature, found.tried
        return self

    def _kinds(self) -> tuple[HeadKind, ...]:
        if self.head == AUTO:
            return AUTOMATIC
        known = get_args(HeadKind)
        if self.head not in known:
            expected = ", ".join((AUTO, *known))
            raise OptionError("head", got=self.head, expected=expected, do="choose one of these")
        return (cast("HeadKind", self.head),)

    def _pools(self, encoder: SharedEncoder) -> tuple[PoolName, ...]:
        return encoder.encoder.pools if self.pool == AUTO else (encoder.require_pool(self.pool),)

    def predict_proba(self, X: Samples) -> Array:  # noqa: N803
        """Return the probability of each class for each sample (n, c). Raises DataError and RunError."""
        tokens = self._tokens_of(X, getattr(self, "pool_", "class"))
        return probabilities(tokens @ self.coef_.T + self.intercept_)

    def predict(self, X: Samples) -> NDArray[Any]:  # noqa: N803
        """Return the most probable class of each sample (n,). Raises DataError and RunError."""
        rows = self.predict_proba(X)  # names an estimator that is not fitted
        return self.classes_[rows.argmax(axis=1)]


def _require_known(y: Any) -> None:
    """Raise DataError for a missing label among texts: NumPy would make a class "nan" or "None" of it."""
    if not isinstance(y, Iterable) or (isinstance(y, np.ndarray) and y.dtype.kind != "O"):
        return
    for number, label in enumerate(cast("Iterable[Any]", y)):
        if type(label).__name__ in ("NoneType", "NAType") or (isinstance(label, float) and label != label):
            do = "leave this file out"
            raise DataError(f"y[{number}]", got="no label (y contains NaN)", expected="a label", do=do)
