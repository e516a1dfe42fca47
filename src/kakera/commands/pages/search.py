"""The page of `kakera search`: thumbnails or players of the matches, with the patches that agree."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

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
from kakera.reports.html import Card, audio, gallery, heading, image, note, page, paragraph
from kakera.reports.media import SECONDS, encoded, wav
from kakera.storage import write_atomically
from kakera.training.device import moved_to_device
from kakera.training.preview import preview

SIDE, WIDE = 160, 480  # pixels: height of a drawn picture at least, and width at most
MOST = 200  # most matches on a page
GAP = 4  # pixels between a picture and its map


def write_search_page(path: str | Path, found: SearchResult, *, device: str = "auto") -> int:
    """Write a page with the matches of each query into the file `path`; return the number of its matches.

    Beside each match is a map: the highest cosine of each of its patches with a patch of the query (or of its
    region). The page has the first 200 matches. Raises StorageError.
    """
    saved, files, left = found.encoder.load(), MatchFiles(found.index), MOST
    saved = replace(saved, inputs=found.index.info.spec)
    parts: list[str] = [paragraph(_opening(found))]
    with moved_to_device(saved, device):
        for number, (name, matches) in enumerate(zip(found.queries, found.matches, strict=True)):
            parts.append(heading(name))
            same = found.left_out[number]
            parts += [
                note(f"Left out, because they have the content of the query: {', '.join(same)}.")
            ] * bool(same)
            parts.append(_section(saved, found, number, matches[:left], files))
            left -= len(matches[:left])
            if not left:
                break
    many = sum(map(len, found.matches))
    parts += [note(f"This page shows {MOST:,} of {many:,} matches; kakera search --csv lists all.")] * (
        many > MOST
    )
    write_atomically(Path(path), page("Search", *parts).encode())
    return min(many, MOST)


def _opening(found: SearchResult) -> str:
    info, sounds = found.index.info, found.index.info.kind == "recordings"
    things = "windows" if info.windows else info.kind
    text = (
        f"The {things} with the most similar vectors (cosine), of {len(found.index):,} in "
        f"{info.data or 'memory'}. The map beside each match shows which patches agree with the query: "
        "each patch has its highest cosine with a patch of the query, from dark (the lowest of all maps of a "
        "query) to light (1)."
    )
    return text + (" The player starts where the drawn window starts." if sounds else "")


def _section(
    saved: Pretrained, found: SearchResult, number: int, matches: tuple[Match, ...], files: MatchFiles
) -> str:
    """Return the query and the cards of its matches."""
    query = found.opened.dataset.take(np.array([number]))
    try:
        windows = patch_tokens(saved, query)
    except UnreadableFileError as error:
        return note(error.reason)
    own = np.concatenate([each.tokens.reshape(-1, each.tokens.shape[-1]) for each in windows])
    own = own if found.opened.region is None else own[found.opened.region]
    opened = [_opened(saved, files, match, own) for match in matches]
    least = min((float(each[1].min()) for each in opened if not isinstance(each, str)), default=0.0)
    first = _drawn(saved, query, windows[0].start - _begin(query))
    if found.opened.region is not None:
        first = _framed(first, found.opened.region.reshape(saved.encoder.grid.rows, -1))
    cards = [Card(_media(saved, query, [first], windows[0].start), "query", found.queries[number])]
    for match, each in zip(matches, opened, strict=True):
        cards.append(_card(saved, match, each, least))
    return gallery(cards, sounds=True)


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


def _card(saved: Pretrained, match: Match, opened: Opened | str, least: float) -> Card:
    title = f"{match.rank}: {match.cosine:.3f}" + (f", {match.label}" if match.label else "")
    span = "" if match.start is None or match.end is None else f" {match.start:.2f}–{match.end:.2f} s"
    name = f"{match.file}{span}, {match.part}"
    if isinstance(opened, str):
        return Card(note(opened), title, name)
    dataset, values, window = opened
    start = window.start - _begin(dataset)
    shown = _drawn(saved, dataset, start)
    turned = values[::-1] if dataset.sounds is not None else values  # low frequencies are at the bottom
    mapped = over(shown, (turned - least) / max(1.0 - least, 1e-9), 1.0)
    if match.patch is not None and window.start == (match.start or 0.0):
        row, column = match.patch[0] - 1, match.patch[1] - 1
        chosen = np.zeros(values.shape, bool)
        chosen[row, column] = True
        mapped = _framed(mapped, chosen[::-1] if dataset.sounds is not None else chosen)
    return Card(_media(saved, dataset, [shown, mapped], window.start), title, name)


def _begin(dataset: Dataset) -> float:
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
    inner = found[top + 3 : bottom - 3, left + 3 : end - 3].copy()
    found[top:bottom, left:end] = FRAME
    found[top + 3 : bottom - 3, left + 3 : end - 3] = inner
    return found


def _media(saved: Pretrained, dataset: Dataset, tiles: list[NDArray[np.uint8]], start: float) -> str:
    """Return the tags of pictures side by side, and of a recording a player from `start` on, in seconds."""
    gap = np.full((tiles[0].shape[0], GAP, 3), 255, np.uint8)
    joined = np.concatenate([part for tile in tiles for part in (gap, tile)][1:], axis=1)
    picture = Image.fromarray(joined)
    picture.thumbnail((WIDE, WIDE))
    content, kind = encoded(picture, quality=90)
    tags = partial(image, content, dataset.pictures.name(0))(kind)
    if dataset.sounds is None:
        return tags
    rate = dataset.sounds.spec.rate
    wave = dataset.sounds.piece(0, round((start - _begin(dataset)) * rate), round(SECONDS * rate))
    return tags + audio(wav(wave, rate))
