"""Rows of small pictures with a name at each row and column, and a line of text below."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

TILE = 112  # pixels: the height of a tile, about
GAP = 6
TEXT = 13  # pixels: the height of the letters
INK, PAPER = (27, 27, 31), (255, 255, 255)


def mosaic(
    rows: Sequence[Sequence[NDArray[np.uint8]]],
    *,
    down: Sequence[str] = (),
    across: Sequence[str] = (),
    note: str = "",
    tile: int = TILE,
) -> Image.Image:
    """Pictures (H, W, 3) of one size, row by row, named `down` the side and `across` the top.

    Small ones are enlarged in whole steps to about `tile` pixels, larger ones reduced to it. `note` stands
    below, wrapped.
    """
    font = ImageFont.load_default(TEXT)
    high, wide = _size(rows[0][0].shape, tile)
    left = max((round(font.getlength(name)) + 2 * GAP for name in down), default=0)
    top = TEXT + 2 * GAP if across else 0
    columns = max(map(len, rows))
    width = left + columns * (wide + GAP) - GAP
    lines = _wrapped(note, font, max(width, 3 * TILE))
    width = max(width, *(round(font.getlength(line)) for line in lines)) if lines else width
    height = top + len(rows) * (high + GAP) - GAP
    canvas = Image.new("RGB", (width, height + len(lines) * (TEXT + 5) + (GAP if lines else 0)), PAPER)
    pen = ImageDraw.Draw(canvas)
    for number, name in enumerate(across):
        x = left + number * (wide + GAP) + wide // 2
        pen.text((x, GAP), name, INK, font, anchor="ma")
    for number, row in enumerate(rows):
        y = top + number * (high + GAP)
        if number < len(down):
            pen.text((left - GAP, y + high // 2), down[number], INK, font, anchor="rm")
        for place, picture in enumerate(row):
            canvas.paste(_scaled(picture, (wide, high)), (left + place * (wide + GAP), y))
    for number, line in enumerate(lines):
        pen.text((0, height + GAP + number * (TEXT + 5)), line, INK, font)
    return canvas


def _size(shape: tuple[int, ...], tile: int) -> tuple[int, int]:
    height, width = shape[:2]
    factor = max(1, round(tile / height)) if height <= tile else tile / height
    return max(1, round(height * factor)), max(1, round(width * factor))


def _scaled(picture: NDArray[np.uint8], size: tuple[int, int]) -> Image.Image:
    image = Image.fromarray(picture)
    way = Image.Resampling.NEAREST if size[0] >= image.width else Image.Resampling.BOX
    return image.resize(size, way)


def _wrapped(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> list[str]:
    lines: list[str] = []
    for word in text.split():
        if lines and font.getlength(f"{lines[-1]} {word}") <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
