"""Skipped files in words."""

import pytest

from kakera.data.checks.findings import skipped_words

BROKEN, LARGE = (
    "got a damaged picture (x), expected an undamaged one",
    "got 20000 x 10000 pixels, expected at most 1",
)


@pytest.mark.parametrize(
    ("reasons", "words"),
    [
        ([], ""),
        ([BROKEN], "1 unreadable file"),
        ([BROKEN, BROKEN], "2 unreadable files"),
        ([LARGE], "1 file too large, above 100 megapixels"),
        ([LARGE, LARGE], "2 files too large, above 100 megapixels"),
        ([LARGE, BROKEN, BROKEN], "2 unreadable files and 1 too large, above 100 megapixels"),
    ],
)
def test_files_that_are_too_large_are_counted_apart(reasons: list[str], words: str) -> None:
    assert skipped_words(reasons) == words
