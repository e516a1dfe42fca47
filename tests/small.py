"""A small world for tests: few real pictures, and trainings of a second."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from kakera.data.dataset import Dataset
from kakera.data.sources.open import open_dataset

# Differences from every recipe that make a training end in about a second.
QUICK: dict[str, Any] = {"epochs": 2.0, "min_steps": 1, "batch_size": 16, "recipe": "demo"}


def pictures(train: int = 40, test: int = 20) -> Dataset:
    """Some of the demo's pictures: ten classes, 28 × 28, grey."""
    demo = open_dataset("demo")
    parts = [np.flatnonzero(demo.split == part)[:count] for part, count in (("train", train), ("test", test))]
    return demo.take(np.concatenate(parts))


def folder(root: Path, count: int = 12, classes: tuple[str, ...] = ("bag", "boot"), side: int = 28) -> Path:
    """A folder of PNG pictures, one sub-folder a class, `count` in each."""
    random = np.random.default_rng(0)
    for label, name in enumerate(classes):
        (root / name).mkdir(parents=True)
        for number in range(count):
            values = random.integers(0, 120, (side, side, 3)) + 100 * label
            Image.fromarray(values.astype(np.uint8)).save(root / name / f"{number}.png")
    return root
