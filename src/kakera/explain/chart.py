"""Line and dot charts over a few whole numbers, drawn with Pillow."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from kakera.explain.activations import Array
from kakera.explain.mosaic import INK, PAPER, TEXT

WIDTH, HEIGHT = 560, 320
LEFT, RIGHT, TOP, BOTTOM = 56.0, 16.0, 32.0, 48.0  # margins
LINE = (205, 205, 212)
# The colours differ in lightness too, and the marks in shape, for readers without colour vision.
COLOURS = ((20, 80, 160), (210, 110, 20), (60, 60, 60), (20, 140, 110), (170, 60, 120))


@dataclass(frozen=True)
class Series:
    """A named series of points (x, y), joined by a line or drawn as dots.

    Example:

        >>> Series("loss", [(0.0, 1.0), (1.0, 0.5)]).joined
        True
    """

    name: str
    points: Sequence[tuple[float, float]]
    joined: bool = True


def curve(name: str, values: Sequence[float] | Array) -> Series:
    """Return a joined series of values over 0, 1, 2, …

    Example:

        >>> curve("loss", [1.0, 0.5]).points
        [(0.0, 1.0), (1.0, 0.5)]
    """
    return Series(name, [(float(x), float(y)) for x, y in enumerate(values)])


def chart(series: Sequence[Series], *, x: str, y: str, least: float = 0.0) -> Image.Image:
    """Return a chart of all series on common axes, with a legend below.

    `x` and `y` are the axis labels. The vertical axis begins at `least`, or at the smallest value if that is
    lower.

    Example:

        >>> chart([curve("loss", [1.0, 0.5])], x="epoch", y="loss").size
        (560, 339)
    """
    font = ImageFont.load_default(TEXT)
    image = Image.new("RGB", (WIDTH, HEIGHT + (TEXT + 6) * len(series)), PAPER)
    pen = ImageDraw.Draw(image)
    xs = [point[0] for each in series for point in each.points]
    ys = [point[1] for each in series for point in each.points]
    ticks = _ticks(min([least, *ys]), max([least, *ys]))
    low, high = ticks[0], ticks[-1]
    first, last = min(xs), max(max(xs), min(xs) + 1)

    def at(point: tuple[float, float]) -> tuple[float, float]:
        across = (point[0] - first) / (last - first)
        up = (point[1] - low) / (high - low)
        return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)

    for value in ticks:
        height = at((first, value))[1]
        pen.line([(LEFT, height), (WIDTH - RIGHT, height)], LINE)
        pen.text((LEFT - 6, height), f"{value:g}", INK, font, anchor="rm")
    step = max(1, math.ceil((last - first) / 14))
    for value in range(math.ceil(first), math.floor(last) + 1, step):
        pen.text((at((float(value), low))[0], HEIGHT - BOTTOM + 6), str(value), INK, font, anchor="ma")
    pen.text(((WIDTH + LEFT) / 2, HEIGHT - 6), x, INK, font, anchor="ms")
    pen.text((6, 2), y, INK, font)
    for number, each in enumerate(series):
        colour, places = COLOURS[number % len(COLOURS)], [at(point) for point in each.points]
        if each.joined:
            pen.line(places, colour, 2)
        for place in places:
            _mark(pen, place, number, colour)
        row = HEIGHT + number * (TEXT + 6) + TEXT / 2
        _mark(pen, (LEFT, row), number, colour)
        pen.text((LEFT + 14, row), each.name, INK, font, anchor="lm")
    return image


def _mark(pen: ImageDraw.ImageDraw, place: tuple[float, float], number: int, colour: tuple[int, ...]) -> None:
    x, y = place
    if number % 3 == 0:
        pen.ellipse([x - 4, y - 4, x + 4, y + 4], colour)
    elif number % 3 == 1:
        pen.rectangle([x - 4, y - 4, x + 4, y + 4], colour)
    else:
        pen.polygon([(x, y - 5), (x - 5, y + 4), (x + 5, y + 4)], colour)


def _ticks(low: float, high: float) -> list[float]:
    """Return four to ten round numbers from at most `low` to at least `high`."""
    span = max(high - low, 1e-9)
    step = 10.0 ** math.floor(math.log10(span))
    step = next(step * share for share in (0.1, 0.2, 0.5, 1.0) if span / (step * share) <= 8 or share == 1.0)
    start, end = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 12) for number in range(start, max(end, start + 1) + 1)]
