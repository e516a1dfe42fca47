"""`kakera convert --to onnx --int8`: calibrate on the user's data, and measure the lost accuracy."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kakera.commands.labelled import held_out
from kakera.commands.prepare import prepare
from kakera.data.dataset import Dataset
from kakera.data.images.crop import CenterCrop
from kakera.data.loader import evaluation_batches
from kakera.errors import DataError, OptionError, RunError
from kakera.formats.adapt import Size
from kakera.formats.bundle import Pretrained
from kakera.formats.classes import exceeds_threshold
from kakera.formats.folder import require_free, write_folder
from kakera.formats.inference import predict_proba
from kakera.formats.load import load
from kakera.formats.onnx import export
from kakera.formats.onnx.int8 import Feeds, quantise
from kakera.formats.onnx.model import OnnxModel, feeds
from kakera.formats.regression import require_classes
from kakera.formats.verify import session_of
from kakera.option_fields import AUTO, renamed
from kakera.training.metrics import evaluate
from kakera.training.options import ProbeOptions

CALIBRATED = 128  # number of calibration pictures, evenly spaced over the train part
BATCH = 16
MOST_LOST = 2.0  # percentage points of accuracy that int8 may lose
LEAST_ALIKE = 0.95  # smallest share of pictures with the same label, if the data have no labels


Probabilities: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True)
class Int8Result:
    """The written int8 model, and its comparison with the float32 model on the same held-out pictures.

    `count` is the number of pictures compared, and `calibrated` the number used for calibration.
    See `convert_int8`.
    """

    source: Pretrained
    target: Path
    count: int
    calibrated: int
    agreement: float
    """Share of the samples with the same predicted label, 0 to 1.

    For a multi-label model: the labels that both models predict, as a share of the labels that at least one
    model predicts.
    """
    difference: float
    """Mean absolute difference of the probabilities."""
    accuracies: tuple[float, float] | None
    """Accuracy of the float32 and of the int8 model, 0 to 1; None if the data have no labels.

    For a multi-label model: mean average precision.
    """

    @property
    def costly(self) -> str:
        """Description of a loss of accuracy (without labels: of agreement) that is too large; else empty."""
        if self.loss is not None:
            return f"{self.loss:.2f} points of {self.measure} lost" if self.loss > MOST_LOST else ""
        return f"only {self.alike}" if self.agreement < LEAST_ALIKE else ""

    @property
    def alike(self) -> str:
        """Agreement in words."""
        return f"{100 * self.agreement:.1f} % " + (
            "of the labels are the same" if self.source.multi_label else "have the same label"
        )

    @property
    def measure(self) -> str:
        """Name of the measure in `accuracies`."""
        return "mean average precision" if self.source.multi_label else "accuracy"

    @property
    def loss(self) -> float | None:
        """Percentage points of accuracy that int8 loses; None without labels."""
        return None if self.accuracies is None else 100 * (self.accuracies[0] - self.accuracies[1])

    def lines(self) -> list[str]:
        """Return all lines to print."""
        notes = self.source.notes
        return [*([f"read: {', '.join(notes)}"] if notes else []), *self.cost()]

    def cost(self) -> list[str]:
        """Return lines about the written folder and the lost accuracy."""
        found = [
            f"{self.target}: int8, calibrated on {self.calibrated} files",
            f"on {self.count} held-out files {self.alike}, "
            f"and probabilities differ by {self.difference:.4f} on average",
        ]
        if self.accuracies is not None:
            before, after = (f"{100 * value:.2f} %" for value in self.accuracies)
            found.append(f"{self.measure} {before} in float32, {after} in int8: {self.loss:.2f} points lost")
        return found


@renamed(size="image_size")
def convert_int8(
    source: str | Path,
    target: str | Path,
    *,
    calibrate: str | Path | Dataset,
    allow_loss: bool = False,
    image_size: Size | None = None,
    channels: int | None = None,
) -> Int8Result:
    """Write a classifier as an int8 ONNX graph, calibrated on a data set.

    `source` is the run folder of a classifier, and `target` a new folder. `calibrate` is a data set: its
    train part gives the value ranges for int8. The test part, or else the val part, or else the train part
    measures the lost accuracy. If int8 loses more than 2 percentage points of accuracy (for a multi-label
    model: of mean average precision), nothing is written. If the data have no labels, nothing is written if
    less than 95 % of the predicted labels stay the same. `allow_loss` writes the graph anyway. `image_size`
    (pixels) and `channels` are as in `load`; None keeps those of the model.

    Return an `Int8Result` with the measured loss. Raises OptionError for a model without classes, RunError
    for a loss that is too large, DataError, MissingExtraError, StorageError.

    Example:

        >>> result = convert_int8("runs/classifier", "int8", calibrate="demo")  # doctest: +SKIP
        >>> print("\\n".join(result.lines()))  # doctest: +SKIP
    """
    saved, target = load(source, image_size=image_size, channels=channels), Path(target)
    if not saved.model.classifies:
        do = "fine-tune it first, or remove --int8"
        raise OptionError("int8", got="a model without a head", expected="a classifier", do=do)
    require_classes(saved, "predict with kakera")
    require_free(target)
    files = export.files(replace(saved, rejection=None))  # int8 changes the tokens, so the distances too
    own = saved.inputs.channels if saved.inputs.sound is None else AUTO
    given = {"init_from": str(source), "channels": own}
    _, prepared = prepare(ProbeOptions, calibrate, "paper", given, saved.inputs)
    train = prepared.dataset.part("train")
    chosen = train.take(np.linspace(0, len(train) - 1, min(CALIBRATED, len(train))).astype(int))
    files[export.FILE] = quantise(
        files[export.FILE], _entering(saved, chosen), convolutions=not saved.model.has_attention
    )
    seen = held_out(prepared.dataset)[1]
    found = _measured(saved, files[export.FILE], seen if len(seen) else train, target, len(chosen))
    if found.costly and not allow_loss:
        _refuse(found)
    files["README.md"] += ("\n" + "\n".join(found.cost()[1:]) + "\n").encode()
    write_folder(target, files)
    return found


def _refuse(found: Int8Result) -> NoReturn:
    allowed = f"at most {MOST_LOST:g}" if found.loss is not None else f"at least {100 * LEAST_ALIKE:g} %"
    raise RunError(
        str(found.target),
        got=f"{found.costly}, on {found.count} held-out files",
        expected=allowed,
        do="calibrate on more data, remove --int8, or add --allow-loss; nothing was written",
    )


def _entering(saved: Pretrained, dataset: Dataset) -> Iterator[Feeds]:
    for batch in evaluation_batches(dataset, CenterCrop.of(saved.inputs), batch=BATCH):
        if len(batch.samples):
            yield feeds(batch.pictures, batch.lengths)


def _measured(saved: Pretrained, graph: bytes, dataset: Dataset, target: Path, calibrated: int) -> Int8Result:
    before, numbers, _ = predict_proba(saved, dataset, progress="in float32")
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / export.FILE
        file.write_bytes(graph)
        labels = saved.classes, saved.multi_label, saved.thresholds
        graph_in_int8 = OnnxModel(session_of(file), saved.inputs, *labels)
        after, _, _ = predict_proba(graph_in_int8, dataset, progress="in int8")
    if not len(before):
        raise DataError(
            dataset.name, got="no readable file", expected="pictures", do="run kakera inspect on it"
        )
    accuracies = None
    if dataset.labels is not None and dataset.classes == saved.classes:
        accuracies = _accuracies(dataset.labels[numbers], before, after, saved.classes)
    return Int8Result(
        saved,
        target,
        len(before),
        calibrated,
        _agreement(before, after, saved.thresholds, multi_label=saved.multi_label),
        float(np.abs(before - after).mean()),
        accuracies,
    )


def _accuracies(
    labels: NDArray[Any], before: Probabilities, after: Probabilities, classes: tuple[str, ...]
) -> tuple[float, float] | None:
    """Return the accuracy (or mean average precision) of both models; None if no file has a label."""
    if labels.ndim == 1 and not (labels >= 0).any():
        return None
    one, other = (evaluate(probabilities, labels, classes).score for probabilities in (before, after))
    return None if one is None or other is None else (one, other)


def _agreement(
    before: Probabilities, after: Probabilities, thresholds: Sequence[float] = (), *, multi_label: bool
) -> float:
    """Return the share of samples with the same label, as in `Int8Result.agreement`."""
    if not multi_label:
        return float((before.argmax(axis=1) == after.argmax(axis=1)).mean())
    one, other = (exceeds_threshold(values, thresholds) for values in (before, after))
    return float((one & other).sum() / (one | other).sum()) if (one | other).any() else 1.0
