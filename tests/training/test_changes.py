"""Twelve random cases of a training that is stopped, its data or folder changed, and started again."""

import json
import os
import subprocess
import sys

import pytest


@pytest.mark.timeout(600)
def test_twelve_changes_are_refused_or_told_or_change_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.training.changes", "--cases", "12"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert sum(found.values()) == 12
    assert len(found) > 3
