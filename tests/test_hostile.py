"""Damaged files: none crashes, hangs or fills the memory, and each is refused by name."""

import random

import pytest

from tests import warm
from tests.hostile import mutated

COUNTS = {"hostile": 240, "hostile_fields": 240}  # 20 of each kind; `make fuzz` reads 2000


@pytest.mark.parametrize(("module", "count"), COUNTS.items(), ids=COUNTS)
def test_damaged_files_are_read_or_refused_by_name(module: str, count: int) -> None:
    done = warm.run(f"tests.{module}", "--count", count, what=warm.module)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == f"{count} files, 0 failures"
    assert "refused" in done.stdout


def test_a_file_of_a_number_is_always_the_same() -> None:
    content = bytes(range(200))
    made = [mutated(content, random.Random("0/7")) for _ in range(2)]
    assert made[0] == made[1] != content
