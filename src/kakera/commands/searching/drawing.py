"""Drawings of matches: what the model sees, and a map of the patches that agree with the query."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from kakera.commands.search import Match, SearchResult
from kakera.commands.searching.agreement import PatchTokens, agreement, patch_tokens
from kakera.commands.searching.match_files import MatchFiles
from kakera.data.dataset import Dataset
from kakera.errors import UnreadableFileError
from kakera.explain.activations import as_bytes
from kakera.explain.colour import as_rgb, over
from kakera.explain.plots import FRAME
from kakera.formats.bundle import Pretrained
from kakera.frontend import FrontEnd
from kakera.training.preview import preview

SIDE, THICK = 160, 3  # pixels: height of a drawing at least, and width of a frame
Picture = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class MatchDrawing:
    """The drawings of a query or a match, uint8 (H, W, 3): the picture, and its map. See `draw_matches`."""

    dataset: Dataset
    tiles: tuple[Picture, ...]
    start: float
    """The start of the drawn window in its recording, in seconds; 0 for a picture."""


def draw_matches(
    found: SearchResult, number: int, matches: tuple[Match, ...], files: MatchFiles
) -> tuple[MatchDrawing, list[MatchDrawing | str]]:
    """Return the drawing of a query, and those of some of its matches, or the reason why there is none.

    A map has for each patch its highest cosine with a patch of the query (or of its region), from dark (the
    lowest of all maps) to light (1). Raises UnreadableFileError for the query. See `write_search_page`.
    """
    saved = found.encoder.load()
    saved = replace(saved, inputs=found.index.info.spec)
    query = found.opened.dataset.take(np.array([number]))
    windows, region = patch_tokens(saved, query), found.opened.region
    own = np.concatenate([each.tokens.reshape(-1, each.tokens.shape[-1]) for each in windows])
    own = own if region is None else own[region]
    opened = [_opened(saved, files, match, own) for match in matches]
    least = min((float(each[1].min()) for each in opened if not isinstance(each, str)), default=0.0)
    first = _drawn(saved, query, windows[0].start - begin_of(query))
    if region is not None:
        first = _framed(first, region.reshape(saved.encoder.grid.rows, -1))
    drawn = [
        each if isinstance(each, str) else _drawing(saved, match, each, least)
        for match, each in zip(matches, opened, strict=True)
    ]
    return MatchDrawing(query, (first,), windows[0].start), drawn


Opened = tuple[Dataset, "NDArray[np.float64]", PatchTokens]


def _opened(saved: Pretrained, files: MatchFiles, match: Match, own: NDArray[np.float32]) -> Opened | str:
    """Return the data set of a match, its map, and the window that agrees most; or why there is none."""
    if match.state:
        return match.state
    dataset = files.open(match.row)
    if dataset is None:
        return "its data set cannot be opened again"
    try:
        windows = patch_tokens(saved, dataset)
    except UnreadableFileError as error:
        return error.reason
    maps = [agreement(own, each.tokens)[0] for each in windows]
    best = max(range(len(maps)), key=lambda place: float(maps[place].mean()))
    return dataset, maps[best], windows[best]


def _drawing(saved: Pretrained, match: Match, opened: Opened, least: float) -> MatchDrawing:
    dataset, values, window = opened
    shown = _drawn(saved, dataset, window.start - begin_of(dataset))
    upwards = dataset.sounds is not None  # low frequencies are at the bottom
    turned = values[::-1] if upwards else values
    mapped = over(shown, (turned - least) / max(1.0 - least, 1e-9), 1.0)
    if match.patch is not None and abs(window.start - (match.start or 0.0)) < 1e-6:
        chosen = np.zeros(values.shape, bool)
        chosen[match.patch[0] - 1, match.patch[1] - 1] = True
        mapped = _framed(mapped, chosen[::-1] if upwards else chosen)
    return MatchDrawing(dataset, (shown, mapped), window.start)


def begin_of(dataset: Dataset) -> float:
    """Return the start of the first recording of a data set in its file, in seconds; 0 for pictures.

    See `draw_matches`.
    """
    sounds = dataset.sounds
    return sounds.spans[0][0] if sounds is not None and len(sounds.spans) else 0.0


def _drawn(saved: Pretrained, dataset: Dataset, start: float) -> NDArray[np.uint8]:
    """Return what the model sees from `start` seconds on, uint8 (H, W, 3), enlarged to about 160 pixels."""
    looked = preview(dataset, FrontEnd.of(saved.model, saved.inputs), start)
    values = as_rgb(as_bytes(saved.inputs.to_unit(looked.pictures).clamp(0, 1))[0])
    width = looked.widths[0]
    if dataset.sounds is not None:
        columns = values.shape[1] if width is None else -(-width // saved.encoder.step) * saved.encoder.step
        values = values[::-1, :columns]
    scale = max(1, round(SIDE / values.shape[0]))
    return values.repeat(scale, axis=0).repeat(scale, axis=1)


def _framed(shown: NDArray[np.uint8], chosen: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Return a picture with a frame around the chosen patches (rows, columns)."""
    found = shown.copy()
    height, width = shown.shape[:2]
    tall, wide = height / chosen.shape[0], width / chosen.shape[1]
    (down,), (right,) = np.nonzero(chosen.any(axis=1)), np.nonzero(chosen.any(axis=0))
    top, bottom = round(down[0] * tall), round((down[-1] + 1) * tall)
    left, end = round(right[0] * wide), round((right[-1] + 1) * wide)
    inner = found[top + THICK : bottom - THICK, left + THICK : end - THICK].copy()
    found[top:bottom, left:end] = FRAME
    found[top + THICK : bottom - THICK, left + THICK : end - THICK] = inner
    return found
