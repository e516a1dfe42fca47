import os
from pathlib import Path

from kakera.data.folders.tree import suffix_of, tree


def put(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


def test_all_files_are_listed_as_os_walk_lists_them(tmp_path: Path) -> None:
    put(tmp_path, "a", "b/c", "b/d/e.png", "f/g/h/i")
    walked = {
        Path(folder, name).relative_to(tmp_path).as_posix()
        for folder, _, names in os.walk(tmp_path)
        for name in names
    }
    assert set(tree(tmp_path).names) == walked
    assert tree(tmp_path).left() == []


def test_links_to_folders_are_followed_once_and_loops_are_noticed(tmp_path: Path) -> None:
    put(tmp_path, "store/x/1", "d/cat/2")
    root = tmp_path / "d"
    (root / "dog").symlink_to(tmp_path / "store")
    (root / "hound").symlink_to(root / "dog")
    (root / "cat" / "up").symlink_to(root)
    (root / "cat" / "self").symlink_to("self")
    found = tree(root)
    assert sorted(found.names) == ["cat/2", "cat/self", "dog/x/1"]
    assert sorted(found.again) == ["cat/up", "hound"]


def test_what_is_really_there_keeps_its_name_before_a_link_to_it(tmp_path: Path) -> None:
    put(tmp_path, "z/1")
    (tmp_path / "a").symlink_to("z")
    assert ([*tree(tmp_path).names], tree(tmp_path).again) == (["z/1"], ["a"])


def test_a_link_to_a_folder_around_one_that_is_read_gives_the_rest(tmp_path: Path) -> None:
    put(tmp_path, "all/new/1", "all/old/2")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "new").symlink_to(tmp_path / "all" / "new")
    (tmp_path / "d" / "zall").symlink_to(tmp_path / "all")
    found = tree(tmp_path / "d")
    assert sorted(found.names) == ["new/1", "zall/old/2"]
    assert found.again == ["zall/new"]


def test_links_to_files_and_dangling_links_are_files(tmp_path: Path) -> None:
    put(tmp_path, "a")
    (tmp_path / "b").symlink_to("a")
    (tmp_path / "c").symlink_to("nowhere")
    assert sorted(tree(tmp_path).names) == ["a", "b", "c"]


def test_pipes_and_links_to_them_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "p.png")
    (tmp_path / "q.png").symlink_to("p.png")
    found = tree(tmp_path)
    assert ([*found.names], sorted(found.odd)) == ([], ["p.png", "q.png"])
    why = "a pipe or a device, not a file"
    assert found.left() == [(f"{tmp_path}/p.png", why), (f"{tmp_path}/q.png", why)]


def test_hidden_names_are_counted_and_not_entered(tmp_path: Path) -> None:
    found = tree(put(tmp_path, ".git/x", "a/.b", "a/c"))
    assert ([*found.names], sorted(found.hidden)) == (["a/c"], [".git", "a/.b"])


def test_a_folder_that_cannot_be_opened_is_named(tmp_path: Path, monkeypatch: object) -> None:
    put(tmp_path, "shut/1", "open/2")
    scan = os.scandir

    def refuse(path: str) -> object:
        if path.endswith("shut"):
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = tree(tmp_path)
    assert ([*found.names], found.closed) == (["open/2"], ["shut"])


def test_the_suffix_is_what_pathlib_says() -> None:
    for name in ("a.PNG", "a/b.tar.gz", "a.b/c", "c.", ".hidden", "a/.x.png", "x"):
        expected = Path(name).suffix.lower()
        assert suffix_of(name) in (expected, expected + "." * name.endswith("."))
