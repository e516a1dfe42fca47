from pathlib import Path

import numpy as np

from kakera.data.preload.preload import preload
from kakera.data.sources.open import open_dataset
from kakera.formats.tokens.keys import file_keys
from tests.small import folder
from tests.training.songs import songs


def test_a_key_is_the_content_and_not_the_name_the_place_or_the_label(tmp_path: Path) -> None:
    before = {*file_keys(open_dataset(folder(tmp_path / "one")))}
    moved = tmp_path / "two" / "other"
    moved.parent.mkdir()
    (tmp_path / "one" / "bag").rename(moved)
    after = file_keys(open_dataset(tmp_path / "two"))
    assert len(after) == 12
    assert {*after} < before


def test_one_changed_byte_changes_the_key(tmp_path: Path) -> None:
    data = open_dataset(folder(tmp_path / "one"))
    before = file_keys(data)
    path = Path(data.pictures.name(3))
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)
    after = file_keys(data)
    assert [row for row in range(len(data)) if before[row] != after[row]] == [3]


def test_decoded_pictures_have_the_keys_of_their_files(tmp_path: Path) -> None:
    data = open_dataset(folder(tmp_path / "one", side=70))
    assert file_keys(preload(data, 1 << 30, shorter=28, size=None)) == file_keys(data)


def test_a_missing_file_has_no_key(tmp_path: Path) -> None:
    data = open_dataset(folder(tmp_path / "one"))
    Path(data.pictures.name(0)).unlink()
    assert file_keys(data)[0] == b""
    assert all(file_keys(data)[1:])


def test_recordings_have_a_key_of_their_bytes(tmp_path: Path) -> None:
    songs(tmp_path)
    data = open_dataset(tmp_path)
    keys = file_keys(data)
    assert len({*keys}) == len(data)
    assert file_keys(data.take(np.arange(len(data))[::-1])) == keys[::-1]
