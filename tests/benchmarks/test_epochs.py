from pathlib import Path

import numpy as np
import pytest

from kakera.data.sources.open import open_dataset
from tests.benchmarks.programs import benchmark


@pytest.mark.parametrize(("limit", "before"), [(1 << 30, "in memory"), (0, "decoded each time by")])
def test_both_ways_learn_from_all_pictures_and_the_ratio_is_theirs(
    limit: int, before: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAKERA_CACHE", str(tmp_path / "cache"))
    module = benchmark("epochs")
    monkeypatch.setattr(module.os, "cpu_count", lambda: 1)
    data = open_dataset(module.photographs(tmp_path / "photographs", 6, (60, 80)))
    found = module.compare(data, rounds=1, image=16, patch=8, size="nano", limit=limit)
    assert found["pictures"] == 6
    assert found["before"].startswith(before)
    rates = found["pictures/s, the best"]
    assert found["after / before"] == [pytest.approx(rates["after"] / rates["before"])]
    assert f"{rates['after'] / rates['before']:.2f} x" in module.report(found)


def test_before_and_after_take_the_same_pictures_in_the_same_order(tmp_path: Path) -> None:
    module = benchmark("epochs")
    data = open_dataset(module.photographs(tmp_path, 6, (20, 30)))
    for one, other in zip(module.in_turns(data, 8, 2), module.ahead(data, 8, 2, 0), strict=True):
        assert one.epoch == 2
        assert np.array_equal(one.samples, other.samples)
        assert np.array_equal(one.pictures, other.pictures)
