import time

import pytest

from kakera import duration
from tests.refusals import refused


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1800), ("2h", 7200), ("1h30m", 5400), ("2.5h", 9000), ("1d", 86400)],
)
def test_spans_are_read(text: str, seconds: float) -> None:
    assert duration.seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "2", "h", "soon", "-2h", "2h later", "0s", "2 h"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with refused("budget", got=repr(text), do="1h30m"):
        duration.seconds(text, "budget")
    with refused("time", got=repr(text), do="1h30m"):
        duration.seconds(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.44, "0.4 s"),
        (12.4, "12 s"),
        (99, "99 s"),
        (300, "5 min"),
        (5990, "1 h 40 min"),
        (12000, "3 h 20 min"),
    ],
)
def test_spans_are_written(seconds: float, text: str) -> None:
    assert duration.words(seconds) == text


def test_the_first_training_of_a_command_counts_from_the_command_s_beginning() -> None:
    with duration.command():
        begun = time.monotonic()
        time.sleep(0.02)
        assert duration.started() <= begun
        assert duration.started() > begun


def test_after_a_command_a_training_counts_from_now() -> None:
    with duration.command():
        begun = time.monotonic()
    assert duration.started() >= begun
