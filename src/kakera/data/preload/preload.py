"""Preloading of data sets: pictures and recordings are decoded once, and stored in memory or on disk."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.data.audio.recordings import ArraySounds
from kakera.data.dataset import Dataset
from kakera.data.holders import ArrayPictures
from kakera.data.images.crop import CenterCrop
from kakera.data.images.resize import shrunken_size
from kakera.data.pictures import Pictures
from kakera.data.preload import cache, pieces
from kakera.data.preload.in_flight import in_order
from kakera.data.preload.kept import CachedPictures
from kakera.data.preload.pieces import CacheFormat, CachePiece
from kakera.data.sounds import Sounds
from kakera.errors import DataError, UnreadableFileError
from kakera.progress import with_progress

LIMIT = 2 << 30  # bytes of decoded data that stay in memory
SAMPLE = 200  # headers that are read to estimate the size


def preload(
    dataset: Dataset,
    limit_bytes: int = LIMIT,
    *,
    shorter: int = 0,
    size: CenterCrop | tuple[int, int] | None = None,
) -> Dataset:
    """Decode a data set once, and keep the result in memory or in the cache on disk.

    Recordings stay in memory if they need at most `limit_bytes` bytes; otherwise the data set is returned
    unchanged. The same holds for pictures without `shorter`. With `shorter`, pictures are stored with a
    shorter side of at most this number of pixels (see `resize.stored_side`), and those that do not fit into
    memory are stored in the cache. Pictures that take more than 10 seconds to decode are also written to the
    cache. Arrays stay as they are, in memory or mapped.

    `size` is the centre crop of evaluation, or its (height, width). With it, the centre crop of the original
    picture is stored too, so that evaluation decodes nothing.

    Unreadable files are removed from the data set and listed in `Dataset.unreadable`. Raises DataError if no
    file can be read.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> from PIL import Image
        >>> Image.new("L", (4, 2)).save("a.png")
        >>> dataset = open_dataset(".")
        >>> dataset.pictures.on_disk, preload(dataset).pictures.in_memory
        (True, True)
    """
    files = dataset.pictures
    if not files.on_disk or not len(dataset):
        return _some(dataset, [], dataset) if files.on_disk else dataset
    if dataset.sounds is not None:
        return _sounds(dataset, dataset.sounds, limit_bytes) if _estimate(dataset) <= limit_bytes else dataset
    cache_format = CacheFormat(
        shorter, CenterCrop.of(size) if shorter and size else None, dataset.channels, files.ranges
    )
    needed = _estimate(dataset, cache_format)
    fits = needed <= limit_bytes
    if not fits and not shorter:
        return dataset
    found = pieces.split_into_pieces(files, cache_format, needed / len(dataset))
    left = sum(len(piece.rows) for piece in found if not piece.found)
    if left and not fits and not _room(dataset, needed * left / len(dataset)):
        return _kept(dataset, files, found, cache_format)
    before = len(dataset) - left
    if left:
        pieces.decode(files, found, cache_format, to_disk=not fits)
    _mention(dataset, found, before)
    kept = _kept(dataset, files, found, cache_format)
    return _plain(kept) if fits and pieces.is_unchanged(found) else kept


def is_decoded(dataset: Dataset) -> bool:
    """Return True if training batches need no decoding, so that worker processes would only copy bytes.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> is_decoded(open_dataset("demo"))
        True
    """
    return dataset.pictures.decoded


def _sounds(dataset: Dataset, files: Sounds, limit_bytes: int) -> Dataset:
    """Decode all recordings; return the data set unchanged if they need more than `limit_bytes`."""

    def read(index: int) -> NDArray[Any] | UnreadableFileError:
        try:
            return files.read(index)
        except UnreadableFileError as error:
            return error

    reading = in_order(read, len(dataset), lambda _: 0)  # decoders release the GIL
    results, size = list[NDArray[Any] | UnreadableFileError](), 0
    for result in with_progress(reading, "read", total=len(dataset), kind=dataset.kind):
        results.append(result)
        size += 0 if isinstance(result, UnreadableFileError) else result.nbytes
        if size > limit_bytes:
            return dataset
    broken = [(i, result) for i, result in enumerate(results) if isinstance(result, UnreadableFileError)]
    arrays = [result for result in results if not isinstance(result, UnreadableFileError)]
    some = _some(dataset, broken, dataset)
    names = [some.pictures.name(index) for index in range(len(some))]
    return replace(some, pictures=ArraySounds(arrays, files.spec, names))


def _plain(dataset: Dataset) -> Dataset:
    """Return the data set with pictures in plain arrays: one array if all pictures have the same size."""
    pictures = dataset.pictures
    arrays: list[NDArray[np.uint8]] = [pictures.read(index) for index in range(len(dataset))]
    names = [pictures.name(index) for index in range(len(dataset))]
    same = len({picture.shape for picture in arrays}) == 1
    return replace(dataset, pictures=ArrayPictures(np.stack(arrays) if same else arrays, names))


def _kept(dataset: Dataset, files: Pictures, found: list[CachePiece], cache_format: CacheFormat) -> Dataset:
    places, entries = pieces.table(found, len(files))
    rows, held = np.arange(len(files)), [piece.held() for piece in found]
    kept = CachedPictures(
        files, rows, cache_format.shorter, cache_format.crop, held, places, entries, cache_format.channels
    )
    return _some(dataset, pieces.unreadable(found), replace(dataset, pictures=kept))


def _some(dataset: Dataset, broken: list[tuple[int, UnreadableFileError]], whole: Dataset) -> Dataset:
    """Return `whole` without the broken files. Raises DataError if no file is left."""
    removed = {row for row, _ in broken}
    rows = [row for row in range(len(dataset)) if row not in removed]
    if not rows:
        raise DataError(
            dataset.name,
            got=f"{len(broken)} unreadable files ({broken[0][1] if broken else 'none'})",
            expected="at least one readable file",
            do="check the files",
        )
    unreadable = (*dataset.unreadable, *(error for _, error in broken))
    return replace(whole.take(rows), unreadable=unreadable)


def _room(dataset: Dataset, needed: float) -> bool:
    """Return True if the cache has room for `needed` bytes; otherwise print one line."""
    in_files = bool(dataset.pictures.paths)
    if in_files and cache.make_room(int(needed)):
        return True
    where = f" or into {cache.folder()}" if in_files else ""
    cache.print_line(
        f"{dataset.name}: {needed / 2**30:.1f} GB of decoded pictures do not fit into memory{where}; "
        "they are decoded again at each read"
    )
    return False


def _mention(dataset: Dataset, found: list[CachePiece], before: int) -> None:
    size = sum(piece.index.bytes for piece in found if piece.found and piece.index is not None)
    if before:
        cache.print_line(
            f"{dataset.name}: {before} of {len(dataset)} pictures are already decoded in {cache.folder()}"
        )
    elif size:
        cache.print_line(
            f"{dataset.name}: decoded pictures are stored in {cache.folder()} ({size / 2**20:,.0f} MB)"
        )


def _estimate(dataset: Dataset, cache_format: CacheFormat | None = None) -> float:
    """Estimate the bytes of all decoded files in the storage format, from the headers of a sample."""
    sizes: list[int] = []
    for index in range(0, len(dataset), max(1, len(dataset) // SAMPLE)):
        try:
            sizes.append(_bytes(dataset, index, cache_format or CacheFormat(0, None, 1)))
        except UnreadableFileError:
            continue
    return len(dataset) * (sum(sizes) / len(sizes)) if sizes else 0.0


def _bytes(dataset: Dataset, index: int, cache_format: CacheFormat) -> int:
    if dataset.sounds is not None:
        return dataset.sounds.length(index) * np.dtype(np.float32).itemsize
    whole = dataset.pictures.size(index)
    height, width = shrunken_size(whole, cache_format.shorter)
    middle = (
        cache_format.crop.size[0] * cache_format.crop.size[1]
        if cache_format.crop and (height, width) != whole
        else 0
    )
    return (height * width + middle) * cache_format.channels
