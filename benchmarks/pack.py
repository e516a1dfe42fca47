"""Kill `kakera pack` repeatedly, check its shards, and compare their reading speed with that of the folder.

    python benchmarks/pack.py --pictures 20000 --out docs/pack-speed.json

The input are small JPEG files of noise. Each kill is a SIGKILL at a random time. Pictures, classes and
names are compared by SHA-256. Reading is measured as CPU time of one thread, every picture once in one
random order, folder and shards in turns.
"""

import argparse
import hashlib
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from kakera.data.dataset import Dataset
from kakera.data.sources.open import open_dataset


def main(
    pictures: int = 20_000, kills: int = 20, rounds: int = 5, shard_size: int = 250, longest: float = 1.0
) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        files(root / "files", pictures)
        start = time.monotonic()
        killed = packed(root / "files", root / "shards", kills, shard_size, longest)
        seconds = time.monotonic() - start
        folder, shards = open_dataset(root / "files"), open_dataset(root / "shards")
        wanted, found = digests(folder), digests(shards)
        spent = reading({"folder": folder, "shards": shards}, rounds)
        shutil.rmtree(root / "shards")
    ratios = np.array(spent["folder"]) / np.array(spent["shards"])
    return {
        "benchmark": "packing small JPEG files under SIGKILL, and reading them",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "pictures": pictures,
        "kills": killed,
        "seconds of packing": round(seconds, 1),
        "lost": sum((wanted - found).values()),
        "repeated or changed": sum((found - wanted).values()),
        "rounds": rounds,
        "microseconds to read one": {
            name: round(float(np.median(times)) / pictures * 1e6, 1) for name, times in spent.items()
        },
        "shards, times the folder's speed": {
            "median": round(float(np.median(ratios)), 2),
            "least": round(float(ratios.min()), 2),
            "most": round(float(ratios.max()), 2),
        },
    }


def files(folder: Path, count: int) -> None:
    noise = np.random.default_rng(0)
    for number in range(count):
        path = folder / f"class-{number % 10}" / f"{number:06d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        small = Image.fromarray(noise.integers(0, 256, (6, 8, 3), dtype=np.uint8))
        small.resize((48, 36)).save(path, quality=90)


def packed(source: Path, target: Path, kills: int, shard_size: int, longest: float) -> int:
    """Run the command until it finishes, and return the number of kills."""
    words = ["pack", str(source), str(target), "--shard-size", str(shard_size), "--workers", "2"]
    instants, killed = random.Random(0), 0
    while True:
        process = subprocess.Popen(
            [sys.executable, "-m", "kakera", *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        before = state(target)
        while killed < kills and process.poll() is None and state(target) == before:
            time.sleep(0.002)  # wait until it writes: an earlier kill would interrupt nothing
        try:
            process.wait(instants.uniform(0, longest) if killed < kills else None)
        except subprocess.TimeoutExpired:
            process.kill()
            killed += 1
        said = process.communicate()[1]
        if process.returncode == 0:
            return killed
        if process.returncode > 0:
            raise RuntimeError(said.decode())


def state(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def digests(dataset: Dataset) -> Counter[str]:
    """Return the SHA-256 of the values, shape, class and name of each picture."""
    assert dataset.labels is not None
    found: Counter[str] = Counter()
    for index in range(len(dataset)):
        values = dataset.pictures.read(index)
        label, name = dataset.classes[dataset.labels[index]], Path(dataset.pictures.name(index)).name
        found[hashlib.sha256(values.tobytes() + f"{values.shape} {label} {name}".encode()).hexdigest()] += 1
    return found


def reading(sources: dict[str, Dataset], rounds: int) -> dict[str, list[float]]:
    spent: dict[str, list[float]] = {name: [] for name in sources}
    for turn in range(rounds):
        for name, dataset in sources.items():
            order = np.random.default_rng(turn).permutation(len(dataset)).tolist()
            start = time.process_time()
            total = sum(int(dataset.pictures.read(index)[0, 0, 0]) for index in order)
            spent[name].append(time.process_time() - start)
            assert total > 0
    return spent


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=20_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    result = main(given.pictures, given.kills)
    print(json.dumps(result, indent=1))
    if given.out:
        given.out.write_text(json.dumps(result, indent=1) + "\n")
