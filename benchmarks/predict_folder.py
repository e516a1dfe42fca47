"""Compare `kakera predict` on a folder with timm's way of inference: whole commands, from start to last line.

    OMP_NUM_THREADS=2 python -m benchmarks.predict_folder --peers peers
    OMP_NUM_THREADS=2 python -m benchmarks.predict_folder --files 2000 --engines auto int8

The benchmark makes a folder of JPEG files (500 x 375, quality 90, 40 to 60 kB) and a run folder of a
ViT-S/16 with random weights. timm's side does what its inference script does, with its defaults: float32,
batches of 256, two reading processes, resize and crop by torchvision's own Python code for Pillow pictures,
softmax, topk, a CSV file. Each command is a child process. The table shows wall time, processor time of the
command and its workers, and files per second. The commands run in turns, and the table shows medians. Random
weights give labels without sense, so `auto` may refuse engines that it accepts for a trained model.
"""

from __future__ import annotations

import argparse
import csv
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from kakera.bench.foreign import add_peers_folder, library
from kakera.formats.bundle import Pretrained
from kakera.formats.native import save_model
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier

WIDTH, HEIGHT, QUALITY = 500, 375, 90
SIDE, CLASSES = 224, 1000
ENGINES = ("torch", "auto", "int8", "int8 merging")
TIMM = "timm"


def picture(number: int) -> Image.Image:
    """Return a picture with smooth areas, edges and grain, drawn from its number."""
    draws = np.random.default_rng(number)
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    coarse = draws.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    values = np.asarray(
        Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC), np.float32
    ).copy()
    for _ in range(40):  # discs with their own colour and texture
        y, x, radius = draws.uniform(0, HEIGHT), draws.uniform(0, WIDTH), draws.uniform(8, 90)
        down, across = draws.uniform(-0.8, 0.8, 2)
        box = np.s_[
            max(0, int(y - radius)) : int(y + radius) + 2, max(0, int(x - radius)) : int(x + radius) + 2
        ]
        inside = (rows[box] - y) ** 2 + (columns[box] - x) ** 2 < radius**2
        wave = np.sin(rows[box] * down + columns[box] * across)[..., None]
        values[box] = np.where(inside[..., None], draws.uniform(0, 255, 3) + 25 * wave, values[box])
    values = values + draws.normal(0, 2.6, (HEIGHT, WIDTH, 1))
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


def write_folder(place: Path, files: int) -> None:
    """Write JPEG files into a new folder."""
    place.mkdir(parents=True)
    for number in range(files):
        picture(number).save(place / f"{number:05d}.jpg", quality=QUALITY)


def write_run(place: Path, size: str) -> None:
    """Write a run folder of a classifier with random weights."""
    model = Classifier(size, CLASSES, "class", channels=3, image_size=SIDE, seed=0).eval()
    torch.nn.init.normal_(model.head.weight, std=0.2, generator=torch.Generator().manual_seed(0))
    inputs = InputSpec(3, SIDE, SIDE, (0.5,) * 3, (0.5,) * 3, crop_pct=0.9)
    save_model(place, Pretrained(model, inputs, tuple(f"class {number}" for number in range(CLASSES))))


def run_timm(folder: str, out: str, size: str, peers: str) -> None:
    """Predict a folder with timm, and write a CSV file. Raises ImportError without timm."""
    if peers:
        add_peers_folder(peers)
    timm, data = library("timm"), library("timm.data")
    model = timm.create_model(f"vit_{size}_patch16_224", num_classes=CLASSES).eval()
    config = data.resolve_data_config({}, model=model)
    dataset = data.create_dataset(root=folder, name="", split="validation")
    loader = data.create_loader(
        dataset, batch_size=256, use_prefetcher=True, num_workers=2, device=torch.device("cpu"), **config
    )
    names = [str(name) for name in dataset.filenames(basename=True)]
    with torch.inference_mode(), Path(out).open("w", newline="") as file:
        found = [model(pictures).softmax(-1).topk(5) for pictures, _ in loader]
        writer = csv.writer(file)
        writer.writerow(["filename", "label", "prob"])
        values, classes = (torch.cat([each[part] for each in found]).tolist() for part in (0, 1))
        writer.writerows(zip(names, classes, values, strict=True))


def measured(command: Sequence[str], out: Path) -> tuple[float, float]:
    """Run a command, write its output into a file, and return wall and processor time in seconds."""
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with out.open("wb") as file:
        subprocess.run(command, check=True, stdout=file, stderr=subprocess.PIPE)
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def has_timm(peers: str) -> bool:
    """Return True if timm can be imported."""
    if peers:
        add_peers_folder(peers)
    try:
        return bool(library("timm.data"))
    except ImportError:
        return False


def main(
    files: int = 1000,
    size: str = "small",
    engines: Sequence[str] = ENGINES,
    rounds: int = 3,
    peers: str = "",
    options: Sequence[str] = (),
) -> dict[str, tuple[float, float]]:
    """Return medians of wall and processor time in seconds for each contender.

    `options` are more words of `kakera predict`. Without timm, only kakera is measured.
    """
    with tempfile.TemporaryDirectory() as place:
        folder, run, out = Path(place) / "pictures", Path(place) / "run", Path(place) / "out.csv"
        write_folder(folder / "all", files)
        write_run(run, size)
        python = [sys.executable, "-m"]
        commands = {
            f"kakera {engine}": [
                *(
                    *python,
                    "kakera",
                    "predict",
                    str(run),
                    str(folder),
                    "--engine",
                    engine,
                    "--json",
                    "--top",
                    "5",
                ),
                *options,
            ]
            for engine in engines
        }
        if has_timm(peers):
            table = str(Path(place) / "timm.csv")
            words = ["--as-timm", str(folder), table, "--size", size, "--peers", peers]
            commands[TIMM] = [*python, "benchmarks.predict_folder", *words]
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for number in range(rounds):
            for name, command in commands.items():
                os.environ["KAKERA_CACHE"] = str(Path(place) / f"{name} {number}")  # auto measures each time
                times[name].append(measured(command, out))
    return {
        name: (statistics.median(one for one, _ in each), statistics.median(two for _, two in each))
        for name, each in times.items()
    }


def report(found: dict[str, tuple[float, float]], files: int) -> str:
    """Return a table with one line for each contender."""
    base = found.get(TIMM)
    lines = [f"{'command':<22}{'wall, s':>9}{'CPU, s':>9}{'files/s':>9}{'rate':>7}{'CPU rate':>10}"]
    for name, (wall, busy) in found.items():
        ratio = "" if base is None else f"{base[0] / wall:>6.2f}x{base[1] / busy:>9.2f}x"
        lines.append(f"{name:<22}{wall:>9.1f}{busy:>9.1f}{files / wall:>9.1f}{ratio}")
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=1000, help="number of JPEG files (default: 1000)")
    parser.add_argument("--size", default="small", help="size of the ViT with patches of 16 (default: small)")
    parser.add_argument("--engines", nargs="*", default=ENGINES, help="engines of kakera")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each command (default: 3)")
    parser.add_argument("--peers", default="", help="a folder with timm and torchvision")
    parser.add_argument("--as-timm", nargs=2, metavar=("FOLDER", "OUT"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.as_timm:
        run_timm(*given.as_timm, given.size, given.peers)
    else:
        print(report(main(given.files, given.size, given.engines, given.rounds, given.peers), given.files))
