"""The page of `kakera search`: thumbnails or players of the matches, with the patches that agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from kakera.commands.search import Match, SearchResult
from kakera.commands.searching.drawing import MatchDrawing, begin_of, draw_matches
from kakera.commands.searching.match_files import MatchFiles
from kakera.errors import UnreadableFileError
from kakera.reports.html import Card, audio, gallery, heading, image, note, page, paragraph
from kakera.reports.media import SECONDS, encoded, wav
from kakera.storage import write_atomically
from kakera.training.device import moved_to_device

WIDE = 480  # pixels: width of a drawing at most
MOST = 200  # most matches on a page
GAP = 4  # pixels between a picture and its map


def write_search_page(path: str | Path, found: SearchResult, *, device: str = "auto") -> int:
    """Write a page with the matches of each query into the file `path`; return the number of its matches.

    Beside each match is a map: the highest cosine of each of its patches with a patch of the query (or of its
    region). The page has the first 200 matches. Raises StorageError.
    """
    files, left = MatchFiles(found.index), MOST
    parts: list[str] = [paragraph(_opening(found))]
    with moved_to_device(found.encoder.load(), device):
        for number, (name, matches) in enumerate(zip(found.queries, found.matches, strict=True)):
            parts.append(heading(name))
            same = found.left_out[number]
            they = "it has" if len(same) == 1 else "they have"
            if same:
                parts.append(note(f"Left out, because {they} the content of the query: {', '.join(same)}."))
            parts.append(_section(found, number, matches[:left], files))
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


def _section(found: SearchResult, number: int, matches: tuple[Match, ...], files: MatchFiles) -> str:
    """Return the query and the cards of its matches."""
    try:
        query, drawn = draw_matches(found, number, matches, files)
    except UnreadableFileError as error:
        return note(error.reason)
    cards = [Card(_media(query), "query", found.queries[number])]
    return gallery([*cards, *map(_card, matches, drawn)], sounds=True)


def _card(match: Match, drawn: MatchDrawing | str) -> Card:
    title = f"{match.rank}: {match.cosine:.3f}" + (f", {match.label}" if match.label else "")
    span = "" if match.start is None or match.end is None else f" {match.start:.2f}–{match.end:.2f} s"
    media = note(drawn) if isinstance(drawn, str) else _media(drawn)
    return Card(media, title, f"{match.file}{span}, {match.part}")


def _media(drawn: MatchDrawing) -> str:
    """Return the tags of drawings side by side, and for a recording a player of the drawn window."""
    tiles, dataset = drawn.tiles, drawn.dataset
    gap = np.full((tiles[0].shape[0], GAP, 3), 255, np.uint8)
    joined = np.concatenate([part for tile in tiles for part in (gap, tile)][1:], axis=1)
    picture = Image.fromarray(joined)
    picture.thumbnail((WIDE, WIDE))
    content, kind = encoded(picture, quality=90)
    tags = image(content, dataset.pictures.name(0), kind)
    if dataset.sounds is None:
        return tags
    rate = dataset.sounds.spec.rate
    wave = dataset.sounds.piece(0, round((drawn.start - begin_of(dataset)) * rate), round(SECONDS * rate))
    return tags + audio(wav(wave, rate))
