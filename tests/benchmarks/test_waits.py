"""The benchmark of waiting threads runs: one turn, with a busy process beside it that ends afterwards."""

from benchmarks.waits import SETTINGS, measured


def test_a_turn_gives_a_rate() -> None:
    assert measured("micro, 28 px", SETTINGS["one thread"], 1, 0.05) > 0
