"""From JPEG files of 500 x 375 to training batches of 224 x 224: kakera beside the MAE recipe in Pillow.

    OMP_NUM_THREADS=1 python benchmarks/loader.py --out docs/loader-speed.json

One thread, processor time, rounds that take turns; a round is every picture once, with the same crops and
mirrors for all. The peer decodes the whole picture, cuts, resizes (bicubic) and mirrors with Pillow, in
PyTorch's DataLoader; it is given its crops and may keep bytes. kakera reads the same files, shards of the
files, and shards of pixels whose shorter side is 256.
"""

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import simplejpeg
import torch
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_sample_images
from torch.utils.data import DataLoader

from kakera import chance
from kakera.data import augment
from kakera.data.batch import Augmentation
from kakera.data.dataset import Dataset
from kakera.data.loader import training_batches
from kakera.data.pack import pack
from kakera.data.sources import open_dataset

SIZE = (224, 224)
PEER = "MAE recipe in Pillow"
RECIPE = Augmentation(crop=(0.2, 1.0), flip=True)


def main(pictures: int = 64, batch: int = 16, rounds: int = 7) -> dict[str, Any]:
    """Milliseconds a picture, and ratios to the peer in the same round."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        photographs(root / "files", pictures)
        pack(root / "files", root / "packed-files", store="files", workers=1)
        pack(root / "files", root / "packed-pixels", workers=1)
        sources = {
            "kakera, files": open_dataset(root / "files"),
            "kakera, shards of files": open_dataset(root / "packed-files"),
            "kakera, shards of pixels": open_dataset(root / "packed-pixels"),
        }
        recipe = Recipe([str(path) for path in sorted((root / "files").iterdir())])
        steps = pictures // batch
        contenders: dict[str, Callable[[int], Iterator[Any]]] = {PEER: lambda turn: recipe.epoch(turn, batch)}
        for title, dataset in sources.items():
            contenders[title] = lambda turn, dataset=dataset: ours(dataset, turn, batch, steps)
        difference = apart(recipe, sources["kakera, files"], batch, steps)
        spent: dict[str, list[float]] = {title: [] for title in contenders}
        for turn in range(rounds + 1):
            for title, epoch in contenders.items():
                start = time.process_time()
                count = sum(len(found) for found in epoch(turn))
                assert count == steps * batch
                if turn:  # the first opens, maps and checks
                    spent[title].append((time.process_time() - start) / count * 1e3)
    ratios = {
        title: np.array(spent[PEER]) / np.array(times) for title, times in spent.items() if title != PEER
    }
    return {
        "benchmark": "JPEG 500 x 375, quality 90, to random crops of 224 x 224, one thread, processor time",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine(),
        "pictures": pictures,
        "batch": batch,
        "rounds": rounds,
        "milliseconds": {title: spread(times) for title, times in spent.items()},
        "ratios": {title: spread(values) for title, values in ratios.items()},
        "difference to the peer, of 255": difference,
    }


def photographs(folder: Path, count: int) -> None:
    """Pieces of two photographs that scikit-learn ships."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    for number in range(count):
        image = Image.fromarray(load_sample_images().images[number % 2])
        height = int(random.integers(300, image.height + 1))
        width = height * 4 // 3
        left, top = random.integers(0, image.width - width + 1), random.integers(0, image.height - height + 1)
        piece = image.resize(
            (500, 375), Image.Resampling.BICUBIC, box=(left, top, left + width, top + height)
        )
        piece.save(folder / f"{number:05d}.jpg", quality=90)


class Recipe:
    """The peer: a data set as the MAE recipe has it."""

    def __init__(self, paths: list[str]) -> None:
        self.paths = paths
        self.boxes = np.zeros((0, 4))
        self.flips = np.zeros(0, bool)

    def __getitem__(self, index: int) -> torch.Tensor:
        with Image.open(self.paths[index]) as file:
            image = file.convert("RGB")
        image = image.crop(tuple(self.boxes[index])).resize(SIZE, Image.Resampling.BICUBIC)
        if self.flips[index]:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous()

    def __len__(self) -> int:
        return len(self.paths)

    def epoch(self, turn: int, batch: int) -> Iterator[torch.Tensor]:
        """The crops, mirrors and order that kakera draws."""
        count = len(self)
        noise = chance.uniform(0, turn, np.arange(count), "geometry", 3 + 4 * augment.TRIES)
        sizes = np.array([(375, 500)] * count)
        self.boxes = augment.random_boxes(noise[:, 3:], sizes, RECIPE.crop, RECIPE.ratio)
        self.flips = noise[:, 0] < 0.5
        order = chance.order(0, turn, count)[: count // batch * batch]
        return iter(DataLoader(self, batch_size=batch, sampler=order.tolist()))  # type: ignore[arg-type]


def ours(dataset: Dataset, turn: int, batch: int, steps: int) -> Iterator[torch.Tensor]:
    found = training_batches(
        dataset, SIZE, RECIPE, seed=0, batch=batch, steps=(turn + 1) * steps, start=turn * steps
    )
    return (one.pictures for one in found)


def apart(recipe: Recipe, dataset: Dataset, batch: int, steps: int) -> dict[str, float]:
    """How far the same crops of the same files lie apart."""
    pairs = zip(recipe.epoch(0, batch), ours(dataset, 0, batch, steps), strict=True)
    differences = np.concatenate([(a.int() - b.int()).abs().numpy().ravel() for a, b in pairs])
    return {
        "mean": round(float(differences.mean()), 5),
        "most": int(differences.max()),
        "share above 1": round(float((differences > 1).mean()), 5),
    }


def spread(values: list[float] | NDArray[np.float64]) -> dict[str, float]:
    return {
        name: round(float(value), 3)
        for name, value in (
            ("median", np.median(values)),
            ("least", np.min(values)),
            ("most", np.max(values)),
        )
    }


def machine() -> dict[str, Any]:
    cpu = ""
    if Path("/proc/cpuinfo").exists():
        lines = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line]
        cpu = lines[0].partition(":")[2].strip() if lines else ""
    return {
        "processor": cpu or platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "pillow": PIL.__version__,
        "simplejpeg": simplejpeg.__version__,
    }


def report(found: dict[str, Any]) -> str:
    lines = [
        f"{title:26} {times['median']:6.2f} ms a picture" for title, times in found["milliseconds"].items()
    ]
    for title, ratio in found["ratios"].items():
        lines.append(
            f"{title}: {ratio['median']:.1f} x ({ratio['least']:.1f} to {ratio['most']:.1f}) the {PEER}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    result = main(given.pictures, rounds=given.rounds)
    print(report(result))
    if given.out:
        given.out.write_text(json.dumps(result, indent=1) + "\n")
