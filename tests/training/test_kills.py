"""Killed at 50 random instants, some of them in a save: in the end the weights are the same, bit for bit."""

import json
import os
import subprocess
import sys

import pytest

KILLS = 50


@pytest.mark.timeout(1200)
def test_fifty_kills_change_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.training.kills", "--times", str(KILLS)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["kills"] == KILLS
    assert found["in a save"] > 5
    assert found["runs"] == found["alike"] > 0
