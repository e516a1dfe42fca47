"""Folders of pictures: one folder a class, with or without train and test above, or no classes at all."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from kakera.data.dataset import Dataset, FilePictures
from kakera.data.images import SUFFIXES
from kakera.data.table import grey_or_colour
from kakera.errors import DataError, sentence

_PARTS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


def open_folder(folder: Path, channels: int | None) -> tuple[Dataset, bool]:
    """The pictures of a folder, and whether its sub-folders split them. Raises DataError."""
    parts = {child: _PARTS[child.name.lower()] for child in _folders(folder) if child.name.lower() in _PARTS}
    split_here = "train" in parts.values()
    roots = parts if split_here else {folder: "train"}
    found = [
        (path, part, path.relative_to(root).parts[0] if len(path.relative_to(root).parts) > 1 else "")
        for root, part in roots.items()
        for path in pictures_below(root)
    ]
    if not found:
        raise DataError(
            sentence(
                str(folder),
                got="no picture",
                expected=f"files ending in {', '.join(sorted(SUFFIXES))}",
                do="name the folder that holds them",
            )
        )
    names = sorted({label for _, _, label in found if label}, key=_natural)
    flat = any(not label for _, _, label in found)  # pictures beside the folders: no classes
    classes = () if flat else tuple(names)
    paths = [path for path, _, _ in found]
    dataset = Dataset(
        str(folder),
        FilePictures(paths, channels or grey_or_colour(paths)),
        channels=channels or grey_or_colour(paths),
        split=np.array([part for _, part, _ in found]),
        classes=classes,
        labels=np.array([classes.index(label) for _, _, label in found]) if classes else None,
    )
    return dataset, split_here and len(set(parts.values())) > 1


def _folders(folder: Path) -> list[Path]:
    return sorted(child for child in folder.iterdir() if child.is_dir() and not child.name.startswith("."))


def pictures_below(root: Path) -> list[Path]:
    """Files with a picture's suffix, below `root`, in natural order; hidden ones are passed over."""
    found = [
        path
        for path in root.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and not path.is_dir()
        and not any(word.startswith(".") for word in path.relative_to(root).parts)
    ]
    return sorted(found, key=lambda path: _natural(path.as_posix()))


def _natural(text: str) -> list[tuple[int, str]]:
    """Sorts picture2 before picture10."""
    return [(int(w), "") if w.isdigit() else (-1, w) for w in re.split(r"([0-9]+)", text)]
