"""Measure `kakera curate` on pictures with planted faults: python -m benchmarks.curate RUN OUT

RUN is a pretraining of pictures. 4 000 pictures of `demo` are written as files into OUT, then 100 faults of
each kind are planted: exact copies, JPEG copies, crops, mirrored copies, foreign pictures; and 200 wrong
labels. --seed chooses pictures and faults. The table has the recall and the precision of each kind, beside
cleanlab and imagededup if they can be imported.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

import kakera
from kakera.commands.curating.labels import LabelCheck

COUNT, FAULTS, WRONG = 4000, 100, 200
COPIES = ("exact", "re-encoded", "cropped", "mirrored")
QUALITY, SHARE = 75, 0.9  # of JPEG copies; of width and height in crops


def plant(folder: Path, seed: int = 0) -> dict[str, dict[str, str]]:
    """Write pictures with faults into `folder`; return the planted files, by kind.

    A copy has the name of its original as its value, a wrong label the right class, a foreign picture "".
    """
    demo, random = kakera.open_data("demo"), np.random.default_rng(seed)
    assert demo.labels is not None
    rows = random.choice(len(demo), COUNT, replace=False)
    labels = demo.labels[rows].copy()
    found: dict[str, dict[str, str]] = {"label": {}, "foreign": {}, **{kind: {} for kind in COPIES}}
    names = list[str]()
    wrong = set(random.choice(COUNT, WRONG, replace=False).tolist())
    for number, row in enumerate(rows.tolist()):
        values, truth = demo.pictures.read(row)[..., 0], int(labels[number])
        if number in wrong:
            labels[number] = (truth + random.integers(1, len(demo.classes))) % len(demo.classes)
        part = "test" if random.random() < 0.2 else "train"
        names.append(_write(folder, part, demo.classes[labels[number]], f"{number}.png", values))
        if number in wrong:
            found["label"][names[-1]] = demo.classes[truth]
    sources = random.choice(np.setdiff1d(np.arange(COUNT), [*wrong]), FAULTS * len(COPIES), replace=False)
    for number, source in enumerate(sources.tolist()):
        kind = COPIES[number % len(COPIES)]
        values = demo.pictures.read(int(rows[source]))[..., 0]
        part = "test" if random.random() < 0.2 else "train"
        suffix = ".jpg" if kind == "re-encoded" else ".png"
        changed = _changed(values, kind, random)
        name = _write(folder, part, demo.classes[labels[source]], f"copy-{number}{suffix}", changed)
        found[kind][name] = names[source]
    for number in range(FAULTS):
        label = demo.classes[int(random.integers(len(demo.classes)))]
        name = _write(folder, "train", label, f"foreign-{number}.png", _foreign(number, random))
        found["foreign"][name] = ""
    return found


def _write(folder: Path, part: str, label: str, name: str, values: NDArray[np.uint8]) -> str:
    path = folder / part / label.replace("/", "-") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path, quality=QUALITY)
    return str(path)


def _changed(values: NDArray[np.uint8], kind: str, random: np.random.Generator) -> NDArray[np.uint8]:
    if kind == "mirrored":
        return np.ascontiguousarray(values[:, ::-1])
    if kind == "cropped":
        side = round(SHARE * len(values))
        top, left = random.integers(0, len(values) - side + 1, 2)
        return np.ascontiguousarray(values[top : top + side, left : left + side])
    return values


def _foreign(number: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """Return noise, text, stripes, a gradient, circles or squares, uint8 (28, 28)."""
    down, across = np.mgrid[:28, :28] / 28 - 0.5
    angle, pace = random.uniform(0, np.pi), random.uniform(1, 6)
    along = across * np.cos(angle) + down * np.sin(angle)
    if number % 5 == 0:
        grain = 2 ** int(random.integers(0, 3))
        return random.integers(0, 256, (28 // grain,) * 2).repeat(grain, 0).repeat(grain, 1).astype(np.uint8)
    if number % 5 == 1:
        picture = Image.new("L", (28, 28), int(random.integers(128, 256)))
        word = "".join(chr(97 + letter) for letter in random.integers(0, 26, 4))
        ImageDraw.Draw(picture).text((2, int(random.integers(0, 16))), word, fill=0)
        return np.asarray(picture)
    if number % 5 == 2:
        values = np.sin(2 * np.pi * pace * along)
    elif number % 5 == 3:
        values = np.sin(2 * np.pi * pace * np.hypot(across - along, down))
    else:
        values = np.sign(np.sin(2 * np.pi * pace * across) * np.sin(2 * np.pi * pace * along))
    return (127.5 * (values + 1)).astype(np.uint8)


def pairs(groups: Iterable[Iterable[str]]) -> set[tuple[str, str]]:
    """Return all pairs of names within the groups, each in alphabetical order."""
    found = set[tuple[str, str]]()
    for group in groups:
        members = sorted(group)
        found |= {(one, other) for place, one in enumerate(members) for other in members[place + 1 :]}
    return found


def origins(planted: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Return the original of each planted copy."""
    return {name: source for kind in COPIES for name, source in planted[kind].items()}


def copy_rows(found: set[tuple[str, str]], planted: Mapping[str, Mapping[str, str]]) -> dict[str, float]:
    """Return the recall of each kind of copy, and the precision of all pairs.

    A pair is right if both files come from the same picture.
    """
    source = origins(planted)
    rows = {kind: recall({*pairs(planted[kind].items())}, found) for kind in COPIES}
    right = sum(source.get(one, one) == source.get(other, other) for one, other in found)
    return {**rows, "precision": right / max(len(found), 1)}


def recall(planted: set[Any], found: set[Any]) -> float:
    """Return the share of planted faults that were found."""
    return len(planted & found) / max(len(planted), 1)


def precision(planted: set[Any], found: set[Any]) -> float:
    """Return the share of found faults that were planted."""
    return len(planted & found) / max(len(found), 1)


def phash(folder: Path, distance: int) -> set[tuple[str, str]] | None:
    """Return the pairs of copies that the perceptual hash of imagededup finds; None if it is not there."""
    try:
        from imagededup.methods import PHash  # pyright: ignore[reportMissingImports]
    except ImportError:
        return None
    hashes = {}
    for path in sorted(folder.rglob("*.*")):
        hashes[str(path)] = PHash(verbose=False).encode_image(str(path))
    alike = PHash(verbose=False).find_duplicates(encoding_map=hashes, max_distance_threshold=distance)
    return {
        (min(name, other), max(name, other)) for name, others in alike.items() for other in map(str, others)
    }


def cleanlab_labels(check: LabelCheck, how: str) -> set[int] | None:
    """Return the rows whose labels cleanlab doubts, by the same probabilities; None if it is not there."""
    try:
        from cleanlab.filter import find_label_issues  # pyright: ignore[reportMissingImports]
    except ImportError:
        return None
    wrong = find_label_issues(check.labels, check.likely, filter_by=how, n_jobs=1)
    return set(check.rows[wrong].tolist())


def measure(encoder: str, folder: Path, seed: int = 0) -> list[tuple[str, ...]]:
    """Plant faults, find them, and return the rows of the table."""
    pictures = folder / "pictures"
    planted = plant(pictures, seed)
    began = time.monotonic()
    found = kakera.curate(pictures, init_from=encoder, out=folder / "curated")
    first, began = time.monotonic() - began, time.monotonic()
    found = kakera.curate(pictures, init_from=encoder, out=folder / "curated")
    print(f"{len(found.dataset)} files, {first:.1f} s, again {time.monotonic() - began:.1f} s")
    print(*found.lines(), sep="\n")
    names = found.dataset.pictures.names_between(0, len(found.dataset))
    own = pairs([names[row] for row in group.rows] for group in found.groups)
    sets = {"kakera curate": own}
    for distance in (0, 4, 10):
        hashed = phash(pictures, distance)
        if hashed is not None:
            sets[f"imagededup PHash, distance {distance}"] = hashed
    rows: list[tuple[str, ...]] = [("copies", *COPIES, "precision")]
    for name, one in sets.items():
        rows.append((name, *(f"{100 * value:.0f} %" for value in copy_rows(one, planted).values())))
    foreign = {*planted["foreign"]}
    wrong = {*planted["label"]} - foreign
    assert not isinstance(found.check, str)
    suspects = [names[row] for row, _, _ in found.check.suspects() if names[row] not in foreign]
    doubts = {"kakera curate": {*suspects}, f"kakera curate, first {WRONG}": {*suspects[:WRONG]}}
    for how in ("confident_learning", "prune_by_noise_rate"):
        theirs = cleanlab_labels(found.check, how)
        if theirs is not None:
            doubts[f"cleanlab {how}"] = {names[row] for row in theirs} - foreign
    rows.append(("wrong labels", "recall", "precision"))
    for name, each in doubts.items():
        rows.append((name, f"{100 * recall(wrong, each):.0f} %", f"{100 * precision(wrong, each):.0f} %"))
    assert found.unusual is not None
    rows.append(("foreign pictures", "recall", "precision"))
    for name, listed in (
        ("kakera curate", found.unusual_rows),
        (f"kakera curate --unusual {FAULTS}", found.unusual.rows(FAULTS).tolist()),
    ):
        odd = {names[row] for row in listed}
        share = f"{100 * recall(foreign, odd):.0f} %", f"{100 * precision(foreign, odd):.0f} %"
        rows.append((name, *share))
    return rows


def main(words: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("encoder", metavar="RUN")
    parser.add_argument("folder", metavar="OUT", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(words)
    for row in measure(given.encoder, given.folder, given.seed):
        print("| " + " | ".join(row) + " |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
