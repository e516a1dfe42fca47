"""A large tree is listed once: the next command reads only the folders that changed."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kakera.data.checks import digest as digest_module
from kakera.data.checks.digest import digest
from kakera.data.folders import listing
from kakera.data.folders.tree import tree
from kakera.data.sources.open import open_dataset
from tests.small import folder

PAST = time.time() - 3600


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The folders that were read; lists are kept on disk from two files on."""
    read: list[str] = []
    scandir = os.scandir

    def noted(path: str) -> object:
        read.extend([str(path)] * ("cache" not in str(path)))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", noted)
    monkeypatch.setattr(listing, "LARGE", 2)
    monkeypatch.setenv("KAKERA_CACHE", str(tmp_path / "cache"))
    listing._held.clear()
    yield read
    listing._held.clear()


def put(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    settle(root)


def settle(root: Path) -> None:
    """Let all folders have changed an hour ago."""
    for path, *_ in os.walk(root):
        os.utime(path, (PAST, PAST))


def listed(root: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What another process finds an hour from now."""
    listing._held.clear()
    with monkeypatch.context() as later:
        now = time.time()
        later.setattr(time, "time", lambda: now + 3600)
        return sorted(tree(root).names)


def test_a_tree_that_did_not_change_is_not_read_again(
    tmp_path: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "d"
    put(root, "a/1", "a/2", "b/c/3", "b/.hidden")
    before = listed(root, monkeypatch)
    assert before == ["a/1", "a/2", "b/c/3"]
    opened.clear()
    assert listed(root, monkeypatch) == before
    assert not opened
    assert tree(root).hidden == ["b/.hidden"]


def test_only_folders_that_changed_are_read_again(
    tmp_path: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "d"
    put(root, "a/1", "a/2", "b/c/3", "b/4")
    listed(root, monkeypatch)
    (root / "a" / "5").touch()
    (root / "b" / "c").rename(root / "b" / "e")
    opened.clear()
    assert listed(root, monkeypatch) == ["a/1", "a/2", "a/5", "b/4", "b/e/3"]
    assert sorted(Path(name).relative_to(root).as_posix() for name in opened) == ["a", "b", "b/e"]


def test_a_folder_that_changes_while_it_is_listed_is_read_again(
    tmp_path: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "d", "1", "2", "3")
    sorted(tree(tmp_path / "d").names)  # just made: a change within the clock's grain would not show
    opened.clear()
    sorted(tree(tmp_path / "d").names)
    assert len(opened) == 1


def test_what_links_lead_to_is_looked_up_each_time(
    tmp_path: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "d"
    put(root, "a/1", "b/2")
    (root / "a" / "0").symlink_to(tmp_path / "target")
    settle(root)
    assert listed(root, monkeypatch) == ["a/0", "a/1", "b/2"]  # dangling
    put(tmp_path / "target", "inside")
    assert listed(root, monkeypatch) == ["a/0/inside", "a/1", "b/2"]


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"version": 1}', '{"version": 0, "root": "", "folders": {}}']
)
def test_a_damaged_list_is_made_anew(
    content: str, tmp_path: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "d"
    put(root, "a/1", "b/2")
    before = listed(root, monkeypatch)
    (kept,) = [
        path for path in listing.cache_folder().glob("listings/*.json") if str(root) in path.read_text()
    ]
    kept.write_text(content)
    assert listed(root, monkeypatch) == before


def test_a_cache_that_cannot_be_written_costs_time_alone(
    tmp_path: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "d", "a/1", "b/2")
    (tmp_path / "file").touch()
    monkeypatch.setenv("KAKERA_CACHE", str(tmp_path / "file" / "cache"))
    assert listed(tmp_path / "d", monkeypatch) == ["a/1", "b/2"]


def test_a_few_lists_are_kept_on_disk(
    tmp_path: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(listing.MOST + 3):
        put(tmp_path / f"d{number}", "a/1", "b/2")
        listed(tmp_path / f"d{number}", monkeypatch)
    assert len([*(tmp_path / "cache" / "listings").iterdir()]) == listing.MOST


@pytest.mark.parametrize(
    ("kind", "kept"), [("ext4", True), ("fuse.mountpoint-s3", False), ("9p", False), ("", False)]
)
def test_lists_are_kept_where_folders_keep_their_times(kind: str, kept: bool, tmp_path: Path) -> None:
    device = tmp_path.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    lines = ["29 1 0:99 / /other rw - proc proc rw", f"30 1 {number} / / rw shared:1 - {kind} /dev/x rw"]
    (tmp_path / "mountinfo").write_text("\n".join(lines[: 2 if kind else 1]))
    assert listing.kept_device(tmp_path, tmp_path / "mountinfo") == (device if kept else None)
    assert listing.kept_device(tmp_path, tmp_path / "none") is None


def test_what_lies_on_another_file_system_is_read_each_time(
    tmp_path: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "d", "a/1", "b/2")
    monkeypatch.setattr(listing, "kept_device", lambda root: None)
    listed(tmp_path / "d", monkeypatch)
    opened.clear()
    assert listed(tmp_path / "d", monkeypatch) == ["a/1", "b/2"]
    assert len(opened) == 3


def digest_of(root: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    listed(root, monkeypatch)
    with monkeypatch.context() as later:
        now = time.time()
        later.setattr(time, "time", lambda: now + 3600)
        return digest(open_dataset(root))["files"]


def test_the_digest_of_a_large_folder_is_made_once_and_again_where_something_changed(
    tmp_path: Path, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "d"
    folder(root, count=3)
    settle(root)
    plain = digest(open_dataset(root))["files"]
    monkeypatch.setattr(digest_module, "LARGE", 2)
    assert digest_of(root, monkeypatch) == plain
    monkeypatch.setattr(digest_module, "_files", lambda dataset: iter([b"not asked for"]))
    assert digest_of(root, monkeypatch) == plain
    (root / "bag" / "0.png").write_bytes((root / "bag" / "1.png").read_bytes())  # no folder's time tells
    assert digest_of(root, monkeypatch) != plain
    folder(tmp_path / "e", count=3)
    (root / "bag" / "0.png").write_bytes((tmp_path / "e" / "bag" / "0.png").read_bytes())
    assert digest_of(root, monkeypatch) == plain
    (root / "bag" / "9.png").touch()
    assert digest_of(root, monkeypatch) != plain
