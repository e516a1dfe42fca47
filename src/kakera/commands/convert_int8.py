"""`kakera convert --to onnx --int8`: calibrated on the user's data, with what it costs measured."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

import numpy as np
from numpy.typing import NDArray

from kakera.commands.labelled import held_out
from kakera.commands.predict import THRESHOLD
from kakera.commands.prepare import prepare
from kakera.data.dataset import Dataset
from kakera.data.images.crop import CenterCrop
from kakera.data.loader import evaluation_batches
from kakera.errors import DataError, OptionError, RunError
from kakera.formats.adapt import Size
from kakera.formats.bundle import Pretrained
from kakera.formats.folder import require_free, write_folder
from kakera.formats.inference import predict_proba
from kakera.formats.load import load
from kakera.formats.onnx import export
from kakera.formats.onnx.int8 import Feeds, quantise
from kakera.formats.onnx.model import OnnxModel, feeds
from kakera.formats.verify import session_of
from kakera.option_fields import AUTO, renamed
from kakera.training.metrics import evaluate
from kakera.training.options import ProbeOptions

CALIBRATED = 128  # pictures of the train part, evenly spaced
BATCH = 16
MOST_LOST = 2.0  # percentage points of accuracy that int8 may cost
LEAST_ALIKE = 0.95  # share that gets the same label, where no label is known


Probabilities: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True)
class Int8Result:
    """What was written, and how it compares with the float32 model on the same unseen pictures."""

    source: Pretrained
    target: Path
    count: int
    calibrated: int
    agreement: float
    """Share of the samples with the same label; of several labels, how many of either are both models'."""
    difference: float
    """Mean absolute difference of the probabilities."""
    accuracies: tuple[float, float] | None
    """Of the float32 and of the int8 model; of several labels mean average precision; None without labels."""

    @property
    def costly(self) -> str:
        """What is lost where that is too much: accuracy, or without labels agreement; else nothing."""
        if self.loss is not None:
            return f"{self.loss:.2f} points of {self.measure} lost" if self.loss > MOST_LOST else ""
        return f"only {self.alike}" if self.agreement < LEAST_ALIKE else ""

    @property
    def alike(self) -> str:
        """How many labels stay, in words."""
        return f"{100 * self.agreement:.1f} % " + (
            "of the labels are the same" if self.source.multi_label else "get the same label"
        )

    @property
    def measure(self) -> str:
        """What `accuracies` are."""
        return "mean average precision" if self.source.multi_label else "accuracy"

    @property
    def loss(self) -> float | None:
        """Percentage points of accuracy that int8 costs; None without labels."""
        return None if self.accuracies is None else 100 * (self.accuracies[0] - self.accuracies[1])

    def lines(self) -> list[str]:
        """For people to read."""
        notes = self.source.notes
        return [*([f"read: {', '.join(notes)}"] if notes else []), *self.cost()]

    def cost(self) -> list[str]:
        """What was written and what it costs, for people to read."""
        found = [
            f"{self.target}: int8, calibrated on {self.calibrated}",
            f"on {self.count} unseen: {self.alike}, "
            f"probabilities differ by {self.difference:.4f} in the mean",
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
    """Write the classifier of `source` as an int8 graph in a new folder, calibrated on a data set.

    Ranges are read from its train part; the cost is measured on its test part, or its val part, or where
    there is neither on the train part itself. Where int8 loses more than 2 points of accuracy (of several
    labels: of mean average precision), or without labels less than 95 % of them stay, nothing is written
    unless `allow_loss` is set. `image_size` and `channels` are as in `load`. Raises OptionError for a
    model without classes, RunError for such a loss, DataError, MissingExtraError, StorageError.
    """
    saved, target = load(source, image_size=image_size, channels=channels), Path(target)
    if not saved.model.classifies:
        do = "fine-tune it first, or leave int8 out"
        raise OptionError("int8", got="a model without a head", expected="a classifier", do=do)
    require_free(target)
    files = export.files(saved)
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
        got=f"{found.costly}, on {found.count} unseen",
        expected=allowed,
        do="calibrate on more data, leave --int8 out, or add --allow-loss; nothing was written",
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
        graph_in_int8 = OnnxModel(session_of(file), saved.inputs, saved.classes, saved.multi_label)
        after, _, _ = predict_proba(graph_in_int8, dataset, progress="in int8")
    if not len(before):
        raise DataError(dataset.name, got="nothing readable", expected="pictures", do="look at it")
    accuracies = None
    if dataset.labels is not None and dataset.classes == saved.classes:
        accuracies = _accuracies(dataset.labels[numbers], before, after, saved.classes)
    return Int8Result(
        saved,
        target,
        len(before),
        calibrated,
        _agreement(before, after, multi_label=saved.multi_label),
        float(np.abs(before - after).mean()),
        accuracies,
    )


def _accuracies(
    labels: NDArray[Any], before: Probabilities, after: Probabilities, classes: tuple[str, ...]
) -> tuple[float, float] | None:
    """Accuracy, or of several labels mean average precision, of both; None where nothing is labelled."""
    if labels.ndim == 1 and not (labels >= 0).any():
        return None
    one, other = (evaluate(probabilities, labels, classes).score for probabilities in (before, after))
    return None if one is None or other is None else (one, other)


def _agreement(before: Probabilities, after: Probabilities, *, multi_label: bool) -> float:
    """Share of the samples with the same label; of several labels, how many of either are both models'."""
    if not multi_label:
        return float((before.argmax(axis=1) == after.argmax(axis=1)).mean())
    one, other = before >= THRESHOLD, after >= THRESHOLD
    return float((one & other).sum() / (one | other).sum()) if (one | other).any() else 1.0
