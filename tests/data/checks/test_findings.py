"""What is counted of a data set, without reading it."""

import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kakera.data.checks.findings import classes_of, taken_line
from kakera.data.dataset import PARTS, Dataset
from kakera.data.holders import FilePictures
from kakera.data.names import Names, Paths

MANY = 20_000


def dataset(labels: Any, classes: int, names: tuple[str, ...] = ()) -> Dataset:
    count = len(labels)
    split = np.array(PARTS)[np.random.default_rng(1).integers(0, 3, count)]
    texts = names or tuple(f"{number}.jpg" for number in range(count))
    pictures = FilePictures(Paths(Path("/none"), Names.of(texts)), 3)
    return Dataset("d", pictures, 3, split, tuple(f"c{n}" for n in range(classes)), labels)


@pytest.mark.parametrize("multi_label", [False, True])
def test_each_class_is_counted_in_each_part(multi_label: bool) -> None:
    draw = np.random.default_rng(0)
    labels = (
        draw.random((3000, 7)) < 0.3 if multi_label else draw.integers(-1, 6, 3000)
    )  # of class 6 there is none
    made = dataset(labels, 7)
    carried = Counter(
        (f"c{number}", part)
        for row, part in zip(labels.tolist(), made.split.tolist(), strict=True)
        for number in (np.flatnonzero(row).tolist() if multi_label else [row] * (row >= 0))
    )
    assert classes_of(made) == {
        f"c{number}": {part: carried[f"c{number}", part] for part in PARTS} for number in range(7)
    }


def test_without_labels_no_class_is_counted() -> None:
    assert classes_of(Dataset("d", FilePictures([], 3), 3, np.array([], str))) == {}


def test_counting_many_classes_of_many_files_takes_memory_for_each_not_for_their_product() -> None:
    made = dataset(np.arange(MANY), MANY)
    assert most(lambda: classes_of(made)) / MANY < 1000  # a byte for each file and class is 20 000


def test_naming_what_was_taken_holds_a_block_of_names() -> None:
    made, more = (dataset(np.zeros(count, np.int64), 1) for count in (MANY, 5 * MANY))
    assert f"{MANY} pictures ({MANY} .jpg)" in taken_line(made, {}, {})
    few, many = (most(lambda each=each: taken_line(each, {}, {})) for each in (made, more))
    assert many < 1.2 * few


def most(work: Any) -> int:
    """Bytes at the peak."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
