"""A folder that is written whole or not at all."""

from pathlib import Path

import pytest

from kakera.errors import RunError, StorageError
from kakera.formats.folder import require_free, write_folder


def test_all_files_are_there_and_nothing_else(tmp_path: Path) -> None:
    write_folder(tmp_path / "deep" / "out", {"a": b"1", "b": b"2"})
    assert {path.name: path.read_bytes() for path in (tmp_path / "deep" / "out").iterdir()} == {
        "a": b"1",
        "b": b"2",
    }
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["out"]


def test_an_empty_folder_is_a_free_place(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    write_folder(tmp_path / "out", {"a": b"1"})
    assert (tmp_path / "out" / "a").read_bytes() == b"1"


@pytest.mark.parametrize("kind", ["file", "full folder", "link to nothing"])
def test_what_is_in_its_place_is_left_alone(kind: str, tmp_path: Path) -> None:
    place = tmp_path / "out"
    if kind == "file":
        place.write_bytes(b"mine")
    elif kind == "full folder":
        place.mkdir()
        (place / "mine").write_bytes(b"mine")
    else:
        place.symlink_to(tmp_path / "nowhere")
    before = sorted(tmp_path.rglob("*"))
    for attempt in (require_free, lambda folder: write_folder(folder, {"a": b"1"})):
        with pytest.raises(RunError, match="a path that already exists"):
            attempt(place)
    assert sorted(tmp_path.rglob("*")) == before


def test_nothing_is_left_of_a_folder_that_could_not_be_written(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="expected room to write"):
        write_folder(tmp_path / "out", {"fine": b"1", "no/such/folder": b"2"})
    assert not list(tmp_path.iterdir())


def test_a_file_where_a_folder_should_be_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises((RunError, StorageError)) as caught:
        write_folder(tmp_path / "file" / "out", {"a": b"1"})
    assert "\n" not in str(caught.value)
