"""Folders of files: one folder a class, with or without train and test above, or no classes at all."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from kakera.data import images
from kakera.data.dataset import Dataset
from kakera.data.findings import left_lines
from kakera.data.media import SUFFIXES, files_below, left_below, natural, of_one_kind, opened
from kakera.errors import DataError, sentence

_PARTS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


def open_folder(folder: Path, channels: int | None) -> tuple[Dataset, bool]:
    """The pictures or recordings of a folder, and whether its sub-folders split them. Raises DataError."""
    parts = {child: _PARTS[child.name.lower()] for child in _folders(folder) if child.name.lower() in _PARTS}
    split_here = "train" in parts.values()
    roots = parts if split_here else {folder: "train"}
    files = {root: files_below(root, SUFFIXES) for root in roots}
    wanted = set(of_one_kind([path for paths in files.values() for path in paths]))
    found = [
        (path, part, path.relative_to(root).parts[0] if len(path.relative_to(root).parts) > 1 else "")
        for root, part in roots.items()
        for path in files[root]
        if path in wanted
    ]
    left = [one for root in roots for one in left_below(root)]
    if not found:
        raise DataError(
            sentence(
                str(folder),
                got=", but ".join(["no picture and no recording", *left_lines(left, ())[:1]]),
                expected=f"files ending in {', '.join(sorted(SUFFIXES))}",
                do="name the folder that holds them",
            )
        )
    names = sorted({label for _, _, label in found if label}, key=natural)
    flat = any(not label for _, _, label in found)  # files beside the folders: no classes
    classes = () if flat else tuple(names)
    paths = [path for path, _, _ in found]
    pictures, chosen = opened(paths, channels)
    dataset = Dataset(
        str(folder),
        pictures,
        channels=chosen,
        split=np.array([part for _, part, _ in found]),
        classes=classes,
        labels=np.array([classes.index(label) for _, _, label in found]) if classes else None,
        left=tuple(left),
        emptied=_emptied(left, roots, classes),
    )
    return dataset, split_here and len(set(parts.values())) > 1


def _emptied(
    left: Iterable[tuple[str, str]], roots: Iterable[Path], classes: tuple[str, ...]
) -> tuple[str, ...]:
    """Folders beside those of classes that hold files, none of which can be read."""
    inside = [
        Path(path).relative_to(root).parts
        for root in roots
        for path, _ in left
        if Path(path).is_relative_to(root)
    ]
    names = {parts[0] for parts in inside if len(parts) > 1}
    return tuple(sorted(names - set(classes), key=natural)) if classes else ()


def _folders(folder: Path) -> list[Path]:
    return sorted(child for child in folder.iterdir() if child.is_dir() and not child.name.startswith("."))


def pictures_below(root: Path) -> list[Path]:
    """Files with a picture's suffix, below `root`, in natural order; hidden ones are passed over."""
    return files_below(root, images.SUFFIXES)
