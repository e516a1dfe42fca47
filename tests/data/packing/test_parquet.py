import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

import kakera
from kakera.data.dataset import Dataset
from kakera.data.packing.pack import pack
from kakera.data.sources.open import open_dataset, open_source
from kakera.errors import DataError, OptionError
from tests.small import folder, pictures
from tests.training.songs import songs


def require_same(found: Dataset, expected: Dataset) -> None:
    assert found.classes == expected.classes
    assert found.split.tolist() == expected.split.tolist()
    np.testing.assert_array_equal(found.labels, expected.labels)
    for row in range(len(expected)):
        np.testing.assert_array_equal(found.pictures.read(row), expected.pictures.read(row))


def test_a_class_folder_comes_back_with_its_bytes_and_its_split(tmp_path: Path) -> None:
    source = open_dataset(folder(tmp_path / "classes", count=20))
    result = pack(folder_of(source), tmp_path / "out", to="parquet", shard_size=15)
    assert [path.name for path in sorted((tmp_path / "out" / "data").iterdir())] == [
        f"train-{number:05d}-of-00003.parquet" for number in range(3)
    ]
    assert result.lines()[0].startswith(f"{tmp_path / 'out'}: 40 pictures in 3 Parquet files, ")
    require_same(open_dataset(tmp_path / "out"), source)
    rows = pq.read_table(tmp_path / "out" / "data" / "train-00000-of-00003.parquet")["image"].to_pylist()
    assert [row["bytes"] for row in rows] == [Path(path).read_bytes() for path in source.pictures.paths[:15]]
    assert rows[0]["path"] == "bag/0.png"


def folder_of(source: Dataset) -> str:
    return source.name


def test_arrays_become_png_and_parts_become_files(tmp_path: Path) -> None:
    source = pictures(30, 10)
    pack(source, tmp_path / "out", to="parquet")
    names = sorted(path.name for path in (tmp_path / "out" / "data").iterdir())
    assert names == ["test-00000-of-00001.parquet", "train-00000-of-00001.parquet"]
    require_same(open_dataset(tmp_path / "out"), source)


def test_recordings_come_back(tmp_path: Path) -> None:
    source = open_dataset(songs(tmp_path / "songs", count=4))
    pack(source.name, tmp_path / "out", to="parquet")
    require_same(open_dataset(tmp_path / "out"), source)


@pytest.mark.parametrize("kind", ["several", "numbers", "none"])
def test_other_labels_come_back(tmp_path: Path, kind: str) -> None:
    source = open_dataset(folder(tmp_path / "classes", count=4))
    random = np.random.default_rng(0)
    labels: Any = {"several": random.random((8, 2)) > 0.4, "numbers": random.normal(size=8), "none": None}[
        kind
    ]
    classes = source.classes if kind == "several" else ()
    other = Dataset("x", source.pictures, 3, source.split, classes, labels)
    pack(other, tmp_path / "out", to="parquet")
    options: dict[str, Any] = {"task": "regression", "target_column": "target"} if kind == "numbers" else {}
    found = open_dataset(tmp_path / "out", **options)
    order = [split for part in ("train", "val", "test") for split in np.flatnonzero(source.split == part)]
    assert (found.labels is None) == (kind == "none")
    if labels is not None:
        np.testing.assert_array_equal(found.labels, other.take(order).labels)


def test_the_description_is_that_of_datasets(tmp_path: Path) -> None:
    """Form of datasets 5.2.0, which reads the folder with names and pictures (tried by hand)."""
    source = open_dataset(folder(tmp_path / "classes", count=2))
    pack(source, tmp_path / "out", to="parquet")
    schema = pq.read_schema(next((tmp_path / "out" / "data").glob("train-*")))
    features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
    expected = {"image": {"_type": "Image"}, "label": {"names": ["bag", "boot"], "_type": "ClassLabel"}}
    assert features == expected


def test_an_interrupted_packing_goes_on_and_gives_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = folder(tmp_path / "classes", count=20)
    pack(source, tmp_path / "whole", to="parquet", shard_size=10)
    from kakera.data.packing import pack_tables

    real, calls = pack_tables.write_table, list[Path]()

    def stopped(job: Any, piece: Any, progress: Any) -> Any:
        if len(calls) == 2:
            raise KeyboardInterrupt
        calls.append(piece.path)
        return real(job, piece, progress)

    monkeypatch.setattr(pack_tables, "write_table", stopped)
    with pytest.raises(KeyboardInterrupt):
        pack(source, tmp_path / "out", to="parquet", shard_size=10)
    monkeypatch.undo()
    result = pack(source, tmp_path / "out", to="parquet", shard_size=10)
    assert (result.kept, result.shards) == (2, 4)
    for path in (tmp_path / "whole" / "data").iterdir():
        assert (tmp_path / "out" / "data" / path.name).read_bytes() == path.read_bytes()


def test_unreadable_files_are_left_out_and_named(tmp_path: Path) -> None:
    source = folder(tmp_path / "classes", count=6)
    (source / "bag" / "0.png").write_bytes(b"no picture")
    result = pack(source, tmp_path / "out", to="parquet")
    assert (result.count, len(result.unreadable)) == (11, 1)
    assert "0.png" in (tmp_path / "out" / "unreadable.csv").read_text()
    assert len(open_source(tmp_path / "out")[0]) == 11
    result = pack(source, tmp_path / "out", to="parquet")  # again: the same files are named
    assert (result.count, len(result.unreadable)) == (11, 1)
    for path in source.rglob("*.png"):
        path.write_bytes(b"no picture")
    with pytest.raises(DataError, match="unreadable files"):
        pack(source, tmp_path / "none", to="parquet")


def test_wrong_options_and_folders_are_refused(tmp_path: Path) -> None:
    source = folder(tmp_path / "classes", count=2)
    with pytest.raises(OptionError, match="--to: got csv, expected shards or parquet"):
        pack(source, tmp_path / "out", to="csv")  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="--store: got pixels with --to parquet"):
        pack(source, tmp_path / "out", to="parquet", store="pixels")
    with pytest.raises(OptionError, match="--side: got 64"):
        pack(source, tmp_path / "out", to="parquet", side=64)
    with pytest.raises(DataError, match="got a folder with other files"):
        pack(source, source, to="parquet")
    pack(source, tmp_path / "out", to="parquet")
    with pytest.raises(OptionError, match="got tables of other data or options"):
        pack(source, tmp_path / "out", to="parquet", shard_size=3)
    kakera.pack(source, tmp_path / "shards", workers=0)
    with pytest.raises(DataError, match="got a folder with other files"):
        pack(source, tmp_path / "shards", to="parquet")
