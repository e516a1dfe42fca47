from pathlib import Path

import pytest

from kakera.data.dataset import FilePictures
from kakera.data.media import files_below, is_sound, of_one_kind, opened
from kakera.data.sounds import FileSounds

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


def test_what_is_of_the_other_kind_is_left_out() -> None:
    songs = [Path("a.wav"), Path("b.ogg"), Path("cover.png")]
    assert of_one_kind(songs) == songs[:2]
    assert of_one_kind([*songs, Path("1.jpg"), Path("2.jpg")]) == [songs[2], Path("1.jpg"), Path("2.jpg")]


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
