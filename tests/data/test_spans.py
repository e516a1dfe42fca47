import numpy as np

from kakera.data.audio.decode import WHOLE
from kakera.data.audio.recordings import FileSounds, Spans
from kakera.sound.spec import SoundSpec

GIVEN = [(0.5, 2.0), WHOLE, (1.0, np.inf)]


def test_spans_are_the_list_that_they_were_made_of() -> None:
    found = Spans(np.array(GIVEN))
    assert [*found] == GIVEN
    assert [*found[::-1]] == GIVEN[::-1]
    assert [*found.take(np.array([2, 0]))] == [GIVEN[2], GIVEN[0]]
    assert found[1] == WHOLE
    assert np.array(found, "<f8").tobytes() == np.array(GIVEN, "<f8").tobytes()


def test_recordings_have_them_as_a_list() -> None:
    paths = [b"", b"", b""]
    one, other = (FileSounds(paths, SoundSpec(), spans) for spans in (GIVEN, Spans(np.array(GIVEN))))
    assert [one.name(row) for row in range(3)] == [other.name(row) for row in range(3)]
    assert [*other.take(np.array([1])).spans] == [WHOLE]
