"""Cards of the worst mistakes and the most confident correct predictions, with thumbnails or players."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kakera.data.dataset import Dataset
from kakera.data.images.resize import visible
from kakera.errors import UnreadableFileError
from kakera.formats.classes import HALF, exceeds_threshold
from kakera.inputs import InputSpec
from kakera.reports.html import Card, audio, image
from kakera.reports.media import SECONDS, encoded, thumbnail, wav
from kakera.training.predictions import Predictions

PICTURES, RECORDINGS = 12, 6  # most cards in a gallery
WIDE = 200  # width of a drawn spectrogram, in pixels
Thresholds = tuple[float, ...]


def mistakes(
    dataset: Dataset, predictions: Predictions, inputs: InputSpec, thresholds: Thresholds = ()
) -> list[Card]:
    """Return cards of the wrong predictions, the highest probability first.

    `thresholds` are those of the classes of a multi-label model.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> from kakera.training.predictions import judged
        >>> test, inputs = open_dataset("demo").part("test"), InputSpec(1, 28, 28, (0.5,), (0.5,))
        >>> rows = judged(np.eye(10, dtype=np.float32)[(test.labels + 1) % 10], test.labels)
        >>> len(mistakes(test, Predictions(np.arange(len(test)), rows), inputs))
        12
    """
    wrong, sureness = _judged(dataset, predictions, thresholds)
    rows = np.flatnonzero(wrong)
    order = rows[np.argsort(-sureness[rows], kind="stable")]
    title = partial(_title, dataset, predictions, thresholds=thresholds)
    return gallery_of(dataset, predictions, inputs, order, title)


def successes(
    dataset: Dataset, predictions: Predictions, inputs: InputSpec, thresholds: Thresholds = ()
) -> list[Card]:
    """Return cards of the correct predictions, the highest probability first.

    `thresholds` are those of the classes of a multi-label model.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> from kakera.training.predictions import judged
        >>> test, inputs = open_dataset("demo").part("test"), InputSpec(1, 28, 28, (0.5,), (0.5,))
        >>> rows = judged(np.eye(10, dtype=np.float32)[test.labels], test.labels)
        >>> len(successes(test, Predictions(np.arange(len(test)), rows), inputs))
        12
    """
    wrong, sureness = _judged(dataset, predictions, thresholds)
    rows = np.flatnonzero(~wrong)
    order = rows[np.argsort(-sureness[rows], kind="stable")]
    title = partial(_title, dataset, predictions, thresholds=thresholds)
    return gallery_of(dataset, predictions, inputs, order, title)


def _judged(
    dataset: Dataset, predictions: Predictions, thresholds: Thresholds
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return which predictions are wrong (m,), and the confidence of each prediction (m,), 0 to 1.

    A multi-label prediction is wrong if any class is wrong. The confidence is then that of the worst class;
    for a correct prediction it is that of the least certain class.
    """
    assert dataset.labels is not None
    labels, found = dataset.labels[predictions.numbers], predictions.probabilities
    if not dataset.multi_label:
        return predictions.guesses != labels, predictions.rows["confidence"]
    assert found is not None
    # (m, classes), from 0 (certain and correct) to 1 (certain and wrong)
    worst = np.abs(_centred(found, thresholds) - labels).max(axis=1)
    wrong = (exceeds_threshold(found, thresholds) != labels).any(axis=1)
    return wrong, np.where(wrong, worst, 1 - worst)


def _centred(probabilities: NDArray[np.floating], thresholds: Thresholds) -> NDArray[np.floating]:
    """Return the probabilities (…, classes), stretched on both sides so that each threshold is at 0.5."""
    if not thresholds:
        return probabilities
    cut = np.clip(thresholds, 1e-9, 1 - 1e-9)
    above = HALF + (probabilities - cut) / (2 * (1 - cut))
    return np.where(probabilities < cut, probabilities / (2 * cut), above)


def gallery_of(
    dataset: Dataset,
    predictions: Predictions,
    inputs: InputSpec,
    rows: NDArray[np.int64],
    title: Callable[[int], str],
) -> list[Card]:
    """Return cards of the first predictions of `rows`, with the `title` of each row.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> test, inputs = open_dataset("demo").part("test"), InputSpec(1, 28, 28, (0.5,), (0.5,))
        >>> found = Predictions.of(np.eye(10)[test.labels], test.labels, np.arange(len(test)))
        >>> [card.title for card in gallery_of(test, found, inputs, np.array([0, 1]), str)]
        ['0', '1']
    """
    cards: list[Card] = []
    most = PICTURES if dataset.sounds is None else RECORDINGS
    for row in rows.tolist():
        number = int(predictions.numbers[row])
        try:
            tags = media(dataset, number, inputs)
        except UnreadableFileError:
            continue  # the file has changed since the prediction
        cards.append(Card(tags, title(row), PurePath(dataset.pictures.name(number)).name))
        if len(cards) == most:
            break
    return cards


def _title(dataset: Dataset, predictions: Predictions, row: int, thresholds: Thresholds) -> str:
    assert dataset.labels is not None
    truth, classes = dataset.labels[predictions.numbers[row]], dataset.classes
    if not dataset.multi_label:
        one = predictions.rows[row]
        guess, sure = int(one["guess"]), f"{100 * one['confidence']:.0f} %"
        if guess == truth:
            return f"{classes[guess]}, {sure}"
        own = f"{classes[truth]}: {100 * one['of_truth']:.0f} %"
        return f"{classes[truth]}, predicted as {classes[guess]} ({sure}; {own})"
    assert predictions.probabilities is not None
    found = predictions.probabilities[row]
    wrong = exceeds_threshold(found, thresholds) != truth
    worst = int((np.abs(_centred(found, thresholds) - truth) + wrong).argmax())
    names = ", ".join(name for name, present in zip(classes, truth, strict=True) if present) or "no label"
    if not wrong.any():
        return names
    what = "missed" if truth[worst] else "wrongly added"
    return f"{names}; {what}: {classes[worst]} ({100 * found[worst]:.0f} %)"


def media(dataset: Dataset, number: int, inputs: InputSpec) -> str:
    """Return HTML tags: a thumbnail of a picture, or a spectrogram and a player of a recording.

    The player plays the first seconds of the recording. Raises UnreadableFileError.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> media(open_dataset("demo"), 0, InputSpec(1, 28, 28, (0.5,), (0.5,)))[:4]
        '<img'
    """
    name = dataset.pictures.name(number)
    if dataset.sounds is None:
        return image(*_ordered(thumbnail(visible(dataset.pictures.read(number))), name))
    from kakera.frontend import FrontEnd
    from kakera.training.preview import preview

    sounds = dataset.sounds
    wave = sounds.piece(number, 0, round(SECONDS * sounds.spec.rate))
    looked = preview(dataset.take([number]), FrontEnd(inputs))
    if not len(looked):
        return audio(wav(wave, sounds.spec.rate))
    values = (inputs.to_unit(looked.pictures)[0, 0].clamp(0, 1) * 255).byte().numpy()[::-1]
    values = values[:, : looked.widths[0]]
    picture = Image.fromarray(np.ascontiguousarray(values)).resize((WIDE, WIDE // 2))
    return image(*_ordered(encoded(picture), name)) + audio(wav(wave, sounds.spec.rate))


def _ordered(content: tuple[bytes, str], name: str) -> tuple[bytes, str, str]:
    return content[0], name, content[1]
