"""Mosaics of small pictures with row names, column names, axis labels and a note below."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from kakera.explain.axes import Axes

TILE = 112  # pixels: approximate height of a tile
WIDEST = 3  # largest width of a tile with non-square pixels, in heights
GAP = 6
TEXT, SMALL_TEXT = 13, 10  # pixels: height of the letters of names and of axis labels
MARK = 3  # pixels: length of an axis mark
INK, PAPER = (27, 27, 31), (255, 255, 255)

Tiles = Sequence[Sequence[NDArray[np.uint8]]]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def mosaic(
    rows: Tiles,
    *,
    down: Sequence[str] = (),
    across: Sequence[str] = (),
    note: str = "",
    tile: int = TILE,
    axes: Axes | None = None,
) -> Image.Image:
    """Return a mosaic of pictures (H, W, 3), row by row; all tiles are as high as the first one.

    `down` are the names of the rows, `across` of the columns, and `note` is the text below. Small pictures
    are enlarged in whole steps to about `tile` pixels, and larger ones are reduced to it. `axes` belong to
    the widest picture. If they are not plain pixels, they are drawn on the left and below, and `axes.upwards`
    draws the first row of a picture at the bottom.

    Example:

        >>> mosaic([[np.zeros((8, 8, 3), np.uint8)] * 2], across=["a", "b"]).size
        (230, 137)
    """
    font = ImageFont.load_default(TEXT)
    scaled = axes is not None and not axes.plain
    marks = axes if scaled else None
    high, wide, narrower = _size(rows, tile, square=not scaled)
    named = max((round(font.getlength(name)) + 2 * GAP for name in down), default=0)
    left = named + _room(marks)
    top = TEXT + 2 * GAP if across else 0
    columns = max(map(len, rows))
    width = left + columns * (wide + GAP) - GAP
    lines = _wrapped(note, font, max(width, 3 * TILE))
    width = max(width, *(round(font.getlength(line)) for line in lines)) if lines else width
    below = SMALL_TEXT + MARK + GAP if scaled else 0
    height = top + len(rows) * (high + GAP) - GAP + below
    canvas = Image.new("RGB", (width, height + len(lines) * (TEXT + 5) + (GAP if lines else 0)), PAPER)
    pen = ImageDraw.Draw(canvas)
    for number, name in enumerate(across):
        pen.text((left + number * (wide + GAP) + wide // 2, GAP), name, INK, font, anchor="ma")
    for number, row in enumerate(rows):
        y = top + number * (high + GAP)
        if number < len(down):
            pen.text((named - GAP, y + high // 2), down[number], INK, font, anchor="rm")
        if marks is not None:
            _mark_rows(pen, marks, (left, y), high)
        for place, picture in enumerate(row):
            upright = picture[::-1] if marks is not None and marks.upwards else picture
            length = max(1, round(picture.shape[1] / picture.shape[0] * high * narrower))
            canvas.paste(_scaled(upright, (high, length)), (left + place * (wide + GAP), y))
    for place in range(len(rows[-1]) if marks is not None else 0):
        assert marks is not None
        _mark_columns(pen, marks, (left + place * (wide + GAP), height - below), wide)
    for number, line in enumerate(lines):
        pen.text((0, height + GAP + number * (TEXT + 5)), line, INK, font)
    return canvas


def _mark_rows(pen: ImageDraw.ImageDraw, axes: Axes, place: tuple[int, int], high: int) -> None:
    """Draw marks and values to the left of a tile."""
    font = ImageFont.load_default(SMALL_TEXT)
    for at, text in _with_unit(axes.down.ticks(4), axes.down.unit):
        y = place[1] + round((1 - at if axes.upwards else at) * (high - 1))
        pen.line([(place[0] - MARK, y), (place[0] - 1, y)], INK)
        middle = min(max(y, place[1] + SMALL_TEXT // 2), place[1] + high - SMALL_TEXT // 2)
        pen.text((place[0] - MARK - 2, middle), text, INK, font, anchor="rm")


def _mark_columns(pen: ImageDraw.ImageDraw, axes: Axes, place: tuple[int, int], wide: int) -> None:
    """Draw marks and values below a tile."""
    font = ImageFont.load_default(SMALL_TEXT)
    for at, text in _with_unit(axes.across.ticks(4), axes.across.unit):
        x, half = place[0] + round(at * (wide - 1)), font.getlength(text) / 2
        pen.line([(x, place[1]), (x, place[1] + MARK - 1)], INK)
        middle = min(max(x, place[0] + half), place[0] + wide - half)
        pen.text((middle, place[1] + MARK + 1), text, INK, font, anchor="ma")


def _with_unit(ticks: list[tuple[float, str]], unit: str) -> list[tuple[float, str]]:
    """Return the ticks with the unit added to the last label."""
    return [*ticks[:-1], *((at, f"{text} {unit}") for at, text in ticks[-1:])]


def _room(axes: Axes | None) -> int:
    """Return the width of the labels on the left, in pixels."""
    if axes is None:
        return 0
    font = ImageFont.load_default(SMALL_TEXT)
    texts = [text for _, text in _with_unit(axes.down.ticks(4), axes.down.unit)]
    return round(max((font.getlength(text) for text in texts), default=0)) + MARK + GAP


def _size(rows: Tiles, tile: int, *, square: bool) -> tuple[int, int, float]:
    """Return height and width of the widest tile, and the factor by which all tiles are narrower."""
    height = rows[0][0].shape[0]
    width = max(picture.shape[1] / picture.shape[0] for row in rows for picture in row) * height
    factor = float(max(1, round(tile / height))) if height <= tile else tile / height
    narrower = 1.0 if square else min(1.0, WIDEST * tile / (width * factor))
    return max(1, round(height * factor)), max(1, round(width * factor * narrower)), narrower


def _scaled(picture: NDArray[np.uint8], size: tuple[int, int]) -> Image.Image:
    image = Image.fromarray(picture)
    larger = size[0] >= image.height and size[1] >= image.width
    return image.resize((size[1], size[0]), Image.Resampling.NEAREST if larger else Image.Resampling.BOX)


def _wrapped(text: str, font: Font, width: int) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        if lines and font.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
