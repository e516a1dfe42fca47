"""Studies of encoders of a second, for tests."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kakera.data.dataset import Dataset
from kakera.data.sources.open import open_dataset
from kakera.formats import features

TRAIN, TEST = 80, 40


def some(train: int = TRAIN, test: int = TEST) -> Dataset:
    """Some of the demo's pictures, equally many of each class."""
    demo = open_dataset("demo")
    assert demo.labels is not None
    chosen = [
        np.flatnonzero((demo.split == part) & (demo.labels == label))[: count // 10]
        for part, count in (("train", train), ("test", test))
        for label in range(10)
    ]
    return demo.take(np.concatenate(chosen))


def options(starts: list[str], **changes: Any) -> dict[str, Any]:
    return {"encoders": starts, "labels": (20, 40), "seeds": 3, **changes}


def cell(done: Path, name: str) -> dict[str, Any]:
    return json.loads((done / "units" / f"head-{name}" / "result.json").read_text())


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


class Passes:
    """Counts the files whose tokens are computed, and can interrupt after some of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, most: int = 10**9) -> None:
        self.seen, self.most, whole = list[bytes](), most, features.each_features

        def counted(saved: Any, dataset: Dataset, *args: Any, **more: Any) -> Iterator[Any]:
            for samples, found, broken in whole(saved, dataset, *args, **more):
                if len(self.seen) >= self.most:
                    raise KeyboardInterrupt
                weights = str(sum(float(each.detach().sum()) for each in saved.model.parameters())).encode()
                self.seen += [weights + dataset.pictures.read(int(n)).tobytes() for n in samples]
                yield samples, found, broken

        monkeypatch.setattr(features, "each_features", counted)
