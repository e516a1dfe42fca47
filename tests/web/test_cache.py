import threading
import time

import pytest

from kakera.web.cache import Cache, Limiter
from kakera.web.errors import BusyError


def test_a_value_is_made_once_for_all_who_ask_at_the_same_time() -> None:
    memory, made = Cache(1000), list[int]()
    gate = threading.Barrier(8)

    def make() -> int:
        made.append(1)
        time.sleep(0.05)
        return 7

    def ask() -> None:
        gate.wait()
        found.append(memory.get("key", make, lambda _: 1))

    found: list[int] = []
    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [7] * 8
    assert made == [1]


def test_the_longest_unused_go_first() -> None:
    memory, made = Cache(2), list[str]()

    def ask(key: str) -> None:
        memory.get(key, lambda: made.append(key), lambda _: 1)

    for key in ("a", "b", "a", "c", "a", "b"):
        ask(key)
    assert made == ["a", "b", "c", "b"]


def test_an_error_is_not_kept() -> None:
    memory = Cache(10)
    with pytest.raises(ZeroDivisionError):
        memory.get("key", lambda: 1 // 0, lambda _: 1)
    assert memory.get("key", lambda: 3, lambda _: 1) == 3


def test_something_larger_than_the_limit_is_given_all_the_same() -> None:
    memory = Cache(10)
    assert memory.get("large", lambda: "x", lambda _: 100) == "x"
    assert memory.get("small", lambda: "y", lambda _: 1) == "y"


def test_whoever_waits_too_long_is_sent_away() -> None:
    turns = Limiter(patience_seconds=0.05, at_a_time=1)
    with turns.slot(), pytest.raises(BusyError), turns.slot():
        pass
    with turns.slot():
        pass
