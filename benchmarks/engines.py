"""Measure accuracy and rate of every engine, for a trained classifier on labelled data.

    OMP_NUM_THREADS=2 python -m benchmarks.engines runs/classifier flowers
    OMP_NUM_THREADS=2 python -m benchmarks.engines runs/classifier flowers --files 2000 --batch 16

The accuracy is that of the test part. int8 is calibrated on files of the train part. The rate is that of the
model alone, without decoding: batches of the test part, in turns, and the median of their times.
"""

import argparse
import time

import numpy as np
import torch

from kakera.data.batch import Batch
from kakera.data.dataset import Dataset
from kakera.formats.bundle import Pretrained, require_classifier
from kakera.formats.engines.builders import EXACT, Engine, available, build
from kakera.formats.engines.choice import compare, head, sample_of
from kakera.formats.load import load
from kakera.formats.preparation import batches


def main(
    run: str, data: str, files: int = 0, batch: int = 16, rounds: int = 5
) -> dict[str, dict[str, float]]:
    """Return accuracy in %, points lost, same labels in %, largest difference, and pictures per second."""
    from kakera.data.sources.open import open_dataset

    saved = require_classifier(load(run))
    dataset = open_dataset(data).with_channels(saved.inputs.channels)
    test = dataset.part("test")
    test = test.take(test.labelled)
    if files:
        test = test.take(np.unique(np.linspace(0, len(test) - 1, min(files, len(test))).astype(int)))
    return measured(saved, head(sample_of(saved, dataset.part("train"))), test, batch, rounds)


def measured(
    saved: Pretrained, calibration: Batch, test: Dataset, batch: int, rounds: int
) -> dict[str, dict[str, float]]:
    """Measure every available engine, in turns."""
    models = {name: build(saved, name, calibration) for name in available(saved)}
    rows: dict[Engine, list[torch.Tensor]] = {name: [] for name in models}
    numbers: list[torch.Tensor] = []
    seconds: dict[Engine, list[float]] = {name: [] for name in models}
    for part in batches(test, saved.inputs):
        numbers.append(part.samples)
        for start in range(0, len(part.samples), batch):
            pictures = part.pictures[start : start + batch]
            timed = len(pictures) == min(batch, len(test)) and len(seconds[EXACT]) <= rounds
            for name, model in models.items():
                began = time.perf_counter()
                rows[name].append(model.probabilities(pictures))
                if timed:
                    seconds[name].append(time.perf_counter() - began)
    assert test.labels is not None
    labels = torch.from_numpy(test.labels[torch.cat(numbers).numpy()])
    exact = torch.cat(rows[EXACT])
    right = 100 * float((exact.argmax(dim=1) == labels).double().mean())
    found: dict[str, dict[str, float]] = {}
    for name, each in rows.items():
        values = torch.cat(each)
        accuracy = 100 * float((values.argmax(dim=1) == labels).double().mean())
        same, difference = compare(exact, values)
        times = seconds[name][1:] or seconds[name]  # the first batch warms up
        found[name] = {
            "accuracy, %": accuracy,
            "points lost": right - accuracy,
            "same label, %": 100 * same,
            "largest difference": difference,
            "pictures per second": min(batch, len(test)) / float(np.median(times)),
        }
    return found


def report(found: dict[str, dict[str, float]]) -> str:
    """Return a table with one line for each engine."""
    base = found[EXACT]["pictures per second"]
    lines = [
        f"{'engine':<18}{'accuracy':>10}{'lost':>7}{'same':>8}{'differs':>9}{'per second':>12}{'ratio':>7}"
    ]
    for name, values in found.items():
        accuracy, lost, same, difference, rate = values.values()
        lines.append(
            f"{name:<18}{accuracy:>8.2f} %{lost:>7.2f}{same:>6.1f} %{difference:>9.3f}{rate:>12.1f}"
            f"{rate / base:>6.1f}x"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", help="a folder of a fine-tuned classifier")
    parser.add_argument("data", help="labelled data with a test part")
    parser.add_argument("--files", type=int, default=0, help="number of test files (default: all)")
    parser.add_argument("--batch", type=int, default=16, help="pictures in a batch (default: 16)")
    given = parser.parse_args()
    print(report(main(given.run, given.data, given.files, given.batch)))
