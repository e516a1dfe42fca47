"""Attacks on a real server, a tenth of what `make siege` does."""

from pathlib import Path

import pytest

from tests.web.runs import three_runs
from tests.web.siege import besieged

pytestmark = pytest.mark.slow


@pytest.mark.timeout(300)
def test_under_siege_others_are_answered_and_memory_comes_back(tmp_path: Path) -> None:
    found = besieged(three_runs(tmp_path)[:2], scale=0.1)
    for name in ("idle", "slow headers", "half bodies", "many keys", "malformed", "36 megapixels"):
        assert found[name]["95 %, ms"] < 500, found
        assert not [status for status in found[name]["statuses"] if status >= "500"], found
    assert sum(found["malformed"]["statuses"].values()) == 2_000
    assert "0" not in found["malformed"]["statuses"]
    before, after = found["MB before, after"]
    assert after - before < 150, found
    assert found["exit code"] == 0
    assert found["seconds to end"] < 3, found
