import io
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kakera.data.audio.source import ViewFile, opened

CONTENT = bytes(range(200))
STEPS = st.lists(
    st.tuples(st.just("read"), st.integers(0, 250))
    | st.tuples(st.sampled_from(["set", "cur", "end"]), st.integers(0, 250)),
    max_size=8,
)


@given(STEPS)
def test_a_view_is_read_as_the_same_bytes_in_a_file_are(steps: list[tuple[str, int]]) -> None:
    ours, theirs = ViewFile(memoryview(CONTENT)), io.BytesIO(CONTENT)
    for step, number in steps:
        if step == "read":
            assert ours.read(number) == theirs.read(number)
        else:
            whence = {"set": os.SEEK_SET, "cur": os.SEEK_CUR, "end": os.SEEK_END}[step]
            offset = -number // 2 if step == "end" else number
            if len(CONTENT) + offset >= 0:
                assert ours.seek(offset, whence) == theirs.seek(offset, whence)
        assert ours.tell() == theirs.tell()


def test_before_the_beginning_is_the_beginning() -> None:
    assert ViewFile(memoryview(CONTENT)).seek(-5) == 0


def test_a_path_and_bytes_open_to_the_same(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(CONTENT)
    for source in (tmp_path / "a", CONTENT):
        with opened(source) as file:
            assert file.read() == CONTENT


def test_a_path_that_is_not_there_is_the_system_s_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        opened(tmp_path / "no")
