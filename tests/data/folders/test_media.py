from pathlib import Path

import pytest

from kakera.data.audio.recordings import FileSounds
from kakera.data.folders.media import Kind, files_below, is_sound, kind_of, opened, other_kind
from kakera.data.holders import FilePictures
from kakera.data.names import natural

CASES = [
    ([], False),
    (["a.png"], False),
    (["a.wav"], True),
    (["a.WAV", "b.mp3", "cover.jpg"], True),
    (["a.wav", "b.png"], False),
    (["a", "b.wav", "c.flac"], True),
]


@pytest.mark.parametrize(("names", "sound"), CASES)
def test_the_kind_is_what_most_of_the_files_are(names: list[str], sound: bool) -> None:
    assert is_sound([Path(name) for name in names]) == sound


@pytest.mark.parametrize("asked", ["pictures", "recordings"])
def test_a_kind_that_is_asked_for_is_taken(asked: Kind) -> None:
    assert kind_of(["a.wav", "b.ogg", "cover.png"], asked) == asked


def test_what_is_of_the_other_kind_is_named_with_the_flag_that_takes_it() -> None:
    assert other_kind(["b10.wav", "b2.ogg", "cover.png", "notes.txt"], "pictures") == [
        ("b2.ogg", "use --kind recordings to read these"),
        ("b10.wav", "use --kind recordings to read these"),
    ]
    assert other_kind(["a.wav", "cover.png"], "recordings") == [
        ("cover.png", "use --kind pictures to read these")
    ]
    assert other_kind(["a.wav"], "recordings") == []


def test_no_two_names_are_equal_to_natural_order() -> None:
    names = ["1", "01", "001", "a1", "a01", "1\u0661", "\u00b2", "10\u00b2", "2" * 5000, "", "0", "00"]
    assert len({tuple(natural(name)) for name in names}) == len(names)
    assert sorted(sorted(names), key=natural) == sorted(sorted(names, reverse=True), key=natural)
    assert sorted(["10\u00b2", "9", "10"], key=natural) == ["9", "10", "10\u00b2"]
    assert sorted(["1" * 5000, "2" * 4999, "3"], key=natural) == ["3", "2" * 4999, "1" * 5000]


def test_files_below_are_in_natural_order_without_hidden_ones(tmp_path: Path) -> None:
    for name in ("b/10.wav", "b/9.wav", "a.FLAC", ".h.wav", ".c/d.wav", "e.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in files_below(tmp_path, {".wav", ".flac"})]
    assert found == ["a.FLAC", "b/9.wav", "b/10.wav"]


def test_recordings_have_one_channel_whatever_is_asked_for() -> None:
    sounds, channels = opened([Path("a.wav")], 3, [(1.0, 2.0)])
    assert isinstance(sounds, FileSounds)
    assert (channels, sounds.spans) == (1, [(1.0, 2.0)])
    pictures, channels = opened([Path("a.png")], 3)
    assert isinstance(pictures, FilePictures)
    assert channels == 3
