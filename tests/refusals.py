"""How a refusal reads: one line, "subject: got …, expected …; what to do"."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kakera.errors import OptionError

FORM = re.compile(r"(?P<subject>[^:\n]+): got (?P<got>[^\n]+), expected (?P<expected>[^\n]+); (?P<do>[^\n]+)")


@contextmanager
def refused(subject: str, *, got: str = "", expected: str = "", do: str = "") -> Iterator[None]:
    """The body raises an OptionError in the house's form whose parts hold these words."""
    with pytest.raises(OptionError) as caught:
        yield
    said = FORM.fullmatch(str(caught.value))
    assert said is not None, str(caught.value)
    assert said["subject"] == subject
    for part, words in {"got": got, "expected": expected, "do": do}.items():
        assert words in said[part], str(caught.value)
