"""A few of the thousands, by the encoders that are libraries."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks.valid_files import __main__ as valid_files
from benchmarks.valid_files import samples
from benchmarks.valid_files.comparison import compared
from benchmarks.valid_files.known import reason

pytest.importorskip("tifffile", reason="the package tifffile is not installed: pip install 'kakera[tiff]'")
pytest.importorskip("soundfile", reason="the package soundfile is not installed: pip install 'kakera[audio]'")
ALONE = [one for one in valid_files.settings(valid_files.LIBRARIES)[0] if one.opinion is None]


def test_files_by_libraries_have_the_values_that_were_written(tmp_path: Path) -> None:
    found = valid_files.tried(ALONE, 80, 1, tmp_path)
    assert [one for one in found["mismatches"] if not one["reason"]] == []
    assert found["files"] == 80
    assert {"Pillow", "tifffile", "libsndfile"} <= set(found["encoders"])


@pytest.mark.parametrize("encoder", ["Pillow", "libsndfile"])
def test_values_that_differ_are_a_mismatch(tmp_path: Path, encoder: str) -> None:
    setting = next(one for one in ALONE if one.encoder == encoder)

    def other(path: Path, rng: np.random.Generator) -> object:
        values = setting.write(path, rng)
        return (values[0], values[1] + 0.01) if isinstance(values, tuple) else values ^ 1

    found = compared(
        replace(setting, write=other), tmp_path / f"one{setting.suffix}", np.random.default_rng(0)
    )
    assert found is not None
    assert "at most" in found.difference


def test_a_known_reason_holds_up_to_its_difference() -> None:
    assert reason("lame (.mp3)", "0.01 at most at 24000 Hz", 0.01)
    assert not reason("lame (.mp3)", "0.5 at most at 24000 Hz", 0.5)


def test_a_pgm_file_is_parsed_as_it_was_written() -> None:
    values = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5000
    np.testing.assert_array_equal(samples.parsed(samples.pnm(values)), values)
