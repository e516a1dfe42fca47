import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import left_out

ROOT = Path(__file__).parents[1]


def skipped(where: str, reason: str) -> pytest.TestReport:
    longrepr = ("file.py", 1, f"Skipped: {reason}")
    return pytest.TestReport(where, (where, 1, ""), {}, "skipped", longrepr, "setup")


def test_tests_of_one_reason_are_one_line_with_what_to_do() -> None:
    reports = [
        skipped("tests/web/test_page.py::test_a", "no browser: apt install chromium"),
        skipped("tests/web/test_sound_page.py::test_b", "no browser: apt install chromium"),
        skipped("tests/gpu/test_gpu.py::test_c", "this machine has no GPU"),
    ]
    assert left_out.lines(reports) == [
        "left out: 2 tests in tests/web: no browser: apt install chromium",
        "left out: 1 test in tests/gpu/test_gpu.py: this machine has no GPU",
    ]


def test_where_all_ran_this_is_said() -> None:
    assert left_out.lines([]) == ["left out: nothing"]


def test_a_run_without_a_browser_ends_with_how_to_get_one() -> None:
    environment = {**os.environ, "PATH": "", "OMP_NUM_THREADS": "1"}
    environment.pop("KAKERA_BROWSER", None)
    words = ["-m", "pytest", "tests/web/test_sound_page.py", "-p", "no:cacheprovider", "-p", "no:xdist"]
    done = subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=True, env=environment
    )
    *_, said, closing = done.stdout.splitlines()
    assert said.startswith("left out: ")
    assert "tests in tests/web/test_sound_page.py: chromium, chromedriver not found" in said
    assert said.endswith("apt install chromium chromium-driver")
    assert " skipped in " in closing
