"""Models that predict numbers, and refusals where only classes or only numbers make sense."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kakera.data.sources.files import open_files
from kakera.data.sources.items import Files
from kakera.errors import OptionError
from kakera.formats.bundle import Pretrained, WithHead, require_classifier
from kakera.formats.inference import predict_proba, whole


def values_of_files(saved: Pretrained, files: Files) -> NDArray[np.float32]:
    """Return the probabilities (n, classes) of files, or the numbers (n, targets) of a regression model.

    Raises UnreadableFileError for the first unreadable file.

    Example:

        >>> from kakera import Classifier, InputSpec
        >>> model = Classifier("nano", 2, channels=1, image_size=28)
        >>> saved = Pretrained(model, InputSpec(1, 28, 28, (0.5,), (0.5,)), ("cat", "dog"))
        >>> values_of_files(saved, np.zeros((28, 28), np.uint8)).shape
        (1, 2)
    """
    rows, _, broken = predict_proba(saved, open_files(files, saved.inputs))
    return whole(rows, broken)


def require_classes(
    saved: Pretrained, do: str = "kakera predict and predict_values give its numbers"
) -> Pretrained[WithHead]:
    """Return `saved` itself, typed as a classifier. Raises OptionError for a regression model, or no head.

    Example:

        >>> from kakera import Classifier, InputSpec
        >>> from kakera.formats.target_scale import TargetScale
        >>> model, scale = Classifier("nano", 1, channels=1, image_size=28), TargetScale((40.0,), (9.0,))
        >>> require_classes(Pretrained(model, InputSpec(1, 28, 28, (0.5,), (0.5,)), ("age",), targets=scale))
        Traceback (most recent call last):
        kakera.errors.OptionError: model: got a regression model, expected a model of classes; ...
    """
    if saved.regression:
        raise OptionError("model", got="a regression model", expected="a model of classes", do=do)
    return require_classifier(saved)


def require_targets(saved: Pretrained) -> Pretrained[WithHead]:
    """Return `saved` itself, typed as a model with a head. Raises OptionError for a model of classes.

    Example:

        >>> from kakera import Classifier, InputSpec
        >>> model = Classifier("nano", 2, channels=1, image_size=28)
        >>> require_targets(Pretrained(model, InputSpec(1, 28, 28, (0.5,), (0.5,)), ("cat", "dog")))
        Traceback (most recent call last):
        kakera.errors.OptionError: model: got a model without targets, expected a regression model; ...
    """
    if not saved.regression:
        got, do = "a model without targets", "call predict_proba for classes"
        raise OptionError("model", got=got, expected="a regression model", do=do)
    return require_classifier(saved)


def encoder_of(saved: Pretrained) -> Pretrained:
    """Return the encoder of a Vision Transformer without its head. Raises RunError for a CNN.

    Example:

        >>> from kakera import Classifier, InputSpec
        >>> model = Classifier("nano", 2, channels=1, image_size=28)
        >>> encoder_of(Pretrained(model, InputSpec(1, 28, 28, (0.5,), (0.5,)), ("cat", "dog"))).model.kind
        'encoder'
    """
    notes, resampling, license = saved.notes, saved.resampling, saved.license
    return Pretrained(saved.encoder, saved.inputs, notes=notes, resampling=resampling, license=license)
