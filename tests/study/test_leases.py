import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kakera.study import leases
from kakera.study.leases import Leases


def test_what_is_held_cannot_be_taken(tmp_path: Path) -> None:
    claim = Leases(tmp_path).take("unit")
    assert claim is not None
    with claim:
        assert Leases(tmp_path).take("unit") is None
        assert Leases(tmp_path).take("other") is not None
    assert Leases(tmp_path).take("unit") is not None


def test_names_that_begin_alike_are_different(tmp_path: Path) -> None:
    assert Leases(tmp_path).take("pretrain-0.7") is not None
    assert Leases(tmp_path).take("pretrain-0") is not None
    assert Leases(tmp_path).take("pretrain-0.7") is None


def test_of_many_that_come_at_once_one_gets_it(tmp_path: Path) -> None:
    for round_ in range(20):
        with ThreadPoolExecutor(8) as pool:
            got = list(pool.map(lambda name: Leases(tmp_path).take(name), [f"unit-{round_}"] * 8))
        assert sum(claim is not None for claim in got) == 1


def dead_process() -> int:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    return done.pid


def test_the_claim_of_a_process_that_is_gone_is_free_at_once_and_once(tmp_path: Path) -> None:
    claim = Leases(tmp_path).take("unit")
    assert claim is not None
    content = json.loads(claim.path.read_text())
    claim.path.write_text(json.dumps({**content, "process": dead_process()}))
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda _: Leases(tmp_path).take("unit"), range(8)))
    assert sum(claim is not None for claim in got) == 1


def test_the_claim_of_another_machine_is_free_when_it_is_not_refreshed(tmp_path: Path) -> None:
    claim = Leases(tmp_path).take("unit")
    assert claim is not None
    content = json.loads(claim.path.read_text())
    claim.path.write_text(json.dumps({**content, "machine": "elsewhere", "process": dead_process()}))
    observer = Leases(tmp_path, dead=0.3)
    assert observer.take("unit") is None
    for _ in range(4):  # alive: its time of change moves on
        time.sleep(0.15)
        os.utime(claim.path)
        assert observer.take("unit") is None
    time.sleep(0.4)
    assert observer.take("unit") is not None


def test_a_holder_refreshes_its_claim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "BEAT", 0.02)
    claim = Leases(tmp_path).take("unit")
    assert claim is not None
    with claim:
        before = claim.path.stat().st_mtime_ns
        deadline = time.monotonic() + 10
        while claim.path.stat().st_mtime_ns == before:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_a_claim_is_given_back_when_work_fails(tmp_path: Path) -> None:
    claim = Leases(tmp_path).take("unit")
    assert claim is not None
    with pytest.raises(KeyboardInterrupt), claim:
        raise KeyboardInterrupt
    assert Leases(tmp_path).take("unit") is not None


def test_time_is_summed_over_attempts(tmp_path: Path) -> None:
    for _ in range(2):
        claim = Leases(tmp_path).take("unit")
        assert claim is not None
        with claim:
            time.sleep(0.2)
    assert 0.4 <= Leases(tmp_path).spent("unit") < 5
    assert Leases(tmp_path).spent("nothing") == 0.0
