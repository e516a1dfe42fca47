"""Threads sleep while they wait where other programs hold the cores; what is computed stays the same."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info

from kakera import contention
from kakera.contention import (
    SecondTeam,
    one_blas_thread,
    seconds_without_a_core,
    threads_by_quota,
    waits_by_load,
)
from kakera.machine import granted_cores

TEAM = "kakera second team"
linux = pytest.mark.skipif(
    not Path("/proc/self/schedstat").exists(), reason="/proc/self/schedstat is Linux's"
)


@pytest.fixture
def every_core() -> object:
    before = torch.get_num_threads()
    torch.set_num_threads(granted_cores())
    if granted_cores() < 2:
        pytest.skip("needs two cores")
    yield
    torch.set_num_threads(before)


def pauses(seconds: float) -> float:
    """Processor time of short parallel work with pauses between: threads that wait awake use the pauses."""
    numbers, began, used = torch.zeros(1 << 18), time.monotonic(), time.process_time()
    while time.monotonic() - began < seconds:
        numbers.add_(1)
        time.sleep(0.0005)
    return time.process_time() - used


def until(true: Callable[[], bool], seconds: float = 20.0) -> bool:
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if true():
            return True
        torch.zeros(1 << 18).add_(1)
    return False


def has_team() -> bool:
    return any(thread.name == TEAM for thread in threading.enumerate())


def test_waits_are_summed_over_threads_and_those_that_ended_are_left_out(tmp_path: Path) -> None:
    for name, text in (("1", "5 2000000000 3"), ("2", "1 500000000 1"), ("3", ""), ("4", None)):
        (tmp_path / name).mkdir()
        if text is not None:
            (tmp_path / name / "schedstat").write_text(text)
    assert seconds_without_a_core(tmp_path) == 2.5


def test_a_system_that_does_not_say_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert seconds_without_a_core(tmp_path / "none") is None
    assert seconds_without_a_core(tmp_path) is None
    monkeypatch.setattr(contention, "seconds_without_a_core", lambda: None)
    with waits_by_load():
        assert not any(thread.name == "kakera contention" for thread in threading.enumerate())


@linux
@pytest.mark.usefixtures("every_core")
def test_a_second_team_puts_waiting_threads_to_sleep() -> None:
    awake = pauses(1.0)
    team = SecondTeam()
    asleep = pauses(1.0)
    team.end()
    assert asleep < awake / 1.5


@linux
@pytest.mark.usefixtures("every_core")
def test_products_are_the_same_bit_for_bit() -> None:
    a = torch.randn(300, 300, generator=torch.Generator().manual_seed(0))
    alone = a @ a
    team = SecondTeam()
    assert torch.equal(alone, a @ a)
    team.end()


@linux
@pytest.mark.usefixtures("every_core")
def test_threads_sleep_where_others_hold_the_cores() -> None:
    words = [sys.executable, "-c", "while True: pass"]
    others = [subprocess.Popen(words) for _ in range(2 * granted_cores())]
    try:
        with waits_by_load():
            assert until(has_team)
    finally:
        for other in others:
            other.kill()
            other.wait()


@linux
@pytest.mark.usefixtures("every_core")
def test_threads_are_awake_again_once_they_wait_for_no_core(monkeypatch: pytest.MonkeyPatch) -> None:
    waits = {"share": 0.5, "seconds": 0.0}

    def waited() -> float:
        waits["seconds"] += waits["share"] * contention.LOOK
        return waits["seconds"]

    monkeypatch.setattr(contention, "LOOK", 0.02)
    monkeypatch.setattr(contention, "seconds_without_a_core", waited)
    with waits_by_load():
        assert until(has_team)
        waits["share"] = 0.2  # neither much nor little: it stays as it is
        time.sleep(0.2)
        assert has_team()
        waits["share"] = 0.0
        assert until(lambda: not has_team())


@linux
def test_the_watch_ends_with_what_it_watches() -> None:
    with waits_by_load():
        assert any(thread.name == "kakera contention" for thread in threading.enumerate())
    ends = time.monotonic() + 10
    while any(thread.name == "kakera contention" for thread in threading.enumerate()):
        assert time.monotonic() < ends
        time.sleep(0.01)


def test_small_matrices_are_given_one_blas_thread_and_large_ones_all() -> None:
    def blas() -> list[int]:
        return [each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"]

    np.zeros((2, 2)) @ np.zeros((2, 2))
    before = blas()
    with one_blas_thread(1000):
        assert set(blas()) == {1}
    assert blas() == before
    with one_blas_thread(contention.FEW + 1):
        assert blas() == before


def test_a_container_that_gives_little_time_gets_as_many_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(contention, "granted_cores", lambda: 64)
    monkeypatch.setattr(contention, "usable_cores", lambda: 3)
    threads_by_quota()
    assert os.environ["OMP_NUM_THREADS"] == "3"
    monkeypatch.setattr(contention, "usable_cores", lambda: 2)
    threads_by_quota()  # what is set stays
    assert os.environ["OMP_NUM_THREADS"] == "3"


def test_a_machine_without_a_limit_keeps_its_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(contention, "usable_cores", granted_cores)
    threads_by_quota()
    assert "OMP_NUM_THREADS" not in os.environ
