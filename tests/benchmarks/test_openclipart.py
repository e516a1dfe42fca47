from pathlib import Path

from tests.benchmarks.programs import benchmark


def source(folder: Path) -> Path:
    """Three categories: of 3, 7 and 1 files, one of them in a sub-folder, one a link; and an unsorted one."""
    for name in [
        "a/1",
        "a/2",
        "a/deep/3",
        *(f"b/{n}" for n in range(7)),
        "c/1",
        *(f"unsorted/{n}" for n in "123"),
    ]:
        path = folder / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (folder / "a" / "link.png").symlink_to(folder / "a" / "1.png")
    (folder / "a" / "note.txt").write_text("no picture")
    return folder


def test_each_category_of_enough_files_becomes_a_folder(tmp_path: Path) -> None:
    target = tmp_path / "pictures"
    counts = benchmark("openclipart").main(source(tmp_path / "png"), target, fewest=3, most=5)
    assert counts == {"a": 3, "b": 5}
    assert sorted(path.name for path in target.iterdir()) == ["a", "b"]
    assert {path.name: path.read_text() for path in (target / "a").iterdir()} == {
        "1.png": "a/1",
        "2.png": "a/2",
        "deep-3.png": "a/deep/3",
    }


def test_of_a_large_category_evenly_spaced_files_are_copied(tmp_path: Path) -> None:
    benchmark("openclipart").main(source(tmp_path / "png"), tmp_path / "pictures", fewest=7, most=4)
    assert sorted(path.name for path in (tmp_path / "pictures" / "b").iterdir()) == [
        "0.png",
        "1.png",
        "3.png",
        "5.png",
    ]
