"""What a run of the tests costs: seconds of processor time, of all its processes."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

import pytest

from tests import warm

KEPT = Path(__file__).with_name("seconds.json")  # of each file, as `--keep-seconds` found them
NAME = "processor seconds"


def spent() -> float:
    """By this process, by those that it has waited for, and by the one that forks, with its own."""
    return sum(os.times()[:4]) + (_of(warm.server()) if warm.server() else 0.0)


def _of(process: str | None) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


class Watch:
    """A pytest plugin: each report gets what its test spent; `line` says the sum."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.before = 0.0  # what was spent up to the last report
        self.workers = 0.0  # by those of pytest-xdist

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        now = spent()
        report.user_properties.append((NAME, now - self.before))
        self.before = now
        return report

    def pytest_collection_finish(self) -> None:
        self.before = spent()

    def pytest_sessionfinish(self) -> None:
        if hasattr(self.config, "workeroutput"):
            self.config.workeroutput[NAME] = spent()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        self.workers += getattr(node, "workeroutput", {}).get(NAME, 0.0)

    def line(self, reports: Iterable[Any]) -> str:
        """For the end of the run. Keeps the files' seconds where `--keep-seconds` is given."""
        files = by_file(reports)
        total = sum(os.times()[:2]) + self.workers if self.workers else spent()
        if self.config.getoption("keep_seconds"):
            kept = {file: round(seconds, 1) for file, seconds in files.most_common()}
            KEPT.write_text(json.dumps(kept, indent=0) + "\n")
        dearest = ", ".join(f"{file} {seconds:.0f}" for file, seconds in files.most_common(5))
        return f"processor time: {total:.0f} s; most in {dearest}"


def by_file(reports: Iterable[Any]) -> Counter[str]:
    """Seconds of each test file, from the reports of its tests."""
    found: Counter[str] = Counter()
    for report in reports:
        for name, value in getattr(report, "user_properties", []):
            if name == NAME:
                found[report.nodeid.partition("::")[0]] += value
    return found


def longest_first(items: list[pytest.Item]) -> None:
    """Files in the order of what they last took, so that no process is left with a long one at the end."""
    kept: dict[str, float] = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    items.sort(key=lambda item: -kept.get(item.nodeid.partition("::")[0], 0.0))
