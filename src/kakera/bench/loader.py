"""Loader benchmark: JPEG files of 500 × 375 to training batches of 224 × 224, compared with Pillow.

The measured value is CPU time with one thread. A round reads every picture once, with the same crops and
flips for all contenders. The peer is the MAE recipe: it decodes the whole picture, crops, resizes (bicubic)
and flips with Pillow, in the DataLoader of PyTorch. It receives its crops and may return bytes. kakera reads
the same files, shards of the files, and shards of pixels whose shorter side is 256.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from kakera import seeding
from kakera.bench.contest import OURS, Contender, Work
from kakera.data.batch import Augmentation
from kakera.data.dataset import Dataset
from kakera.data.images import augment
from kakera.data.loader import training_batches
from kakera.data.packing.pack import pack
from kakera.data.sources.open import open_dataset

SIZE, FILE_SIZE = (224, 224), (375, 500)  # height first
PEER = "MAE recipe in Pillow"
RECIPE = Augmentation(crop=(0.2, 1.0), flip=True)


def loader(place: Path, *, pictures: int, batch: int) -> Work:
    """Return all contenders, and the difference between their values."""
    files = place / "files"
    photographs(files, pictures)
    pack(files, place / "packed-files", store="files", workers=1)
    pack(files, place / "packed-pixels", workers=1)
    sources = {
        OURS: open_dataset(files),
        f"{OURS}, shards of files": open_dataset(place / "packed-files"),
        f"{OURS}, shards of pixels": open_dataset(place / "packed-pixels"),
    }
    recipe, steps = Recipe(sorted(files.iterdir())), pictures // batch
    contenders = [
        Contender(name, _epochs(lambda turn, source=source: ours(source, turn, batch, steps)))
        for name, source in sources.items()
    ]
    contenders.append(Contender(PEER, _epochs(lambda turn: recipe.epoch(turn, batch))))
    apart = differences(recipe, sources[OURS], batch, steps)
    return Work(contenders, steps * batch, details={"difference to the peer, of 255": apart})


def photographs(folder: Path, count: int) -> None:
    """Write pieces of two photographs of scikit-learn as JPEG files of quality 90."""
    from sklearn.datasets import load_sample_images  # imported here, because the import takes a second

    folder.mkdir(parents=True)
    random, photos = np.random.default_rng(0), load_sample_images().images
    for number in range(count):
        image = Image.fromarray(photos[number % 2])
        height = int(random.integers(300, image.height + 1))
        width = height * 4 // 3
        left = int(random.integers(0, image.width - width + 1))
        top = int(random.integers(0, image.height - height + 1))
        box = (left, top, left + width, top + height)
        piece = image.resize((FILE_SIZE[1], FILE_SIZE[0]), Image.Resampling.BICUBIC, box=box)
        piece.save(folder / f"{number:05d}.jpg", quality=90)


class Recipe(TorchDataset[Tensor]):
    """The data set of the peer, as in the MAE recipe.

    Example:

        >>> Image.new("RGB", FILE_SIZE[::-1]).save("0.jpg")
        >>> recipe = Recipe([Path("0.jpg")])
        >>> [batch.shape for batch in recipe.epoch(0, batch=1)]
        [torch.Size([1, 3, 224, 224])]
    """

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths
        self.boxes = np.zeros((0, 4))
        self.flips = np.zeros(0, bool)

    def __getitem__(self, index: int) -> Tensor:
        with Image.open(self.paths[index]) as file:
            image = file.convert("RGB")
        left, top, right, bottom = self.boxes[index]
        image = image.crop((left, top, right, bottom)).resize(SIZE, Image.Resampling.BICUBIC)
        if self.flips[index]:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()

    def __len__(self) -> int:
        return len(self.paths)

    def epoch(self, turn: int, batch: int) -> Iterator[Tensor]:
        """Return the batches of an epoch with the crops, flips and order of kakera."""
        count = len(self)
        noise = seeding.uniform(0, turn, np.arange(count), "geometry", 3 + 4 * augment.TRIES)
        sizes = np.array([FILE_SIZE] * count)
        self.boxes = augment.random_boxes(noise[:, 3:], sizes, RECIPE.crop, RECIPE.ratio)
        self.flips = noise[:, 0] < 0.5
        order = seeding.permutation(0, turn, count)[: count // batch * batch]
        return iter(DataLoader(self, batch_size=batch, sampler=order.tolist()))


def ours(dataset: Dataset, turn: int, batch: int, steps: int) -> Iterator[Tensor]:
    """Return the batches of kakera for one epoch.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> pictures = open_dataset("demo").part("test").take(range(4))
        >>> [batch.shape for batch in ours(pictures, turn=0, batch=2, steps=1)]
        [torch.Size([2, 1, 224, 224])]
    """
    batches = training_batches(
        dataset, SIZE, RECIPE, seed=0, batch=batch, steps=(turn + 1) * steps, start=turn * steps
    )
    return (each.pictures for each in batches)


def differences(recipe: Recipe, dataset: Dataset, batch: int, steps: int) -> dict[str, Any]:
    """Return the differences between the peer and kakera for the same crops of the same files.

    Example:

        >>> Path("photos").mkdir()
        >>> Image.new("RGB", FILE_SIZE[::-1]).save("photos/0.jpg")
        >>> recipe = Recipe([Path("photos/0.jpg")])
        >>> differences(recipe, open_dataset("photos"), batch=1, steps=1)["most"]
        0
    """
    pairs = zip(recipe.epoch(0, batch), ours(dataset, 0, batch, steps), strict=True)
    gaps = np.concatenate([(a.int() - b.int()).abs().numpy().ravel() for a, b in pairs])
    return {
        "mean": round(float(gaps.mean()), 5),
        "most": int(gaps.max()),
        "share above 1": round(float((gaps > 1).mean()), 5),
    }


def _epochs(epoch: Callable[[int], Iterator[Tensor]]) -> Callable[[], object]:
    turns = itertools.count()
    return lambda: sum(len(batch) for batch in epoch(next(turns)))
