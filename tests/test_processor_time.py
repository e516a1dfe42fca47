import json
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests import processor_time, warm

COUNT = "import time\nwhile time.process_time() < 0.3: pass"


def report(where: str, seconds: float) -> SimpleNamespace:
    return SimpleNamespace(nodeid=where, user_properties=[(processor_time.NAME, seconds)])


def test_a_file_costs_what_its_tests_cost() -> None:
    reports = [report("a.py::test_x", 1.0), report("b.py::test_y[1]", 2.0), report("a.py::test_z", 0.5)]
    assert processor_time.by_file([*reports, object()]) == {"a.py": 1.5, "b.py": 2.0}


def test_files_come_in_the_order_of_what_they_last_took(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor_time, "KEPT", tmp_path / "seconds.json")
    (tmp_path / "seconds.json").write_text(json.dumps({"long.py": 90.0, "short.py": 2.0}))
    names = ["new.py::test_a", "short.py::test_b", "long.py::test_c", "short.py::test_a"]
    items = [SimpleNamespace(nodeid=name) for name in names]
    processor_time.longest_first(items)  # type: ignore[arg-type]
    assert [item.nodeid for item in items] == [names[2], names[1], names[3], names[0]]


def test_what_a_process_computes_is_counted_when_it_has_ended() -> None:
    before = processor_time.spent()
    subprocess.run([sys.executable, "-c", COUNT], check=True)
    assert processor_time.spent() - before > 0.28


def count(words: Iterable[object]) -> None:
    began = time.process_time()
    while time.process_time() - began < 0.3:
        pass


def test_so_is_what_a_forked_one_computes() -> None:
    warm.run("--version")  # the imports of its server, if it is the first, are not what is counted
    before = processor_time.spent()
    warm.run(what=count, check=True)
    assert 0.28 < processor_time.spent() - before < 3
