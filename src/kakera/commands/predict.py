"""`kakera predict`: what pictures show and recordings say, with probabilities."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from kakera.data.dataset import Dataset
from kakera.data.sources.files import open_files
from kakera.data.sources.items import Files
from kakera.errors import OptionError
from kakera.formats.bundle import Pretrained
from kakera.formats.inference import each_batch, each_file
from kakera.formats.load import load
from kakera.formats.onnx.model import OnnxModel, is_onnx, open_onnx
from kakera.machine import usable_cores
from kakera.option_fields import AUTO, Auto, Bounds, check_number
from kakera.out_of_memory import memory_for
from kakera.training.device import moved_to_device
from kakera.training.notes import noted

Source: TypeAlias = str | Path | Pretrained | OnnxModel
FEW = 256  # files: that many are read sooner than processes are started
THRESHOLD = 0.5  # from here on a class counts as present, where a picture may show several


@dataclass(frozen=True)
class Prediction:
    """One file: the label or labels, and each class with its probability, likeliest first; or why not."""

    file: str
    labels: tuple[str, ...]
    probabilities: dict[str, float]
    unreadable: str = ""
    window: tuple[float, float] | None = None
    """Where a window of a recording begins and ends, in seconds; None for the whole file."""


@memory_for("predict", "lower --workers, or name fewer files")
def predict(
    model: Source, files: Files, *, top: int = 0, workers: int | Auto = "auto", device: str = "auto"
) -> list[Prediction]:
    """Predict files, all in folders or in shards, or samples of a built-in set, in the order given.

    `files` is one of these, or several: a path or a name; the bytes of a file, or a file opened as bytes; an
    image of Pillow; an array (H, W) or (H, W, C) of uint8 or of floats from 0 to 1, (n, H, W, C) for n of
    them; a tensor (C, H, W); for a model of recordings also (waveform, rate in hertz); or a `Dataset`. A
    string is one path. What has no name is called picture[0] by its place.

    A recording is read window by window, and its probabilities are their mean. A file that cannot be read
    gets a prediction without labels that says why. `model` may also be a graph of ONNX that `convert` wrote,
    in float32 or int8: then ONNX Runtime computes, on the CPU. `top` keeps the probabilities of that many
    classes only; 0 keeps all. `workers` are processes that read while the model computes; "auto" takes one a
    core for many files, none for few. `device` is cpu, cuda, mps or auto. Raises
    RunError for the model or the device, DataError where a folder holds nothing to read and for what can be
    no file.
    """
    return list(iter_predict(model, files, top=top, workers=workers, device=device))


def iter_predict(
    model: Source, files: Files, *, top: int = 0, workers: int | Auto = "auto", device: str = "auto"
) -> Iterator[Prediction]:
    """Predict as `predict` does, and yield each prediction as soon as it is there, in the order given."""
    saved = open_model(model)
    dataset = open_files(files, saved.inputs)
    reasons: dict[str, str] = {}

    def unreadable(start: int, end: int) -> Iterator[Prediction]:
        for number in range(start, end):
            yield Prediction(
                dataset.pictures.name(number), (), {}, reasons[dataset.pictures.location(number)]
            )

    following = 0
    with _placed(saved, device):
        for numbers, rows, broken in each_file(
            saved, dataset, workers=readers(dataset, workers), progress="predict"
        ):
            reasons |= {error.path: error.reason for error in broken}
            for number, row in zip(numbers.tolist(), rows, strict=True):
                yield from unreadable(following, number)
                yield _prediction(saved, dataset.pictures.name(number), row, top)
                following = number + 1
    yield from unreadable(following, len(dataset))


def predict_windows(
    model: Source, files: Files, *, top: int = 0, workers: int | Auto = "auto", device: str = "auto"
) -> Iterator[Prediction]:
    """Predict each window of each recording, and yield each as it is read; `files` are as in `predict`.

    Raises OptionError for a model of pictures, and as `predict` does.
    """
    saved = open_model(model)
    spec = saved.inputs.sound
    if spec is None:
        raise OptionError(
            "windows", got="a model of pictures", expected="one of recordings", do="leave it out"
        )
    dataset, told = open_files(files, saved.inputs), set[str]()
    with _placed(saved, device):
        for part, values in each_batch(saved, dataset, workers=readers(dataset, workers)):
            assert part.starts is not None
            assert part.lengths is not None
            for error in part.unreadable:
                if error.path not in told:
                    told.add(error.path)
                    yield Prediction(error.path, (), {}, error.reason)
            edges = np.stack([part.starts, part.starts + part.lengths], axis=1) / spec.rate
            for number, row, (start, end) in zip(part.samples.tolist(), values.numpy(), edges, strict=True):
                span = (float(start), float(end))
                yield _prediction(saved, dataset.pictures.name(number), row, top, window=span)


def _placed(saved: Pretrained | OnnxModel, device: str) -> AbstractContextManager[object]:
    return moved_to_device(saved, device) if isinstance(saved, Pretrained) else nullcontext()


def open_model(model: Source) -> Pretrained | OnnxModel:
    """Open a model, or a graph of ONNX, unless it is open. Raises RunError."""
    if isinstance(model, Pretrained | OnnxModel):
        return model
    return open_onnx(model) if is_onnx(model) else noted(load(model), model)


def readers(dataset: Dataset, workers: int | Auto) -> int:
    """Return how many processes read; "auto" is one a core, none for few files or for arrays.

    Raises OptionError.
    """
    if workers != AUTO:
        check_number("workers", workers, int, Bounds(0), auto=True)
        return workers
    return usable_cores() if len(dataset) > FEW and not dataset.pictures.in_memory else 0


def _prediction(
    saved: Pretrained | OnnxModel,
    file: str,
    row: NDArray[np.float32],
    top: int,
    *,
    window: tuple[float, float] | None = None,
) -> Prediction:
    order = np.argsort(-row, kind="stable").tolist()
    labels = (saved.classes[order[0]],)
    if saved.multi_label:
        labels = tuple(saved.classes[i] for i in order if row[i] >= THRESHOLD)
    values = row.tolist()
    probabilities = {saved.classes[i]: values[i] for i in (order[:top] if top else order)}
    return Prediction(file, labels, probabilities, window=window)
