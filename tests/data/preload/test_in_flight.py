import os
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from kakera.data.preload.in_flight import AHEAD, PIXEL, decoding_bytes, in_order
from tests.data.files import NOISE, on_disk


def test_results_come_in_order_though_the_first_take_longest() -> None:
    def work(number: int) -> int:
        time.sleep(0.02 if number < 2 else 0)
        return number * number

    assert list(in_order(work, 30, lambda _: 0)) == [number * number for number in range(30)]


@pytest.mark.parametrize("threads", [4])
def test_what_is_in_flight_together_stays_within_the_budget(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: threads)
    costs = [3, 3, 3, 20, 1, 1, 4, 9, 2, 8, 8]
    lock, now, most, crowds = threading.Lock(), [0], [0], [0]

    def work(number: int) -> None:
        with lock:
            now[0] += costs[number]
            crowds[0] = max(crowds[0], int(now[0] > costs[number]))
            if now[0] > costs[number]:
                most[0] = max(most[0], now[0])
        time.sleep(0.01)
        with lock:
            now[0] -= costs[number]

    list(in_order(work, len(costs), costs.__getitem__, budget=10))
    assert crowds[0], "several at a time"
    assert most[0] <= 10


def test_only_a_few_are_read_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    begun: list[int] = []
    reading = in_order(begun.append, 10_000, lambda _: 0)
    next(reading)
    time.sleep(0.05)
    assert len(begun) <= 2 * AHEAD + 1
    reading.close()  # type: ignore[attr-defined]
    assert len(begun) <= 2 * AHEAD + 1


def test_an_error_comes_out() -> None:
    def work(number: int) -> float:
        return 1 / (3 - number)

    with pytest.raises(ZeroDivisionError):
        list(in_order(work, 9, lambda _: 0))


def test_decoding_costs_by_the_pixel_and_what_is_no_picture_nothing(tmp_path: Path) -> None:
    cost = decoding_bytes(on_disk(tmp_path, {"a.png": np.tile(NOISE, (2, 1, 1)), "b.png": b"text"}).pictures)
    assert (cost(0), cost(1)) == (24 * 16 * PIXEL, 0)
