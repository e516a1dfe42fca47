"""What was assumed of weights is printed once for a source, and not by processes that follow."""

from dataclasses import replace

import pytest

from kakera.training import notes
from kakera.training.notes import noted
from tests.formats.test_inference import classifier

NOTES = ("square pictures assumed", "warning: positions all alike")


def test_notes_are_printed_once_with_warnings_first(capsys: pytest.CaptureFixture[str]) -> None:
    saved = replace(classifier(), notes=NOTES)
    for _ in range(2):
        assert noted(saved, "a.pth") is saved
    out, err = capsys.readouterr()
    assert (out, err) == ("", "kakera: a.pth: warning: positions all alike; square pictures assumed\n")
    noted(saved, "b.pth")
    assert capsys.readouterr().err.startswith("kakera: b.pth: ")


def test_without_notes_and_in_processes_that_follow_nothing_is_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    noted(classifier(), "c.pth")
    monkeypatch.setattr(notes, "is_follower", lambda: True)
    noted(replace(classifier(), notes=NOTES), "d.pth")
    assert capsys.readouterr() == ("", "")
