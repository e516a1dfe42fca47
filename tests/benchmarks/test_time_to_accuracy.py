"""The page on time to accuracy says what its JSON says."""

import json
import re
from typing import Any

import pytest

from benchmarks import time_to_accuracy

SETTING = {
    "data": "fashion-mnist",
    "recipe": "micro",
    "shared": {"patch": [4, 4]},
    "draws": 2,
}
SHAPE = {
    "kind": "pictures",
    "train": 60000,
    "test": 10000,
    "classes": 10,
    "input": [28, 28],
    "channels": 1,
    "patch": [4, 4],
    "width": 128,
    "depth": 4,
    "heads": 4,
    "decoder": [64, 1, 1],
    "reading_seconds": 1.5,
}


def point(contender: str, budget: float, seconds: float, few: float, many: float) -> dict[str, Any]:
    return {
        **SETTING,
        "contender": contender,
        "words": [],
        "versions": {contender: "1"},
        "budget": budget,
        "seed": 0,
        "seconds": seconds,
        "accuracies": {"100": [few - 1, few + 1], "1000": [many, many]},
    }


FOUND = {
    "benchmark": "time to accuracy",
    "machine": {
        "processor": "abacus",
        "instructions": "AVX2",
        "python": "3.11.2",
        "torch": "2.13.0",
        "day": "2026-01-01",
    },
    "quick": False,
    "settings": [{**SETTING, **SHAPE}],
    "paces": [],
    "points": [
        point("kakera", 60, 50.0, 60.0, 82.0),
        point("kakera", 240, 200.0, 70.0, 84.0),
        point("transformers", 60, 55.5, 55.0, 75.0),
        point("transformers", 240, 230.0, 65.0, 81.0),
    ],
}


def test_the_ratio_is_that_of_the_interpolated_time() -> None:
    # 65 % is half way between 60 % at 50 s and 70 % at 200 s: the geometric mean is 100 s.
    assert "| kakera | transformers: 65.00 % | 230.0 s | 100.0 s | **2.30 ×** |" in time_to_accuracy.page(
        FOUND
    )


def test_a_time_outside_of_the_points_is_not_given() -> None:
    text = time_to_accuracy.page(FOUND)
    assert "| kakera | transformers: 81.00 % | 230.0 s | before the first point |  |" in text


def test_every_point_is_a_row() -> None:
    rows = re.findall(r"\| (\S+) \| (\d+\.\d) \| (\d+\.\d\d) \|", time_to_accuracy.page(FOUND))
    assert ("transformers", "55.5", "75.00") in rows
    assert len(rows) == 8


@pytest.mark.skipif(not time_to_accuracy.FOUND.exists(), reason="no results are stored")
def test_the_page_in_the_repository_is_that_of_the_results() -> None:
    found = json.loads(time_to_accuracy.FOUND.read_text())
    assert not found["quick"]
    assert time_to_accuracy.PAGE.read_text() == time_to_accuracy.page(found)
