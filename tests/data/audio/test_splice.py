import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kakera.data.audio.source import Content, opened
from kakera.data.audio.splice import Splice

CONTENT = bytes(range(200))
PARTS = [b"abc", (10, 50), b"", (0, 5), (199, 200), b"z"]
WHOLE = b"abc" + CONTENT[10:50] + CONTENT[:5] + CONTENT[199:] + b"z"


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=8))
def test_it_is_read_anywhere_as_the_parts_joined(steps: list[tuple[int, int]]) -> None:
    with opened(Splice(CONTENT, PARTS)) as file:
        assert file.seek(0, os.SEEK_END) == len(WHOLE)
        for place, count in steps:
            file.seek(place)
            assert file.read(count) == WHOLE[place : place + count]


@pytest.mark.parametrize("kind", ["path", "bytes", "stored"])
def test_any_source_can_be_taken_apart(kind: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(CONTENT)
    source = {"path": tmp_path / "a", "bytes": CONTENT, "stored": Content(CONTENT, "name")}[kind]
    with opened(Splice(source, PARTS)) as file:
        assert file.read() == WHOLE
    assert (
        str(Splice(source, PARTS))
        == {"path": str(tmp_path / "a"), "bytes": "recording", "stored": "name"}[kind]
    )
