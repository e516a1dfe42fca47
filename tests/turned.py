"""Pictures of the demo, turned by known angles: numbers to predict whose truth is exact."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kakera.data.dataset import Dataset
from kakera.data.holders import ArrayPictures
from kakera.data.sources.open import open_dataset


def turned(train: int, test: int, seed: int = 0) -> Dataset:
    """Return pictures turned by −60° to 60°, all with the same mean brightness, and their angles."""
    random, demo = np.random.default_rng(seed), open_dataset("demo")
    rows = random.permutation(len(demo))[: train + test]
    angles = random.uniform(-60, 60, len(rows))
    pictures = [
        _turned(demo.pictures.read(int(row))[..., 0], angle) for row, angle in zip(rows, angles, strict=True)
    ]
    split = np.array(["train"] * train + ["test"] * test)
    arrays = ArrayPictures(np.stack(pictures)[..., None])
    return Dataset("turned", arrays, 1, split, ("angle",), angles)


def turned_npz(folder: Path, train: int = 60, test: int = 20) -> Path:
    """Return a file of turned pictures."""
    data, path = turned(train, test), folder / "turned.npz"
    values = np.stack([data.pictures.read(row) for row in range(len(data))])
    assert data.labels is not None
    np.savez(path, images=values, labels=data.labels, split=data.split)
    return path


def _turned(values: NDArray[np.uint8], angle: float) -> NDArray[np.uint8]:
    image = Image.fromarray(values).rotate(angle, Image.Resampling.BILINEAR)
    found = np.asarray(image, np.float64)
    return np.clip(found - found.mean() + 100, 0, 255).astype(np.uint8)
