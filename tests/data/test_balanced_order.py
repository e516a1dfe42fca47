"""The order in which each class is drawn equally often."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kakera.commands.finetune import finetune
from kakera.data.batch import Augmentation
from kakera.data.loader import training_batches
from kakera.data.order import ALL, BatchSlice, TrainingSampler, balanced_order
from kakera.errors import OptionError
from tests.small import QUICK, pictures
from tests.training import commands

UNEVEN = np.array([0] * 30 + [1] * 5 + [3] * 2)  # no sample has class 2


@given(st.lists(st.integers(0, 6), min_size=1, max_size=60), st.integers(0, 5), st.integers(0, 5))
def test_all_classes_and_all_files_of_a_class_are_equally_frequent(
    classes: list[int], seed: int, epoch: int
) -> None:
    labels = np.array(classes)
    order = balanced_order(labels, seed, epoch)
    assert len(order) == len(labels)
    frequent = np.bincount(labels[order], minlength=7)[np.unique(labels)]
    assert np.ptp(frequent) <= 1
    times = np.bincount(order, minlength=len(labels))
    assert all(np.ptp(times[labels == label]) <= 1 for label in np.unique(labels))
    assert np.array_equal(order, balanced_order(labels, seed, epoch))


def test_each_epoch_has_other_files_of_a_large_class_in_another_order() -> None:
    first, second = (balanced_order(UNEVEN, 0, epoch) for epoch in (0, 1))
    assert not np.array_equal(first, second)
    assert set(first[first < 30]) != set(second[second < 30])
    seen = {number for epoch in range(20) for number in balanced_order(UNEVEN, 0, epoch).tolist()}
    assert len(seen) == len(UNEVEN)


def test_a_sampler_that_starts_late_yields_the_same_steps_in_pieces_too() -> None:
    whole = list(TrainingSampler(len(UNEVEN), 3, 8, 12, 0, ALL, UNEVEN))
    assert list(TrainingSampler(len(UNEVEN), 3, 8, 12, 7, ALL, UNEVEN)) == whole[7:]
    halves = [list(TrainingSampler(len(UNEVEN), 3, 8, 12, 0, BatchSlice(i, 1, 2), UNEVEN)) for i in (0, 1)]
    assert [sorted([*one, *other]) for one, other in zip(*halves, strict=True)] == [
        sorted(step) for step in whole
    ]


def test_a_repeated_file_gets_a_new_augmentation_in_each_step() -> None:
    data = pictures(40, 0)
    assert data.labels is not None
    labels = (data.labels == data.labels[0]).astype(np.int64)
    batches = training_batches(
        data, (28, 28), Augmentation(shift=4), seed=0, batch=8, steps=5, classes=labels
    )
    versions: dict[int, set[bytes]] = {}
    steps: dict[int, set[int]] = {}
    for batch in batches:
        for number, picture in zip(batch.samples.tolist(), batch.pictures, strict=True):
            versions.setdefault(number, set()).add(picture.numpy().tobytes())
            steps.setdefault(number, set()).add(batch.step)
    repeated = [number for number, found in steps.items() if len(found) > 2]
    assert repeated
    assert all(len(versions[number]) > 1 for number in repeated)


@pytest.mark.parametrize("name", ["class_weight", "class_balance"])
def test_classes_are_not_balanced_twice(name: str, tmp_path: Path) -> None:
    changes: dict[str, Any] = {**QUICK, "sampler": "balanced", name: 1.0}
    with pytest.raises(OptionError, match=f"{name}: got 1 with the sampler balanced"):
        finetune(pictures(), out=tmp_path / "run", model="nano", **changes)


def test_files_with_several_labels_are_refused(tmp_path: Path) -> None:
    data = pictures()
    assert data.labels is not None
    several = replace(data, labels=np.eye(10, dtype=np.bool_)[data.labels])
    with pytest.raises(OptionError, match="sampler: got balanced for files with several labels"):
        finetune(several, out=tmp_path / "run", model="nano", sampler="balanced", **QUICK)


@pytest.mark.slow
def test_a_killed_run_ends_with_the_same_weights(tmp_path: Path) -> None:
    words = [*commands.FINETUNE, "--epochs", "20", "--sampler", "balanced", "--loss", "focal"]
    commands.require_same_weights_after_a_kill("finetune", commands.some_npz(tmp_path), tmp_path, words)
