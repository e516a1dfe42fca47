"""Compare the accuracy of the cross decoder and the plain decoder after the same time of pretraining.

    python benchmarks/equal_time.py fashion-mnist --work runs/equal-time --out docs/equal-time.json

First both decoders make a few steps, in turns. The time of a step gives the number of epochs that fit into
the seconds, so both use the same time and finish their schedule. Then each is pretrained and fine-tuned
with each seed. Finished and unfinished runs in the work folder are resumed. Wall-clock time: use an idle
machine.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean, median
from typing import Any

import kakera
from kakera.bench import machine
from kakera.data.dataset import Dataset
from kakera.reports.intervals import paired
from kakera.storage import write_atomically
from kakera.study.costs import training_seconds
from kakera.training.options import PretrainOptions
from kakera.training.recipes import options_from

ARMS: dict[str, dict[str, Any]] = {"plain": {}, "cross": {"decoder": "cross", "predicted": 0.25}}
# The options of docs/fashion-mnist.md.
LABELS: dict[int, dict[str, Any]] = {100: {"min_steps": 100, "base_lr": 4e-4}, 1000: {"epochs": 60}}


def main(
    data: str | Dataset,
    work: Path,
    *,
    seconds: float = 600,
    seeds: int = 3,
    recipe: str = "micro",
    labels: Mapping[int, dict[str, Any]] = LABELS,
    probe: float = 0.1,
    turns: int = 3,
) -> dict[str, Any]:
    """Return the accuracies of all runs, and the paired differences cross − plain with 95 % intervals."""
    epochs = planned(data, work, seconds, recipe, probe, turns)
    spent: dict[str, list[float]] = {arm: [] for arm in ARMS}
    accuracies: dict[int, dict[str, list[float]]] = {count: {arm: [] for arm in ARMS} for count in labels}
    for seed in range(seeds):
        for arm, options in ARMS.items():
            start = work / f"{arm}-{seed}"
            kakera.pretrain(data, out=start, recipe=recipe, seed=seed, epochs=epochs[arm], **options)
            spent[arm].append(round(training_seconds(start), 2))
            for count, tuned in labels.items():
                options = {"labels": count, "label_seed": seed, "seed": seed, **tuned}
                out = work / f"{arm}-{seed}-{count}"
                found = kakera.finetune(data, init_from=start, out=out, recipe=recipe, **options).evaluation
                assert found is not None
                assert found.accuracy is not None
                accuracies[count][arm].append(round(100 * found.accuracy, 3))
    return {
        "benchmark": "accuracy after the same seconds of pretraining",
        "machine": machine.describe(),
        "data": data if isinstance(data, str) else data.name,
        "recipe": recipe,
        "optimizer": options_from(PretrainOptions, recipe, {"data": ""}).optimizer,
        "seconds": seconds,
        "seeds": seeds,
        "epochs": epochs,
        "seconds_spent": spent,
        "labels": {str(count): compared(arms) for count, arms in accuracies.items()},
    }


def planned(
    data: str | Dataset, work: Path, seconds: float, recipe: str, probe: float, turns: int
) -> dict[str, float]:
    """Return the epochs of each decoder that fit into the seconds, measured once and stored in `work`."""
    file = work / "plan.json"
    if not file.exists():
        rates: dict[str, list[float]] = {arm: [] for arm in ARMS}
        for turn in range(turns):
            for arm, options in ARMS.items():
                out = work / f"probe-{arm}-{turn}"
                kakera.pretrain(data, out=out, recipe=recipe, epochs=probe, **options)
                rates[arm].append(training_seconds(out) / probe)
        epochs = {arm: round(seconds / median(each), 3) for arm, each in rates.items()}
        write_atomically(file, json.dumps({"seconds": seconds, "epochs": epochs}).encode())
    plan = json.loads(file.read_text())
    if plan["seconds"] != seconds:
        raise SystemExit(
            f"{work}: got a plan for {plan['seconds']} seconds, expected {seconds}; choose another folder"
        )
    return plan["epochs"]


def compared(arms: dict[str, list[float]]) -> dict[str, Any]:
    """Return means and the paired difference, in per cent."""
    difference = paired(arms["cross"], arms["plain"])
    found: dict[str, Any] = {arm: {"mean": round(fmean(each), 3), "each": each} for arm, each in arms.items()}
    found["difference"] = round(difference.mean, 3)
    found["interval"] = [round(difference.low, 3), round(difference.high, 3)]
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="?", default="fashion-mnist")
    parser.add_argument("--work", type=Path, default=Path("runs/equal-time"))
    parser.add_argument("--seconds", type=float, default=600, help="seconds of each pretraining")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    result = main(given.data, given.work, seconds=given.seconds, seeds=given.seeds)
    print(json.dumps(result, indent=1))
    if given.out:
        write_atomically(given.out, json.dumps(result, indent=1).encode() + b"\n")
