"""Twelve random cases of a training that is stopped, its data or folder changed, and started again."""

import json

import pytest

from tests import warm

pytestmark = pytest.mark.slow


@pytest.mark.timeout(600)
def test_twelve_changes_are_refused_or_told_or_change_nothing() -> None:
    done = warm.run("tests.training.changes", "--cases", 12, what=warm.module)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert sum(found.values()) == 12
    assert len(found) > 3
