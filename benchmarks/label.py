"""Measure `kakera label` against random files: python -m benchmarks.label ENCODER DATA

A program clicks the labels of the data set: batches of ten from the training part, chosen as the page chooses
them, or all at random. After 20, 50, 100 and 300 labels a head on these labels predicts the test part. Five
draws of clusters and random files; differences are paired by draw. Two more tables check what the page says:
the accuracy of its random sample beside that of the test part, and its verdict on choosing beside the gain of
100 more chosen labels over 100 more random ones.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kakera.commands.labelling.head import fit_labels
from kakera.commands.labelling.measures import Measures
from kakera.commands.labelling.session import Labelling
from kakera.commands.labelling.table import LabelTable
from kakera.data.sources.open import open_dataset
from kakera.formats.rejection import rejection_pool
from kakera.formats.tokens.encoder import open_encoder
from kakera.formats.tokens.store import Kind
from kakera.reports.intervals import interval, paired
from kakera.reports.tables import per_cent, points
from kakera.training.heads.linear_head import scale_of
from kakera.training.stored_features import stored_features

AT, BATCH = (20, 50, 100, 300), 10
FROM, MORE = (50, 200, 400, 1000), 100


@dataclass(frozen=True, eq=False)
class Known:
    """Tokens and labels: the pool to label, and the test files."""

    pool: NDArray[np.float32]
    labels: NDArray[np.int64]
    test: NDArray[np.float32]
    test_labels: NDArray[np.int64]
    classes: tuple[str, ...]

    def accuracy(self, rows: NDArray[np.int64], labels: NDArray[np.int64]) -> float:
        """Return the accuracy on the test files of a head on labels of some files of the pool."""
        mean, std = scale_of(self.pool)
        both = ((np.concatenate([self.pool[rows], self.test]) - mean) / std).astype(np.float32)
        head = fit_labels(both, np.arange(len(rows)), labels)
        assert head is not None
        return float((head.predicted[len(rows) :] == self.test_labels).mean())


def known(encoder: str, data: str) -> Known:
    """Return the labelled files of a data set with their tokens."""
    frozen, dataset = open_encoder(encoder), open_dataset(data)
    if dataset.sounds is not None and frozen.inputs.sound is not None:
        dataset = replace(dataset, pictures=dataset.sounds.with_spec(frozen.inputs.sound))
    dataset = dataset.take(dataset.labelled)
    kind: Kind = (-1, rejection_pool(frozen.class_tokens))
    found, rows = stored_features(frozen, dataset, [kind])
    assert dataset.labels is not None
    labels, test = dataset.labels[rows], dataset.split[rows] == "test"
    tokens = found[kind]
    return Known(tokens[~test], labels[~test], tokens[test], labels[test], dataset.classes)


def opened(files: Known, folder: Path, seed: int) -> Labelling:
    """Return a labelling of the pool with a new table."""
    places = [(f"{row}.png", "", "") for row in range(len(files.pool))]
    keys = [row.to_bytes(4, "little") for row in range(len(files.pool))]
    return Labelling(files.pool, keys, LabelTable(folder, places), files.classes, batch=BATCH, seed=seed)


def click(labelling: Labelling, files: Known, until: int, *, choose: bool) -> None:
    """Label batches until there are `until` labels."""
    while labelling.count < until and (queries := labelling.next_batch("program", choose=choose)):
        rows = [query.row for query in queries]
        for number in sorted({int(files.labels[row]) for row in rows}):
            labelling.assign(
                [row for row in rows if files.labels[row] == number], files.classes[number], "program"
            )


def run(files: Known, folder: Path, seed: int, *, choose: bool) -> list[tuple[float, Measures]]:
    """Return the test accuracy after each number of labels, and what the page says then."""
    labelling, found = opened(files, folder / f"{seed}-{choose}.csv", seed), list[tuple[float, Measures]]()
    for count in AT:
        click(labelling, files, count, choose=choose)
        found.append((files.accuracy(*_numbers(labelling, files)), labelling.head()[1]))
    return found


def _numbers(labelling: Labelling, files: Known) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    rows, _ = labelling.labels()
    return rows, files.labels[rows]


def from_here(files: Known, folder: Path, seed: int, at: Sequence[int]) -> list[tuple[Measures, float]]:
    """Return what the page says at each number of chosen labels, and what choosing 100 more gains."""
    path, found = folder / f"{seed}-from.csv", list[tuple[Measures, float]]()
    for count in at:
        labelling = opened(files, path, seed)
        click(labelling, files, count, choose=True)
        measures = labelling.head()[1]
        other = folder / f"{seed}-{count}.csv"
        shutil.copy(path, other)
        gains = list[float]()
        for branch, choose in ((labelling, True), (opened(files, other, seed), False)):
            click(branch, files, count + MORE, choose=choose)
            gains.append(files.accuracy(*_numbers(branch, files)))
        found.append((measures, gains[0] - gains[1]))
    return found


def table(files: Known, folder: Path, draws: int, say: Callable[[str], None]) -> None:
    """Print the three tables."""
    chosen = [run(files, folder, seed, choose=True) for seed in range(draws)]
    random = [run(files, folder, seed, choose=False) for seed in range(draws)]
    say("| labels | chosen | random | difference |\n|---|---|---|---|")
    for place, count in enumerate(AT):
        first, second = ([one[place][0] for one in runs] for runs in (chosen, random))
        gain = points(paired(first, second))
        say(f"| {count} | {per_cent(interval(first))} | {per_cent(interval(second))} | {gain} |")
    say("\n| labels | random sample | page minus test part | intervals that contain it |\n|---|---|---|---|")
    for place, count in enumerate(AT):
        said = [(one[place][0], one[place][1].accuracy) for one in chosen]
        pairs = [(true, shown) for true, shown in said if shown is not None]
        if len(pairs) > 1:
            off = points(paired([shown.value for _, shown in pairs], [true for true, _ in pairs]))
            inside = sum(shown.low <= true <= shown.high for true, shown in pairs)
            say(f"| {count} | {chosen[0][place][1].sample} | {off} | {inside} of {len(pairs)} |")
    say(f"\n| labels | the page says | mean interval of the page | gain of {MORE} more |\n|---|---|---|---|")
    at = [count for count in FROM if count + MORE <= len(files.pool)]
    runs = [from_here(files, folder, seed, at) for seed in range(draws)]
    for place, count in enumerate(at):
        said = Counter(one[place][0].verdict for one in runs)
        words = ", ".join(f"{verdict} {number}" for verdict, number in said.most_common())
        ends = [(worth.gain.low, worth.gain.high) for one in runs if (worth := one[place][0].worth)]
        low, high = np.mean(ends, axis=0) if ends else (np.nan, np.nan)
        gain = points(paired([one[place][1] for one in runs], [0.0] * draws))
        say(f"| {count} | {words} | {100 * low:+.1f} to {100 * high:+.1f} | {gain} |")


def main(words: Sequence[str] | None = None) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("encoder", metavar="ENCODER")
    parser.add_argument("data", metavar="DATA")
    parser.add_argument("--draws", type=int, default=5)
    given = parser.parse_args(words)
    files = known(given.encoder, given.data)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        table(files, Path(folder), given.draws, lambda text: print(text, flush=True))
    seconds = time.monotonic() - began
    print(f"\n{len(files.pool):,} files to label, {len(files.test):,} test files, {seconds:.0f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
