"""Queries of `kakera search`: files, spans of recordings, regions of pictures, and their vectors."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from kakera.data.dataset import Dataset
from kakera.data.images.crop import CenterCrop
from kakera.data.sounds import WHOLE, Sounds, Span
from kakera.data.sources.files import open_files
from kakera.data.sources.items import Files, items
from kakera.errors import DataError, OptionError, UnreadableFileError
from kakera.formats.tokens.encoder import FrozenEncoder
from kakera.formats.tokens.keys import keys_and_contents
from kakera.inputs import InputSpec
from kakera.retrieval.index import PATCHES, IndexInfo

if TYPE_CHECKING:
    from kakera.model.classifier import Pooling

SPAN = re.compile(r"(?P<file>.+):(?P<start>\d+(?:\.\d+)?)[-–](?P<end>\d+(?:\.\d+)?)")
OF_PATCHES = ("mean", "normed mean", PATCHES)  # the pools of an index that a region can be compared with
HALF = 0.5  # share of a patch that must be in a region
Region = tuple[float, float, float, float]
"""Left, top, width and height in pixels of the whole picture."""


@dataclass(frozen=True, eq=False)
class Queries:
    """The readable queries: a data set of q files, their spans, vectors (q, d) and the keys of their content.

    See `open_queries`.
    """

    dataset: Dataset
    vectors: NDArray[np.float32]
    contents: NDArray[np.uint8]
    region: NDArray[np.bool_] | None
    """The patches of the region, Boolean (patches,); None for whole pictures."""
    unreadable: tuple[UnreadableFileError, ...]

    def span(self, number: int) -> Span:
        """Return the span of a query in seconds; that of a picture is infinite."""
        sounds = self.dataset.sounds
        return sounds.spans[number] if sounds is not None and len(sounds.spans) else WHOLE


def open_queries(
    queries: Files,
    encoder: FrozenEncoder,
    info: IndexInfo,
    region: Sequence[float] | None = None,
    *,
    device: str = "auto",
) -> Queries:
    """Open queries and compute their vectors, or read them from the token cache.

    `queries` are as in `predict`; for recordings, "FILE:1.5-3.0" is a span in seconds. `region` is (left,
    top, width, height) in pixels of the only query. Raises OptionError for a region that cannot be used, and
    DataError if no query is readable.
    """
    from kakera.training.stored_features import stored_features

    dataset, broken = _opened(queries, info.spec), list[UnreadableFileError]()
    keys, contents = keys_and_contents(dataset)
    if region is not None:
        patches = region_of(dataset, region, info)
        vectors, rows = _region_vectors(encoder, dataset, patches, info, device), np.arange(1)
    else:
        patches = None
        kind: Any = (-1, "normed mean" if info.pool == PATCHES else info.pool)
        found, rows = stored_features(
            encoder, dataset, [kind], keys=keys, progress="queries", device=device, unreadable=broken
        )
        vectors = found[kind]
    unreadable = tuple({error.path: error for error in broken}.values())
    named = np.frombuffer(b"".join(key or bytes(16) for key in contents), np.uint8).reshape(-1, 16)
    return Queries(dataset.take(rows), vectors, named[rows], patches, unreadable)


def _opened(queries: Files, inputs: InputSpec) -> Dataset:
    """Return the queries as one data set. Raises DataError if there is none."""
    given: list[Any] = [queries] if isinstance(queries, Dataset) else [*items(queries)]
    spans = {n: found for n, one in enumerate(given) if (found := _span(one))}
    if spans and inputs.sound is None:
        do = "leave it out, or search a part of a picture with --region"
        raise OptionError("query", got="a span in seconds", expected="pictures, as in the index", do=do)
    if not spans:
        dataset = open_files(given if len(given) != 1 else given[0], inputs)
    else:
        from kakera.data.audio.recordings import FileSounds

        assert inputs.sound is not None
        paths: list[Any] = []
        parts: list[Span] = []
        for number, one in enumerate(given):
            path, span = spans.get(number, (one, None))
            sounds = open_files(path, inputs).sounds
            assert sounds is not None
            if span is not None:
                _require_inside(span, sounds)
            paths += [*sounds.paths]
            parts += [span] if span else [*sounds.spans]
        together = FileSounds(paths, inputs.sound, parts)
        dataset = Dataset("recordings", together, 1, np.full(len(paths), "test"))
    if not len(dataset):
        raise DataError("queries", got="none", expected="at least one file", do="pass a file")
    return dataset


def _span(item: Any) -> tuple[Path, Span] | None:
    """Return the file and the span of a text such as "a.wav:1.5-3"; None for another item.

    Raises OptionError for a span that does not end after its start.
    """
    found = SPAN.fullmatch(item) if isinstance(item, str) and not Path(item).exists() else None
    if found is None:
        return None
    start, end = float(found["start"]), float(found["end"])
    if end <= start:
        got, expected = item, "FILE:START-END in seconds, with an end after the start"
        raise OptionError("query", got=got, expected=expected, do="correct the span")
    return Path(found["file"]), (start, end)


def _require_inside(span: Span, sounds: Sounds) -> None:
    """Raise OptionError for a span that ends after its recording, rounded up to a second."""
    try:
        seconds = sounds.length(0) / sounds.spec.rate
    except UnreadableFileError:
        return  # the reader of the recording raises it
    if span[1] > math.ceil(seconds):
        got, expected = f"{span[0]:g}-{span[1]:g}", f"a span in the {seconds:.4g} s of {sounds.name(0)}"
        raise OptionError("query", got=got, expected=expected, do="correct the span")


def region_of(dataset: Dataset, region: Sequence[float], info: IndexInfo) -> NDArray[np.bool_]:
    """Return the patches of a region of one picture, Boolean (patches,).

    A patch belongs to the region if at least half of it is inside; a smaller region takes the patch that has
    most of it. Raises OptionError if there are several queries, for recordings, for an index of class tokens,
    and for a region that is not in the part of the picture that the model sees.

    Example:

        >>> inputs = {"channels": 1, "height": 8, "width": 8, "mean": [0.5], "std": [0.5]}
        >>> info = IndexInfo("0f", "runs/mae", "a", "/", "pictures", "mean", False, inputs, (2, 2))
        >>> files = open_files([np.zeros((16, 16), np.uint8)], info.spec)
        >>> region_of(files, (8, 0, 8, 8), info).tolist()
        [False, True, False, False]
    """
    if dataset.sounds is not None:
        do = "pass FILE:START-END, in seconds"
        raise OptionError("region", got="recordings", expected="a picture", do=do)
    if len(dataset) != 1:
        raise OptionError(
            "region", got=f"{len(dataset)} queries", expected="one", do="pass one picture with a region"
        )
    if info.pool not in OF_PATCHES:
        do = "run kakera embed with --tokens, or with --pool mean"
        got = f"an index of pool {info.pool}"
        raise OptionError("region", got=got, expected="an index of patch tokens or their mean", do=do)
    if info.spec.any_shape:
        expected, do = "an encoder with one grid of patches", "search with the whole picture"
        raise OptionError("region", got="an encoder that keeps shapes (NaFlex)", expected=expected, do=do)
    left, top, width, height = region
    tall, wide = dataset.pictures.read(0).shape[:2]
    inside = left >= 0 and top >= 0 and left + width <= wide and top + height <= tall
    if not (width > 0 and height > 0 and inside):
        expected = f"a rectangle in a picture of {wide} x {tall} pixels"
        raise OptionError(
            "region", got=",".join(f"{each:g}" for each in region), expected=expected, do=_REGION
        )
    inputs = info.spec
    box = CenterCrop.of(inputs).box((tall, wide))
    down = _shares(top, top + height, box[1], box[3], inputs.height, info.grid[0])
    right = _shares(left, left + width, box[0], box[2], inputs.width, info.grid[1])
    shares = (down[:, None] * right).reshape(-1)
    if not shares.max() > 0:
        expected = f"one in the part that the model sees: {_words(box)}"
        raise OptionError(
            "region", got=",".join(f"{each:g}" for each in region), expected=expected, do=_REGION
        )
    chosen = shares >= HALF
    return chosen if chosen.any() else shares == shares.max()


_REGION = "pass LEFT,TOP,WIDTH,HEIGHT in pixels"


def _words(box: tuple[float, float, float, float]) -> str:
    left, top, right, bottom = box
    return f"{left:g},{top:g},{right - left:g},{bottom - top:g}"


def _shares(
    first: float, last: float, begin: float, end: float, pixels: int, count: int
) -> NDArray[np.float64]:
    """Return the share of each row (or column) of patches that is between two places of the picture.

    `begin` and `end` are the edges of the crop, which becomes `pixels` pixels and `count` patches.
    """
    scale = pixels / (end - begin)
    first, last = (first - begin) * scale, (last - begin) * scale
    size = pixels / count
    edges = size * np.arange(count)
    return np.clip(np.minimum(last, edges + size) - np.maximum(first, edges), 0, size) / size


def _region_vectors(
    encoder: FrozenEncoder, dataset: Dataset, patches: NDArray[np.bool_], info: IndexInfo, device: str
) -> NDArray[np.float32]:
    from kakera.formats.window_tokens import window_tokens
    from kakera.training.device import moved_to_device

    saved = encoder.load()
    pool = cast("Pooling", "normed mean" if info.pool == PATCHES else info.pool)  # as in the index
    saved = replace(saved, inputs=info.spec)
    with moved_to_device(saved, device):
        found = [*window_tokens(saved, dataset, pool, region=patches)]
    for part in found:
        for error in part.unreadable:
            raise error
    return np.concatenate([part.vectors for part in found])
