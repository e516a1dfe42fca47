"""Killed at 50 random instants, some of them in a save: in the end the weights are the same, bit for bit."""

import json

import pytest

from tests import warm

pytestmark = pytest.mark.slow

KILLS = 50


@pytest.mark.timeout(1200)
def test_fifty_kills_change_nothing() -> None:
    done = warm.run("tests.training.kills", "--times", KILLS, what=warm.module)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["kills"] == KILLS
    assert found["in a save"] > 5
    assert found["runs"] == found["alike"] > 0
