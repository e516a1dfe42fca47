"""What a run of the tests left out, and why: lines for its end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from os.path import commonpath
from typing import Any

import pytest


def lines(reports: Iterable[pytest.TestReport | pytest.CollectReport]) -> list[str]:
    """One line a reason: how many tests, where they are, and what to do for them to run."""
    found: dict[str, list[Any]] = defaultdict(list)
    for report in reports:
        if isinstance(report.longrepr, tuple):
            found[report.longrepr[2].removeprefix("Skipped: ")].append(report)
    if not found:
        return ["left out: nothing"]
    return [_line(reason, skipped) for reason, skipped in sorted(found.items())]


def _line(reason: str, skipped: list[Any]) -> str:
    files = sorted({report.nodeid.partition("::")[0] for report in skipped})
    where = files[0] if len(files) == 1 else commonpath(files)
    tests = "1 test" if len(skipped) == 1 else f"{len(skipped)} tests"
    return f"left out: {tests} in {where}: {reason}"
