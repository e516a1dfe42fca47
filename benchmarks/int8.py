"""Measure the effect of int8: accuracy of a trained classifier, and time per picture.

    OMP_NUM_THREADS=1 python benchmarks/int8.py --size small --batch 8
    OMP_NUM_THREADS=1 python benchmarks/int8.py --size small --data fashion-mnist --json docs/int8.json

The first command measures the time with random weights and random pictures. The second command first trains
the network from scratch on some of the labels, converts it with `kakera convert` to float32 and to int8
(calibrated on pictures of the train part), and compares the accuracy of both on the test part. Then it
measures the time, with the pictures of the data set and with 224 pixels. All times are CPU times of one
thread, the best of several rounds in turns, because a busy machine changes CPU time least.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kakera.bench.machine import describe
from kakera.commands.convert_int8 import convert_int8
from kakera.commands.finetune import finetune
from kakera.data.dataset import Dataset
from kakera.data.loader import evaluation_batches
from kakera.data.sources.open import open_dataset
from kakera.formats.bundle import Pretrained
from kakera.formats.convert import convert
from kakera.formats.load import load
from kakera.formats.native import seeded_generator
from kakera.formats.onnx import export
from kakera.formats.onnx.graph import graph_of
from kakera.formats.onnx.int8 import quantise
from kakera.formats.verify import session_of
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.configs import SIZES
from kakera.model.vit import ViT

CLASSES, PIXELS = 10, 224
PICTURES = 64  # batch size of the training
TORCH, SINGLE, INT8 = "PyTorch, float32", "ONNX Runtime, float32", "ONNX Runtime, int8"


def main(size: str = "small", pixels: int = PIXELS, batch: int = 8, rounds: int = 6) -> dict[str, float]:
    """Return the milliseconds per picture of each runtime, with random weights."""
    torch.set_num_threads(1)
    inputs = InputSpec(3, pixels, pixels, (0.5,) * 3, (0.5,) * 3)
    encoder = ViT(SIZES[size], channels=3, image_size=inputs.size)
    model = Classifier(encoder, CLASSES, "mean").eval()
    model.reset_parameters(seeded_generator(0))
    saved = Pretrained(model, inputs, tuple(map(str, range(CLASSES))))
    graph, given = export.graph(saved), {"pictures": graph_of(saved).example(batch)[0].numpy()}
    return timed(saved, {SINGLE: graph, INT8: quantise(graph, [given])}, batch, rounds)


def timed(saved: Pretrained, graphs: dict[str, bytes], batch: int, rounds: int) -> dict[str, float]:
    """Return the milliseconds per picture of PyTorch and of each graph."""
    pictures = graph_of(saved).example(batch)[0]
    given = {"pictures": pictures.numpy()}
    with tempfile.TemporaryDirectory() as place, torch.inference_mode():
        contenders: dict[str, Callable[[], object]] = {
            TORCH: lambda: saved.model(saved.inputs.normalize(pictures))
        }
        for number, (name, content) in enumerate(graphs.items()):
            file = Path(place) / f"{number}.onnx"
            file.write_bytes(content)
            session = session_of(file, threads=1)
            contenders[name] = lambda session=session: session.run(None, given)
        best = dict.fromkeys(contenders, float("inf"))
        for _ in range(rounds):
            for name, run in contenders.items():
                start = time.process_time()
                run()
                best[name] = min(best[name], (time.process_time() - start) / batch * 1e3)
    return best


def trained(data: Dataset, place: Path, *, size: str, patch: int, labels: int, steps: int) -> Path:
    """Train a classifier from scratch on the train part, and return its run folder."""
    epochs = steps * PICTURES / labels
    options: dict[str, Any] = {"model": size, "patch": (patch,), "labels": labels}
    options |= {
        "batch_size": PICTURES,
        "epochs": epochs,
        "min_steps": 1,
        "warmup_epochs": 0.1 * epochs,
        "base_lr": 4e-3,
    }
    return finetune(data.part("train"), out=place, recipe="micro", **options).folder


def probabilities(graph: Path, data: Dataset, size: tuple[int, int]) -> np.ndarray:
    """Return the probabilities (n, classes) of all pictures, by ONNX Runtime on one thread."""
    session = session_of(graph / export.FILE, threads=1)
    batches = (
        batch.pictures.numpy().astype(np.float32) for batch in evaluation_batches(data, size, batch=50)
    )
    return np.concatenate([session.run(["probabilities"], {"pictures": each})[0] for each in batches])


def cost(data: Dataset, place: Path, *, rounds: int = 6, **options: Any) -> dict[str, Any]:
    """Return the test accuracy of both graphs, the loss in points with a 95 % interval, and times."""
    torch.set_num_threads(1)
    start = time.process_time()
    run = trained(data, place / "run", **options)
    minutes = (time.process_time() - start) / 60
    single, eight = place / "float32", place / "int8"
    difference = convert(run, single, to="onnx").difference
    said = convert_int8(run, eight, calibrate=data, allow_loss=True)
    saved, test = load(run), data.part("test")
    right = [
        probabilities(each, test, saved.inputs.size).argmax(1) == test.labels for each in (single, eight)
    ]
    lost, gained = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    count, points = len(test), 100 * (lost - gained) / len(test)
    spread = 196 * (lost + gained - (lost - gained) ** 2 / count) ** 0.5 / count
    graphs = {name: (each / export.FILE).read_bytes() for name, each in ((SINGLE, single), (INT8, eight))}
    own = f"{saved.inputs.height} pixels, patches of {options['patch']}"
    times = {f"{own}, batch {batch}": timed(saved, graphs, batch, rounds) for batch in (1, 8)}
    if options["size"] in ("small", "base"):  # sizes whose default patches fit 224 pixels
        times |= {f"{PIXELS} pixels, batch {b}": main(options["size"], PIXELS, b, rounds) for b in (1, 8)}
    return {
        "benchmark": "a classifier in float32 and in int8",
        "machine": {**describe(), "threads": 1},
        "data": data.name,
        "trained": {**options, "pictures a step": PICTURES, "processor minutes": round(minutes, 1)},
        "calibrated on": said.calibrated,
        "tested on": count,
        "float32 graph, largest difference from PyTorch": difference,
        "accuracy, %": {
            name: round(100 * float(each.mean()), 2)
            for name, each in zip(("float32", "int8"), right, strict=True)
        },
        "right in float32 alone": lost,
        "right in int8 alone": gained,
        "points lost": round(points, 2),
        "points lost, 95 %": [round(points - spread, 2), round(points + spread, 2)],
        "same label, %": round(100 * said.agreement, 2),
        "milliseconds a picture": {
            case: {name: round(value, 2) for name, value in each.items()} for case, each in times.items()
        },
        "int8, times PyTorch's speed": {case: round(ratio(each), 2) for case, each in times.items()},
    }


def ratio(found: dict[str, float]) -> float:
    """How many times as fast as PyTorch int8 is."""
    return found[TORCH] / found[INT8]


def report(found: dict[str, float]) -> str:
    """A line each, and the ratio."""
    lines = [f"{name:<24}{milliseconds:8.1f} ms a picture" for name, milliseconds in found.items()]
    return "\n".join([*lines, f"int8: {ratio(found):.1f} x PyTorch"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="small", choices=SIZES)
    parser.add_argument("--pixels", type=int, default=PIXELS)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--data", default="", help="train on this data set first, and measure accuracy too")
    parser.add_argument("--patch", type=int, default=14, help="patch side of the trained network, in pixels")
    parser.add_argument("--labels", type=int, default=60000, help="number of labels for training")
    parser.add_argument("--steps", type=int, default=750, help=f"training steps of {PICTURES} pictures")
    parser.add_argument("--json", default="", help="a file for the results")
    parser.add_argument("--keep", default="", help="a folder for the run and both graphs")
    given = parser.parse_args()
    if not given.data:
        print(report(main(given.size, given.pixels, given.batch)))
        raise SystemExit
    with tempfile.TemporaryDirectory() as place:
        chosen = {name: getattr(given, name) for name in ("size", "patch", "labels", "steps")}
        found = cost(open_dataset(given.data), Path(given.keep or place), **chosen)
    text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    if given.json:
        Path(given.json).write_text(text)
    print(text, end="")
