import math
import xml.etree.ElementTree as ElementTree

from kakera.reports.plot import MOST, Line, plot


def lines(svg: str) -> list[list[tuple[float, float]]]:
    tree = ElementTree.fromstring(svg)
    found = [line.attrib["points"] for line in tree.iter("polyline")]
    return [[tuple(map(float, point.split(","))) for point in text.split()] for text in found]  # type: ignore[misc]


def test_equal_steps_are_equally_far_apart() -> None:
    (line, _) = lines(plot([Line("loss", [(1, 3.0), (2, 2.0), (3, 1.0)])], x="epoch", y="loss"))
    (x0, y0), (x1, y1), (x2, y2) = line
    assert math.isclose(x1 - x0, x2 - x1, abs_tol=0.11)
    assert math.isclose(y1 - y0, y2 - y1, abs_tol=0.11)
    assert y2 > y1 > y0  # smaller values stand lower


def test_names_are_escaped() -> None:
    tree = ElementTree.fromstring(plot([Line("<b>&", [(0, 1)])], x="<x>", y="&y"))
    texts = [text.text for text in tree.iter("text")]
    assert "<b>&" in texts
    assert "<x>" in texts


def test_what_is_not_finite_is_left_out() -> None:
    (line, _) = lines(plot([Line("loss", [(1, 1.0), (2, math.nan), (3, math.inf), (4, 2.0)])], x="x", y="y"))
    assert len(line) == 2


def test_nothing_is_drawn_of_nothing() -> None:
    assert plot([Line("loss", [])], x="x", y="y") == ""


def test_a_hundred_thousand_epochs_stay_small_and_keep_the_last() -> None:
    svg = plot([Line("loss", [(i, i / 1e5) for i in range(100_000)])], x="x", y="y", low=0.0, high=1.0)
    line = lines(svg)[0]
    assert len(line) <= MOST + 1
    assert line[-1][0] == max(x for x, _ in line)
    assert len(svg) < 60_000


def test_no_half_epoch_is_named() -> None:
    tree = ElementTree.fromstring(plot([Line("loss", [(1, 5.0), (2, 6.0)])], x="epoch", y="loss"))
    below = [text.text for text in tree.iter("text") if text.attrib["text-anchor"] == "middle"]
    assert below == ["1", "2", "epoch"]
