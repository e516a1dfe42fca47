"""Measure pictures per second of a pretraining epoch above 64 pixels, with and without reduced storage.

    python benchmarks/epochs.py                      # 1 000 generated photographs of 1 000 x 750
    python benchmarks/epochs.py --data FOLDER --json found.json

The same network (micro, 96 pixels, patches of 8) trains on the same pictures in two ways, in turns.
"before": pictures in memory at full size, or, beyond the memory limit, decoded by processes in each epoch;
crops are made between the steps. "after": pictures stored with a reduced shorter side (`preload`); a thread
crops them during the steps. Ratios are computed within a round. The output shows the fastest turns and the
median ratio. The speed of the network alone, without reading, is the limit of both.
"""

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from kakera.data import loader, workers
from kakera.data.batch import Augmentation, Batch
from kakera.data.dataset import Dataset
from kakera.data.images.crop import CenterCrop
from kakera.data.images.resize import stored_side
from kakera.data.order import ALL, TrainingSampler
from kakera.data.preload.preload import LIMIT, is_decoded, preload
from kakera.data.sources.open import open_dataset
from kakera.formats.native import seeded_generator
from kakera.inputs import InputSpec
from kakera.model.configs import vit_config
from kakera.model.mae import MAE
from kakera.model.vit import ViT
from kakera.training.options import PretrainOptions
from kakera.training.tasks import Pretraining

BATCH, LEAST = 64, 0.2
AUGMENTATION = Augmentation(crop=(LEAST, 1.0), flip=True)
BEFORE, AFTER, ALONE = "before", "after", "the network alone"


def photographs(folder: Path, count: int, size: tuple[int, int] = (750, 1000)) -> Path:
    """Write JPEG files of noise at all scales, similar to photographs."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        draw = np.random.default_rng(number)
        picture = np.full((*size, 3), 128, np.float32)
        for side in (3, 8, 20, 60, 180):
            small = draw.integers(0, 256, (side, side * 4 // 3, 3), dtype=np.uint8)
            large = Image.fromarray(small).resize((size[1], size[0]), Image.Resampling.BICUBIC)
            picture += (np.asarray(large, np.float32) - 128) * (1.5 / side**0.5)
        Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(folder / f"{number:05}.jpg", quality=90)
    return folder


def network(channels: int, image: int, patch: int, size: str) -> tuple[Pretraining, torch.optim.Optimizer]:
    """Return the pretraining task and its optimiser."""
    shape = vit_config(size).with_patch((patch, patch))
    inputs = InputSpec(channels, image, image, (0.5,) * channels, (0.25,) * channels)
    model = MAE(ViT(shape, channels=channels, image_size=inputs.size), shape.decoder)
    model.reset_parameters(seeded_generator(0))
    return Pretraining(model, inputs, PretrainOptions("")), torch.optim.AdamW(model.parameters(), fused=True)


def learn(task: Pretraining, optimizer: torch.optim.Optimizer, batches: Iterable[Batch]) -> int:
    """Train one step on each batch, and return the number of pictures."""
    count = 0
    for batch in batches:
        task.loss(task.model, batch).backward()
        optimizer.step()
        optimizer.zero_grad()
        count += len(batch.samples)
    return count


def in_turns(dataset: Dataset, image: int, epoch: int) -> Iterator[Batch]:
    """Yield batches of pictures in memory, each after the step of the previous one."""
    reader = loader.Reader(dataset, CenterCrop((image, image)), AUGMENTATION, 0, BATCH)
    per_epoch = len(dataset) // min(BATCH, len(dataset))
    for places in TrainingSampler(len(dataset), 0, BATCH, (epoch + 1) * per_epoch, epoch * per_epoch, ALL):
        yield reader.__getitems__(places)


def ahead(dataset: Dataset, image: int, epoch: int, processes: int) -> Iterator[Batch]:
    """Yield batches as training does, prepared ahead of the steps."""
    per_epoch = len(dataset) // min(BATCH, len(dataset))
    steps, start = (epoch + 1) * per_epoch, epoch * per_epoch
    reader = loader.Reader(dataset, CenterCrop((image, image)), AUGMENTATION, 0, BATCH)
    yield from workers.read_batches(
        reader, TrainingSampler(len(dataset), 0, BATCH, steps, start, ALL), processes
    )


def compare(
    dataset: Dataset,
    *,
    rounds: int = 3,
    image: int = 96,
    patch: int = 8,
    size: str = "micro",
    limit: int = LIMIT,
) -> dict[str, Any]:
    """Return pictures per second of each way and of the network alone, and the ratio after / before."""
    dataset = replace(dataset, split=np.full(len(dataset), "train"))
    began = time.perf_counter()
    before = preload(dataset, limit)
    held = time.perf_counter()
    after = preload(dataset, limit, shorter=stored_side(image, LEAST), size=(image, image))
    kept = time.perf_counter()
    task, optimizer = network(dataset.channels, image, patch, size)
    cores = os.cpu_count() or 1
    fixed = list(in_turns(after.take(range(min(2 * BATCH, len(after)))), image, 0))
    contenders: dict[str, Callable[[int], Iterable[Batch]]] = {
        BEFORE: lambda n: (
            in_turns(before, image, n) if is_decoded(before) else ahead(before, image, n, cores)
        ),
        AFTER: lambda n: ahead(after, image, n, 0 if is_decoded(after) else cores),
        ALONE: lambda n: fixed * max(1, len(after) // BATCH // len(fixed)),
    }
    learn(task, optimizer, fixed)
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds):
        for name in list(contenders)[:: -1 if turn % 2 else 1]:
            start = time.perf_counter()
            count = learn(task, optimizer, contenders[name](turn))
            rates[name].append(count / (time.perf_counter() - start))
    return {
        "pictures": len(after),
        "before": "in memory" if is_decoded(before) else f"decoded each time by {cores} processes",
        "seconds until the first step": {BEFORE: held - began, AFTER: kept - held},
        "pictures/s, the best": {name: max(found) for name, found in rates.items()},
        "after / before": [one / other for one, other in zip(rates[AFTER], rates[BEFORE], strict=True)],
    }


def report(found: dict[str, Any]) -> str:
    """Return the results as text."""
    ratios = found["after / before"]
    rates = ", ".join(f"{name} {rate:.0f}" for name, rate in found["pictures/s, the best"].items())
    return (
        f"{found['pictures']} pictures, before: {found['before']}; pictures/s: {rates}\n"
        f"after / before: {statistics.median(ratios):.2f} x ({min(ratios):.2f} to {max(ratios):.2f})"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="", help="a folder of pictures; default: generated photographs")
    parser.add_argument("--pictures", type=int, default=1000, help="number of pictures")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", default="")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    with tempfile.TemporaryDirectory() as scratch:
        os.environ.setdefault("KAKERA_CACHE", scratch)
        folder = given.data or photographs(Path(scratch) / "photographs", given.pictures)
        opened = open_dataset(folder)
        chosen = np.random.default_rng(0).permutation(len(opened))[: given.pictures]
        result = compare(opened.take(chosen), rounds=given.rounds)
    print(report(result))
    if given.json:
        Path(given.json).write_text(json.dumps(result, indent=2) + "\n")
