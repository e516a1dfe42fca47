"""The measured stages. For a number of files and classes, each stage prepares its input and returns the work.

The work is a call of a function of kakera.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from benchmarks.growth.made import blocks, dataset, labels_of, place, tree

Work = Callable[[], object]
BATCH = 256  # files of a step and of a block of predictions, the same as in kakera for small pictures
LABELS = 10  # labels of each class, for training with few labels
TOP = 5
PREDICTIONS = 256  # artificial predictions, printed repeatedly
SHARES = {"val": 0.0, "test": 0.2}  # the default split of a source without parts
MILLION = 1_000_000


@dataclass(frozen=True)
class Stage:
    """A stage: `work` (files, classes, scratch folder) returns the function to measure."""

    work: Callable[[int, int, Path], Work]
    most: int = 10 * MILLION
    """Largest number of files that is useful and not too slow."""
    keeps: bool = False
    """True if its result stays in memory together with the data, so that bytes per file are useful."""
    few: int = 0
    """Files in the table over classes, if the usual number takes too long; such a stage is slow."""
    of_classes: bool = True
    """True if the number of classes may matter."""
    on_disk: bool = False
    """True if each file must exist."""


def open_table(files: int, classes: int, scratch: Path) -> Work:
    """Open a CSV with file, label and split; up to a million files are looked up and must exist."""
    from kakera.data.sources.lookup import MOST
    from kakera.data.sources.open import open_dataset

    folder = tree(scratch, files, classes) if files <= MOST else place(scratch, files, classes)
    folder.mkdir(parents=True, exist_ok=True)
    table = folder.parent / "table.csv"
    with table.open("w") as file:
        file.write("file,label,split\n")
        for first, names in blocks(files, classes):
            rows = (
                f"{folder.name}/{name},{name[:6]},{'test' if (first + n) % 5 == 0 else 'train'}\n"
                for n, name in enumerate(names)
            )
            file.writelines(rows)
    return lambda: open_dataset(table)


def open_folder(files: int, classes: int, scratch: Path) -> Work:
    """Open folders of unreadable files, one folder per class."""
    from kakera.data.sources.open import open_dataset

    folder = tree(scratch, files, classes)
    return lambda: open_dataset(folder)


def split(files: int, classes: int, _: Path) -> Work:
    from kakera.data.split import stratified

    labels = labels_of(files, classes)
    return lambda: stratified(labels, SHARES, 0)


def few(files: int, classes: int, _: Path) -> Work:
    from kakera.data.split import few as chosen

    labels = labels_of(files, classes)
    return lambda: chosen(labels, min(files, LABELS * classes), 0)


def digest(files: int, classes: int, _: Path) -> Work:
    from kakera.data.checks.digest import digest as digest_of

    data = dataset(files, classes)
    return lambda: digest_of(data)


def inventory(files: int, classes: int, _: Path) -> Work:
    from kakera.data.checks.inventory import inventory as inventory_of

    data = dataset(files, classes)
    return lambda: inventory_of(data)


def changes(files: int, classes: int, _: Path) -> Work:
    """Compare two inventories: every tenth label is changed, and every hundredth file is missing."""
    from kakera.data.checks.inventory import ROW
    from kakera.data.checks.inventory import changes as changes_of

    draw = np.random.default_rng(0)
    before = np.zeros(files, ROW)
    before["name"] = draw.integers(0, 1 << 63, files)
    before["label"] = labels_of(files, classes)
    now = before.copy()
    now["label"][::10] += 1
    now = now[np.arange(files) % 100 > 0]
    return lambda: changes_of(before, now)


def order(files: int, _: int, __: Path) -> Work:
    """Return the order of one epoch, batch by batch."""
    from kakera.data.order import ALL, TrainingSampler

    batches = TrainingSampler(files, 0, BATCH, max(1, files // BATCH), 0, ALL)
    return lambda: deque(batches, maxlen=0)


def evaluate(files: int, classes: int, _: Path) -> Work:
    """Evaluate blocks of probabilities one after another, then all results together."""
    from kakera.training.metrics import evaluate_predictions
    from kakera.training.predictions import Predictions, judged

    scores = np.random.default_rng(0).random((min(BATCH, files), classes), np.float32)
    scores /= scores.sum(axis=1, keepdims=True)
    labels = labels_of(files, classes)
    names = tuple(f"n{number:05}" for number in range(classes))

    def work() -> object:
        parts = [labels[first : first + BATCH] for first in range(0, files, BATCH)]
        rows = np.concatenate([judged(scores[: len(part)], part) for part in parts])
        return evaluate_predictions(Predictions(np.arange(files), rows), labels, names)

    return work


def predict_top(files: int, classes: int, _: Path) -> Work:
    """Print predictions as JSON with the most probable classes."""
    return printed(files, classes, min(TOP, classes))


def predict_all(files: int, classes: int, _: Path) -> Work:
    """Print predictions as JSON with all classes, as `kakera predict --json` does."""
    return printed(files, classes, classes)


def printed(files: int, classes: int, top: int) -> Work:
    from kakera.cli.prediction_output import print_json
    from kakera.commands.prediction import Prediction

    scores = np.random.default_rng(0).random((min(PREDICTIONS, files), classes), np.float32)
    made = [
        Prediction(
            f"n{best[0]:05}/n{best[0]:05}_{row:08}.JPEG",
            (f"n{best[0]:05}",),
            {f"n{number:05}": float(scores[row, number]) for number in best},
        )
        for row, best in enumerate(np.argsort(-scores, axis=1)[:, :top].tolist())
    ]

    def work() -> None:
        with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
            print_json(islice(cycle(made), files))

    return work


def warnings(files: int, classes: int, _: Path) -> Work:
    """Count the classes for the warnings of a plan and of `inspect`."""
    from kakera.data.checks.warnings import data_warnings

    data = dataset(files, classes)
    return lambda: data_warnings(data)


def taken_line(files: int, classes: int, _: Path) -> Work:
    """Make the line that summarises the data set."""
    from kakera.data.checks.findings import taken_line as line_of

    data = dataset(files, classes)
    return lambda: line_of(data, {}, {})


def leaks(files: int, classes: int, scratch: Path) -> Work:
    """Search test files that equal training files, where no two files have the same size."""
    from kakera.data.checks.leaks import leaks as leaks_between
    from kakera.data.holders import FilePictures
    from kakera.data.names import Paths

    data, folder = dataset(files, classes), tree(scratch, files, classes)
    pictures = data.pictures
    assert isinstance(pictures, FilePictures)
    assert isinstance(pictures.paths, Paths)
    pictures.paths = Paths(folder, pictures.paths.names)
    train, test = data.part("train"), data.part("test")
    return lambda: leaks_between(train, test)


STAGES = {
    "open table": Stage(open_table, keeps=True),
    "open folder": Stage(open_folder, keeps=True, on_disk=True),
    "split": Stage(split, keeps=True),
    "few labels": Stage(few),
    "digest": Stage(digest),
    "inventory": Stage(inventory, most=MILLION, keeps=True),
    "changes": Stage(changes, most=MILLION, of_classes=False),
    "warnings": Stage(warnings),
    "taken line": Stage(taken_line, of_classes=False),
    "leaks": Stage(leaks, on_disk=True, of_classes=False),
    "order": Stage(order, of_classes=False),
    "evaluate": Stage(evaluate),
    "predict, top 5": Stage(predict_top, of_classes=False),
    "predict, all": Stage(predict_all, most=10_000, few=1000),
}
