"""The work units of the encoders study: pretraining of mae, tokens of an encoder, heads on its tokens."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.commands.fitting.head import FittedHead, best_head, predicted
from kakera.commands.fitting.setup import require_labels_of_classes
from kakera.commands.pretrain import plan_pretrain, pretrain
from kakera.data.split import few, strata
from kakera.errors import DataError
from kakera.option_fields import AUTO
from kakera.study.encoders.data import EncodersData
from kakera.study.encoders.source import MAE, EncoderSource
from kakera.study.encoders.tokens import baseline_milliseconds, encoder_milliseconds, encoder_seconds
from kakera.study.study_options import EncodersOptions
from kakera.training.predictions import Predictions

MISSING = "-"  # in the hits of a cell: a test file that cannot be read
MEASURED = 1000  # labels of the head that is measured for the plan; more labels take longer in proportion
APART = 1.5  # distance of the classes of its random tokens, so that their heads make mistakes
MEASURING = 2.0  # seconds of reading an encoder and measuring its speed


def pretrained(data: EncodersData, options: EncodersOptions, folder: Path) -> dict[str, Any]:
    """Pretrain a masked autoencoder on all training files, without their labels."""
    began = time.monotonic()
    run = pretrain(data.dataset, out=folder, recipe=options.recipe, announce=False, **_words(options))
    return {"parameters": sum(each.numel() for each in run.saved.model.parameters())} | {
        "seconds": round(time.monotonic() - began, 1)
    }


def encoded(data: EncodersData, source: EncoderSource, options: EncodersOptions, run: Path) -> dict[str, Any]:
    """Compute the tokens of all files, and return facts about the encoder: size, licence, speed."""
    tokens = data.tokens(source, options, run)
    unreadable = len(data.rows(options)) + len(data.test) - len(tokens.train_rows) - len(tokens.test_rows)
    facts: dict[str, Any] = {"computed": tokens.computed, "unreadable": unreadable, "threads": 1}
    if source.is_baseline:
        width = next(iter(tokens.train.values())).shape[1]
        facts |= {"milliseconds": baseline_milliseconds(data.test), "parameters": 0, "license": ""}
        return facts | {"width": width, "depth": 0, "input": [], "device": "cpu"}
    setup = data.setup(source, options, run)
    encoder = setup.encoder
    facts |= {"milliseconds": encoder_milliseconds(setup), "license": encoder.license}
    facts |= {"parameters": sum(each.size for each in encoder.tensors.values()), "width": encoder.width}
    facts |= {"depth": encoder.depth, "input": list(encoder.inputs.size)}
    return facts | {"device": _device(options)}


def fitted(
    data: EncodersData, source: EncoderSource, options: EncodersOptions, run: Path, values: Mapping[str, Any]
) -> dict[str, Any]:
    """Fit a head to the tokens of one draw of labels, and evaluate it on the test files.

    The head is chosen by labels that each fit leaves out. Raises DataError if only files of one class are
    readable.
    """
    tokens, drawn = data.tokens(source, options, run), data.rows(options)
    rows = data.draws(options)[values["labels"], values["seed"]]
    here = np.flatnonzero(np.isin(drawn[tokens.train_rows], rows))
    train = data.labelled.take(drawn[tokens.train_rows[here]])
    require_labels_of_classes(train, "check the unreadable files")
    assert train.labels is not None
    seen = {pool: each[here] for pool, each in tokens.train.items()}
    if not source.is_baseline:
        seen = {pool: seen[pool] for pool in data.encoder(source, run).pools}
    head = best_head(train, seen, train.labels, seed=options.seed)
    found, evaluation = predicted(head, data.test, tokens.test[head.pool], tokens.test_rows)
    score = evaluation.balanced_accuracy if data.is_uneven else evaluation.score
    if score is None:
        got = f"equal numbers in all {data.part} files"
        raise DataError(data.dataset.name, got=got, expected="different numbers", do="check the labels")
    best = head.tried[0]
    return {
        "score": score,
        "accuracy": evaluation.accuracy,
        "head": head.kind,
        "pool": head.pool,
        "labels": len(train),
        "strength": best["strength"],
        "left_out": best.get("accuracy"),
        "files": _of_files(data, found, head),
    }


def _of_files(data: EncodersData, found: Predictions, head: FittedHead) -> str | list[float | None] | None:
    """Return what each test file adds to the score: hits as text, for numbers its part of R².

    For several labels there is nothing: the mean average precision is no mean over files. An unreadable file
    is "-" or None.
    """
    labels = data.test.labels
    assert labels is not None
    if data.test.multi_label:
        return None
    if found.values is None:
        marks = np.full(len(data.test), MISSING)
        marks[found.numbers] = np.where(found.guesses == labels[found.numbers], "1", "0")
        return "".join(marks.tolist())
    truth = labels[found.numbers]
    spread = np.square(truth - np.array(head.mean)).mean(axis=0)
    known = spread > 0
    parts = (1 - np.square(found.values - truth)[:, known] / spread[known]).mean(axis=1)
    numbers = dict(zip(found.numbers.tolist(), parts.round(6).tolist(), strict=True))
    return [numbers.get(row) for row in range(len(data.test))]


def parts_of(
    files: str | list[float | None] | None, classes: NDArray[np.int64] | None = None
) -> NDArray[np.float64] | None:
    """Return the part of each test file in the score (n,), NaN for an unreadable one; None without.

    Their mean is the score. `files` is that of the result of a head. `classes` int (n,) make it the balanced
    accuracy: a hit in a rare class counts more.

    Example:

        >>> parts_of("10-1")
        array([ 1.,  0., nan,  1.])
        >>> parts_of("1101", classes=np.array([0, 0, 0, 1]))  # (2/3 + 1/1) / 2
        array([0.66666667, 0.66666667, 0.        , 2.        ])
    """
    if files is None:
        return None
    known = {"1": 1.0, "0": 0.0}
    parts = [known.get(one, np.nan) for one in files] if isinstance(files, str) else files
    table = np.array(parts, np.float64)
    if classes is None:
        return table
    counts = np.bincount(classes[np.isfinite(table)], minlength=int(classes.max()) + 1)
    return table * (counts.sum() / (counts > 0).sum() / np.maximum(counts, 1))[classes]


def measure(data: EncodersData, options: EncodersOptions) -> dict[str, float]:
    """Measure seconds for each file of each encoder, of a head for each number of labels, and of mae."""
    found, widths = dict[str, float](), dict[str, int]()
    total = len(data.rows(options)) + len(data.test)
    for source in data.sources:
        if source.name == MAE:
            continue
        if source.is_baseline:
            each, widths[source.unit] = baseline_milliseconds(data.test) / 1000, 256 * data.test.channels
        else:
            setup = data.setup(source, options, Path())
            each, widths[source.unit] = encoder_seconds(setup), setup.encoder.width
        found[f"file {source.unit}"] = each
        found[f"share {source.unit}"] = data.missing(source, options, Path()) / total
    for source in data.sources:
        if source.name == MAE:
            room = Path("runs") / "study-mae"  # nothing is written
            forecast = plan_pretrain(data.dataset, out=room, recipe=options.recipe, **_words(options))
            found["pretrain"] = forecast.seconds
            found[f"file {source.unit}"] = max(found[f"file {name}"] for name in widths)
            found[f"share {source.unit}"], widths[source.unit] = 1.0, max(widths.values())
    widest = max(widths.values())
    for count in data.counts(options):
        seconds = _head_seconds(data, options, count, widest)
        found |= {f"head {unit} {count}": seconds * width / widest for unit, width in widths.items()}
    return found


def _head_seconds(data: EncodersData, options: EncodersOptions, count: int, width: int) -> float:
    """Return the measured seconds of a head on random tokens, whose means differ with the labels."""
    some, labels = min(count, MEASURED), data.labelled.labels
    assert labels is not None
    train, random = data.labelled.take(few(labels, some, options.seed)), np.random.default_rng(0)
    assert train.labels is not None
    classes = np.unique(strata(train.labels), return_inverse=True)[1]
    means = APART / width**0.5 * random.normal(size=(int(classes.max()) + 1, 2 * width))
    both = (random.normal(size=(some, 2 * width)) + means[classes]).astype(np.float32)
    tokens = {"class": both[:, :width], "mean": both[:, width:], "class and mean": both}
    began = time.perf_counter()
    best_head(train, tokens, train.labels, seed=options.seed)
    return (time.perf_counter() - began) * count / some


def _words(options: EncodersOptions) -> dict[str, Any]:
    words: dict[str, Any] = {"seed": options.seed, "workers": options.workers, "device": options.device}
    if options.pretrain_epochs != AUTO:
        words["epochs"] = options.pretrain_epochs
    return words


def _device(options: EncodersOptions) -> str:
    from kakera.training.device import device_of

    return device_of(options.device).type
