"""`kakera convert --to onnx --int8`: calibrated on the user's data, with what it costs measured."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kakera.data.crop import CenterCrop
from kakera.data.dataset import Dataset
from kakera.data.loader import evaluation_batches
from kakera.errors import DataError, OptionError, sentence
from kakera.formats import onnx
from kakera.formats.folder import require_free, write_folder
from kakera.formats.int8 import Given, quantise
from kakera.formats.judge import session_of
from kakera.formats.load import load
from kakera.formats.native import Saved
from kakera.formats.onnx_model import OnnxModel, entering
from kakera.model.classifier import Classifier
from kakera.model.cnn import ResNet
from kakera.training.infer import scores
from kakera.training.options import ProbeOptions
from kakera.training.prepare import held_out, prepare

CALIBRATED = 128  # pictures of the train part, evenly spaced
BATCH = 16


@dataclass(frozen=True)
class Quantised:
    """What was written, and how it compares with the float32 model on the same unseen pictures."""

    source: Saved
    target: Path
    count: int
    calibrated: int
    agreement: float
    """Share of the pictures that get the same label."""
    difference: float
    """Mean absolute difference of the probabilities."""
    accuracies: tuple[float, float] | None
    """Of the float32 and of the int8 model; None without labels."""

    @property
    def loss(self) -> float | None:
        """Percentage points of accuracy that int8 costs; None without labels."""
        return None if self.accuracies is None else 100 * (self.accuracies[0] - self.accuracies[1])

    def lines(self) -> list[str]:
        """For people to read."""
        found = [
            f"{self.target}: int8, calibrated on {self.calibrated}",
            f"on {self.count} unseen: {100 * self.agreement:.1f} % get the same label, "
            f"probabilities differ by {self.difference:.4f} in the mean",
        ]
        if self.accuracies is not None:
            before, after = (f"{100 * value:.2f} %" for value in self.accuracies)
            found.append(f"accuracy {before} in float32, {after} in int8: {self.loss:.2f} points lost")
        return found


def convert_int8(
    source: str | Path, target: str | Path, *, calibrate: str | Path | Dataset, **changes: Any
) -> Quantised:
    """Write the classifier of `source` as an int8 graph in a new folder, calibrated on a data set.

    Ranges are read from its train part; the cost is measured on its test part, or its val part, or where
    there is neither on the train part itself. `changes` are those of `load`: size and channels. Raises
    OptionError for a model without classes, DataError, RunError, MissingExtraError, StorageError.
    """
    saved, target = load(source, **changes), Path(target)
    if not isinstance(saved.model, Classifier | ResNet):
        do = "fine-tune it first, or leave int8 out"
        raise OptionError(sentence("int8", got="a model without a head", expected="a classifier", do=do))
    require_free(target)
    files = onnx.files(saved)
    given = {"start": str(source), "channels": saved.inputs.channels if saved.inputs.sound is None else 0}
    _, prepared = prepare(ProbeOptions, calibrate, "paper", given, saved.inputs)
    train = prepared.dataset.part("train")
    chosen = train.take(np.linspace(0, len(train) - 1, min(CALIBRATED, len(train))).astype(int))
    files[onnx.FILE] = quantise(
        files[onnx.FILE], _entering(saved, chosen), convolutions=isinstance(saved.model, ResNet)
    )
    seen = held_out(prepared.dataset)[1]
    found = _measured(saved, files[onnx.FILE], seen if len(seen) else train, target, len(chosen))
    files["README.md"] += ("\n" + "\n".join(found.lines()[1:]) + "\n").encode()
    write_folder(target, files)
    return found


def _entering(saved: Saved, dataset: Dataset) -> Iterator[Given]:
    for batch in evaluation_batches(dataset, CenterCrop.of(saved.inputs), batch=BATCH):
        if len(batch.samples):
            yield entering(batch.pictures, batch.lengths)


def _measured(saved: Saved, graph: bytes, dataset: Dataset, target: Path, calibrated: int) -> Quantised:
    before, numbers, _ = scores(saved, dataset, progress="in float32")
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / onnx.FILE
        file.write_bytes(graph)
        graph_in_int8 = OnnxModel(session_of(file), saved.inputs, saved.classes, saved.several)
        after, _, _ = scores(graph_in_int8, dataset, progress="in int8")
    if not len(before):
        raise DataError(sentence(dataset.name, got="nothing readable", expected="pictures", do="look at it"))
    accuracies = None
    labels = None if dataset.labels is None else dataset.labels[numbers]
    if labels is not None and labels.ndim == 1 and dataset.classes == saved.classes:
        known = labels >= 0
        one, other = (float((p.argmax(axis=1) == labels)[known].mean()) for p in (before, after))
        accuracies = (one, other) if known.any() else None
    return Quantised(
        saved,
        target,
        len(before),
        calibrated,
        float((before.argmax(axis=1) == after.argmax(axis=1)).mean()),
        float(np.abs(before - after).mean()),
        accuracies,
    )
