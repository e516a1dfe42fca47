"""An index on disk: as it was written, or refused in one line."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from kakera.errors import DataError, MissingExtraError
from kakera.retrieval.files import write_file
from kakera.retrieval.folder import open_index
from kakera.retrieval.index import PATCHES, Index, IndexInfo, empty_rows

INPUTS = {"channels": 1, "height": 8, "width": 8, "mean": [0.5], "std": [0.5]}


def index(count: int = 5, pool: str = "mean", seed: int = 0) -> Index:
    random = np.random.default_rng(seed)
    info = IndexInfo("0f", "runs/mae", "pictures", "/", "pictures", pool, False, INPUTS, (2, 3))
    rows = empty_rows(count) | {
        "file": np.array([f"a/{number} é.png" for number in range(count)]),
        "part": np.array(["train"] * count),
        "label": np.array(["", "cat", "dog|cat", "x", "y"][:count]),
        "columns": np.full(count, 3, np.int32),
        "key": random.integers(0, 256, (count, 16)).astype(np.uint8),
        "content": random.integers(0, 256, (count, 16)).astype(np.uint8),
    }
    shape = (count, 6, 4) if pool == PATCHES else (count, 4)
    return Index(info, rows, random.standard_normal(shape).astype(np.float32))


def same(one: Index, other: Index) -> None:
    assert one.info == other.info
    for name, values in one.rows.items():
        np.testing.assert_array_equal(values, other.rows[name], strict=name != "part")
    np.testing.assert_array_equal(one.vectors, other.vectors)


def damage(path: Path, written: Index) -> None:
    """Change one byte after another: the index is refused, or is as it was (a byte without meaning)."""
    whole, refused, meaningless = path.read_bytes(), 0, 0
    for place in range(0, len(whole), 47):
        content = bytearray(whole)
        content[place] ^= 1
        path.write_bytes(content)
        try:
            same(written, open_index(path))
        except DataError as error:
            refused += str(error).count("\n") == 0
        else:
            meaningless += 1
    assert refused + meaningless == len(range(0, len(whole), 47))
    assert refused > len(whole) / 47 / 3


@pytest.mark.parametrize("pool", ["mean", PATCHES])
def test_an_npz_file_holds_all_of_it_and_numpy_reads_it(pool: str, tmp_path: Path) -> None:
    written = index(pool=pool)
    write_file(tmp_path / "i.npz", written)
    same(written, open_index(tmp_path / "i.npz"))
    with np.load(tmp_path / "i.npz") as file:
        assert file["file"].tolist() == written.rows["file"].tolist()
        assert file["label"].tolist() == written.rows["label"].tolist()
        np.testing.assert_array_equal(file["vector"], written.vectors)


@pytest.mark.parametrize("pool", ["mean", PATCHES])
def test_a_parquet_file_holds_all_of_it(pool: str, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed: pip install pyarrow")
    written = index(pool=pool)
    write_file(tmp_path / "i.parquet", written)
    same(written, open_index(tmp_path / "i.parquet"))
    table = parquet.read_table(tmp_path / "i.parquet")
    assert table["file"].to_pylist() == written.rows["file"].tolist()
    assert table["start"].to_pylist() == [None] * 5
    np.testing.assert_array_equal(table["vector"].to_pylist(), written.vectors.reshape(5, -1))
    damage(tmp_path / "i.parquet", written)


def test_without_pyarrow_a_parquet_file_is_refused_with_the_extra_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'kakera\[parquet\]'"):
        write_file(tmp_path / "i.parquet", index())
    assert not [*tmp_path.iterdir()]


def test_a_byte_that_changed_is_found(tmp_path: Path) -> None:
    write_file(tmp_path / "i.npz", index())
    damage(tmp_path / "i.npz", index())


@pytest.mark.parametrize("length", [0, 1, 50, -100])
def test_a_file_that_is_cut_off_is_refused(length: int, tmp_path: Path) -> None:
    write_file(tmp_path / "i.npz", index())
    whole = (tmp_path / "i.npz").read_bytes()
    (tmp_path / "i.npz").write_bytes(whole[:length])
    with pytest.raises(DataError, match=r"i\.npz: got (a damaged index|another kind of file)"):
        open_index(tmp_path / "i.npz")


def test_vectors_that_are_not_finite_are_refused_with_their_file(tmp_path: Path) -> None:
    for value in (np.nan, np.inf):
        broken = index()
        broken.vectors[3, 1] = value
        write_file(tmp_path / "i.npz", broken)
        with pytest.raises(DataError, match=r"not finite \(a/3 é\.png\)"):
            open_index(tmp_path / "i.npz")


def test_other_files_are_refused_with_what_to_do(tmp_path: Path) -> None:
    np.savez(tmp_path / "plain.npz", vectors=np.ones((2, 3)))
    (tmp_path / "text.npz").write_text("no arrays")
    (tmp_path / "empty").mkdir()
    for name, words in (
        ("plain.npz", "got arrays without description, expected an index; write one with kakera embed"),
        ("text.npz", "got another kind of file, or one that is cut off, expected an index"),
        ("empty", r"got a folder without index\.json, expected an index"),
        ("nowhere", "got no such file or folder"),
    ):
        with pytest.raises(DataError, match=words):
            open_index(tmp_path / name)


def test_an_index_of_a_later_format_is_refused(tmp_path: Path) -> None:
    write_file(tmp_path / "i.npz", index())
    with np.load(tmp_path / "i.npz") as file:
        arrays = {name: file[name] for name in file.files}
    content = json.loads(str(arrays["kakera"])) | {"format": 99}
    with zipfile.ZipFile(tmp_path / "i.npz", "w") as whole:
        for name, values in (arrays | {"kakera": np.array(json.dumps(content))}).items():
            with whole.open(f"{name}.npy", "w") as part:
                np.lib.format.write_array(part, values)
    with pytest.raises(
        DataError, match="got an index of format 99, expected format 1; run kakera embed again"
    ):
        open_index(tmp_path / "i.npz")


def test_arrays_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    good = index()
    for change in ({"label": np.array(["a"])}, {"key": np.zeros((5, 3), np.uint8)}):
        write_file(tmp_path / "i.npz", Index(good.info, {**good.rows, **change}, good.vectors))
        with pytest.raises(DataError, match="its arrays do not fit together"):
            open_index(tmp_path / "i.npz")


def test_patches_of_padding_are_no_vectors() -> None:
    found = index(3, PATCHES)
    found.rows["columns"][:] = [3, 1, 2]
    vectors, starts, patches = found.all_vectors()
    assert starts is not None
    assert starts.tolist() == [0, 6, 8]
    assert patches.tolist() == [0, 1, 2, 3, 4, 5, 0, 3, 0, 1, 3, 4]
    np.testing.assert_array_equal(vectors[6:8], found.vectors[1, [0, 3]])
