"""Line plots as inline SVG in the colours of the page, light and dark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT = 640.0, 300.0
LEFT, RIGHT, TOP, BOTTOM = 58.0, 12.0, 14.0, 40.0
DASHES = ("", "7 4", "2 3", "9 3 2 3")  # lines also differ in their dashes, not only in colour
MARKED = 40  # points: with more points, markers would hide the line
MOST = 2000  # points of a line: more than the plot has pixels


@dataclass(frozen=True)
class Line:
    """A line with a name and points (x, y), x in ascending order; points that are not finite are skipped.

    With `dots` there is a dot for each point, in any order, and no line.

    Example:

        >>> Line("loss", [(1, 0.5), (2, 0.25)]).name
        'loss'
    """

    name: str
    points: Sequence[tuple[float, float]]
    dots: bool = False


def plot(
    lines: Sequence[Line], *, x: str, y: str, low: float | None = None, high: float | None = None
) -> str:
    """Return an inline SVG of all lines on common axes; it is empty without finite points.

    `x` and `y` are axis labels; `low` and `high` are values that the y axis must include.

    Example:

        >>> plot([Line("loss", [(1, 0.5), (2, 0.25)])], x="epoch", y="loss").count("<polyline")
        2
    """
    kept = [Line(line.name, _thinned(line.points), line.dots) for line in lines]
    points = [point for line in kept for point in line.points]
    if not points:
        return ""
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    whole = all(
        float(x).is_integer() for x in xs
    )  # whole numbers, such as epochs, have only whole tick labels
    across = _ticks(min(xs), max(xs))
    up = _ticks(min(ys) if low is None else min(low, *ys), max(ys) if high is None else max(high, *ys))
    first, last = min(xs), max(xs) if max(xs) > min(xs) else min(xs) + 1

    def at(point: tuple[float, float]) -> tuple[float, float]:
        right = (point[0] - first) / (last - first)
        above = (point[1] - up[0]) / (up[-1] - up[0])
        return LEFT + right * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - above * (HEIGHT - TOP - BOTTOM)

    parts = [_grid_line(at((first, value))[1], f"{value:g}") for value in up]
    parts += [
        _text(at((value, up[0]))[0], HEIGHT - BOTTOM + 17, f"{value:g}", "middle")
        for value in across
        if first <= value <= last and (float(value).is_integer() or not whole)
    ]
    parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 4, x, "middle"))
    drawn = (([at(point) for point in line.points], number, line.dots) for number, line in enumerate(kept))
    parts += [_dots(*each[:2]) if each[2] else _line(*each[:2]) for each in drawn]
    legend = "".join(_legend(line, number) for number, line in enumerate(kept))
    height = HEIGHT + 22 * len(kept)
    title = f"{y} over {x}"
    return (
        f'<svg class="plot" viewBox="0 0 {WIDTH:g} {height:g}" role="img" aria-label="{escape(title)}">'
        f"<title>{escape(title)}</title>{''.join(parts)}{legend}</svg>"
    )


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    finite = [point for point in points if math.isfinite(point[0]) and math.isfinite(point[1])]
    every = max(1, -(-len(finite) // MOST))
    return [*finite[:-1:every], finite[-1]] if finite else []


def _grid_line(height: float, name: str) -> str:
    ends = f'x1="{LEFT:g}" x2="{WIDTH - RIGHT:g}" y1="{height:.1f}" y2="{height:.1f}"'
    return f'<line {ends} style="stroke: var(--line)"/>' + _text(LEFT - 8, height + 4, name, "end")


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _line(places: list[tuple[float, float]], number: int) -> str:
    colour = f"var(--c{number % len(DASHES)})"
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    dashes = DASHES[number % len(DASHES)] or "none"
    style = f"fill: none; stroke: {colour}; stroke-width: 2; stroke-dasharray: {dashes}"
    marks = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" style="fill: {colour}"/>'
        for x, y in (places if len(places) <= MARKED else [])
    )
    return f'<polyline points="{path}" style="{style}"/>{marks}'


def _dots(places: list[tuple[float, float]], number: int) -> str:
    style = f"fill: var(--c{number % len(DASHES)}); opacity: 0.5"
    return "".join(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" style="{style}"/>' for x, y in places)


def _legend(line: Line, number: int) -> str:
    y = HEIGHT + 22 * number + 8
    drawn = _dots([(LEFT + 14, y)], number) if line.dots else _line([(LEFT, y), (LEFT + 28, y)], number)
    return drawn + _text(LEFT + 38, y + 4, line.name, "start")


def _ticks(low: float, high: float) -> list[float]:
    """Return three to eight round numbers from at most `low` to at least `high`."""
    span = high - low if high > low else max(abs(low), 1.0)
    power = 10.0 ** math.floor(math.log10(span))
    step = next(power * lead for lead in (0.2, 0.5, 1.0, 2.0) if span / (power * lead) <= 6)
    start, end = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(number * step, 12) for number in range(start, max(end, start + 1) + 1)]
