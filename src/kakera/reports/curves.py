"""Curves with intervals, as SVG. The lines differ in colour, marker and dashes."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass

from kakera.reports.intervals import Interval

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#000000")  # Okabe and Ito 2008
_MARKERS = ("o", "s", "^", "D", "v", "P")
_DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))


@dataclass(frozen=True)
class Curve:
    """A curve: places (n,) on the x axis, and an interval at each; infinite intervals are drawn as points.

    Example:

        >>> Curve("ViT", [10, 100], [Interval(0.5, 0.1, 3), Interval(0.75, 0.05, 3)]).name
        'ViT'
    """

    name: str
    places: Sequence[float]
    values: Sequence[Interval]


def draw(curves: Sequence[Curve], *, x: str, y: str, logarithmic: bool = False, scale: float = 1.0) -> bytes:
    """Draw curves of shares (0 … 1) and return the bytes of an SVG.

    `x` and `y` are axis labels; `logarithmic` is for the x axis; `scale` multiplies all values (100 for per
    cent).

    Example:

        >>> curve = Curve("ViT", [10, 100], [Interval(0.5, 0.1, 3), Interval(0.75, 0.05, 3)])
        >>> b"<svg" in draw([curve], x="labels", y="accuracy")
        True
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "kakera", "font.size": 11}):
        figure = Figure(figsize=(7.2, 4.4), layout="constrained")
        axes = figure.subplots()
        for number, curve in enumerate(curves):
            kind = number % len(_COLOURS)
            axes.errorbar(
                list(curve.places),
                [scale * value.mean for value in curve.values],
                yerr=[scale * value.half if math.isfinite(value.half) else 0.0 for value in curve.values],
                label=curve.name,
                color=_COLOURS[kind],
                marker=_MARKERS[kind],
                linestyle=_DASHES[kind],
                capsize=3,
            )
        if logarithmic:
            axes.set_xscale("log")
            places = sorted({place for curve in curves for place in curve.places})
            axes.set_xticks(places, [f"{place:.0f}" for place in places])
            axes.minorticks_off()
        low, high = axes.get_ylim()
        axes.set_ylim(
            max(low, 0.0), min(high, scale)
        )  # a share is never below 0 or above 1, even if its interval is
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        axes.grid(visible=True, alpha=0.3)
        axes.legend()
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()
