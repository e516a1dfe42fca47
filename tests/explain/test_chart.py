import numpy as np
import pytest

from kakera.explain.chart import COLOURS, HEIGHT, Series, chart, curve


def middle_of(image: np.ndarray, colour: tuple[int, ...], rows: slice) -> tuple[float, float]:
    found = np.argwhere((image[rows] == colour).all(axis=2))
    return found[:, 0].mean(), found[:, 1].mean()


def test_a_point_twice_as_high_stands_twice_as_far_above_nought() -> None:
    heights = []
    for value in (2.0, 4.0):
        dots = [Series("a", [(0.0, value)], joined=False), curve("b", [0.0, 4.0])]
        heights.append(middle_of(np.asarray(chart(dots, x="x", y="y")), COLOURS[0], slice(0, HEIGHT))[0])
    nought = chart([Series("a", [(0.0, 0.0)], joined=False), Series("b", [(1.0, 4.0)])], x="x", y="y")
    ground = middle_of(np.asarray(nought), COLOURS[0], slice(0, HEIGHT))[0]
    assert ground - heights[1] == pytest.approx(2 * (ground - heights[0]), abs=3)


@pytest.mark.parametrize("values", [[0.0], [0.0, 0.0], [-1.0, 1.0], [1e-9, 2e-9], [1e6, 3e6], [0.3, 0.7]])
def test_any_values_are_drawn_within_the_chart(values: list[float]) -> None:
    found = np.asarray(chart([curve("some", values)], x="x", y="y"))
    row, col = middle_of(found, COLOURS[0], slice(0, HEIGHT))
    assert 0 < row < HEIGHT
    assert 0 < col < found.shape[1]
