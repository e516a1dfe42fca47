"""NumPy `.npz` files: x_train, y_train, x_test, y_test; or images, labels and split."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.data.dataset import Dataset
from kakera.data.parts import Piece, join_parts
from kakera.errors import DataError, sentence
from kakera.out_of_memory import raise_lack

_IMAGES = ("images", "x", "data", "arr_0")
_LABELS = ("labels", "y", "target", "arr_1")


def open_npz(path: Path) -> tuple[Dataset, bool]:
    """The data set in a file, and whether it is split. Nothing pickled is read. Raises DataError."""
    arrays = _load(path)
    pieces: list[Piece] = []
    for part in ("train", "val", "test"):
        if f"x_{part}" in arrays:
            pieces.append(_piece(path, part, arrays[f"x_{part}"], arrays.get(f"y_{part}")))
    if pieces:
        return join_parts(str(path), pieces)
    images = next((arrays[key] for key in _IMAGES if key in arrays), None)
    if images is None:
        raise _error(path, f"arrays {', '.join(arrays) or 'none'}", "x_train (y_train, x_test …) or images")
    labels = next((arrays[key] for key in _LABELS if key in arrays), None)
    split = arrays.get("split")
    if split is None:
        return join_parts(str(path), [_piece(path, "", images, labels)])
    if split.shape != images.shape[:1] or not set(split.tolist()) <= {"train", "val", "test"}:
        raise _error(path, "a split of other words or length", "train, val or test for each picture")
    if labels is not None and labels.shape[:1] != split.shape:
        raise _error(path, f"labels of shape {labels.shape}", f"{len(split)} whole numbers")
    for part in ("train", "val", "test"):
        rows = np.flatnonzero(split == part)
        if len(rows):
            pieces.append(_piece(path, part, images[rows], None if labels is None else labels[rows]))
    return join_parts(str(path), pieces)


def _load(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with path.open("rb") as file:
            arrays = np.load(file, allow_pickle=False)
            return {key: arrays[key] for key in arrays.files}
    except Exception as error:  # broken archives raise nearly every kind of error
        raise_lack(error)
        raise _error(path, f"a file that cannot be read ({error})", "a .npz file of plain arrays") from error


def _piece(path: Path, part: str, images: NDArray[Any], labels: NDArray[Any] | None) -> Piece:
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or not images.size:
        raise _error(path, f"pictures of shape {images.shape}", "(n, H, W), (n, H, W, 1) or (n, H, W, 3)")
    if labels is not None:
        labels = labels.reshape(-1)
        if len(labels) != len(images) or labels.dtype.kind not in "iu" or labels.min() < -1:
            raise _error(path, f"{len(labels)} labels of {labels.dtype}", f"{len(images)} whole numbers")
        labels = labels.astype(np.int64)
    return part, part or path.stem, _bytes(path, images), labels


def _bytes(path: Path, images: NDArray[Any]) -> NDArray[np.uint8]:
    if images.dtype == np.uint8:
        return images
    if images.dtype.kind not in "fiu":
        raise _error(path, f"{images.dtype} values", "0 to 255, or 0 to 1 as floats")
    low, high = images.min(), images.max()
    if not 0 <= low <= high <= 255:
        raise _error(path, f"{images.dtype} values from {low} to {high}", "0 to 255, or 0 to 1 as floats")
    scale = 255 if images.dtype.kind == "f" and high <= 1 else 1
    return (images * scale + (0.5 if images.dtype.kind == "f" else 0)).astype(np.uint8)


def _error(path: Path, got: str, expected: str) -> DataError:
    return DataError(sentence(str(path), got=got, expected=expected, do="write the file again"))
