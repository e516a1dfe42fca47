import pickle
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from kakera.data.arrow import tables
from kakera.data.dataset import Dataset
from kakera.data.sources.open import open_dataset
from kakera.errors import DataError, MissingExtraError
from tests.data.arrow.written import described, parquet, rows_of, saved
from tests.small import folder


@pytest.fixture
def source(tmp_path: Path) -> Dataset:
    return open_dataset(folder(tmp_path / "classes", count=20))


def table_of(source: Dataset) -> pa.Table:
    return described(*rows_of(source), source.classes)


def damaged(path: Path) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"a": [1], "b": ["x"]}, r"got columns a \(int64\), b \(string\), expected one column of encoded"),
        ({"left": [b"x"], "right": [b"y"]}, "got encoded files in left, right, .*rename the column to image"),
        ({"image": pa.array([], pa.binary())}, "got no row, expected at least one"),
        ({"image": [b"x"], "label": [{"x": 1}]}, "column label: got dict, expected a text, a number"),
        ({"image": [b"x"], "label": [float("inf")]}, "column label: got inf, expected a finite number"),
        ({"image": [b"x"], "split": [0]}, "column split: got 0, expected train, val or test"),
    ],
)
def test_a_table_without_pictures_is_refused_in_one_line(
    tmp_path: Path, table: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        open_dataset(parquet(tmp_path / "one.parquet", pa.table(table)))


def test_two_columns_of_one_name_are_refused_in_one_line(tmp_path: Path) -> None:
    for names in (["image", "image", "label"], ["image", "label", "label"]):
        table = pa.Table.from_arrays([pa.array([b"x"]), pa.array([b"x"]), pa.array([b"x"])], names=names)
        with pytest.raises(DataError, match=f"got several columns {names[1]}, expected one column of each"):
            open_dataset(parquet(tmp_path / "one.parquet", table))


def test_a_column_that_is_called_an_image_but_has_no_bytes_is_refused_in_one_line(
    source: Dataset, tmp_path: Path
) -> None:
    metadata = table_of(source).schema.metadata
    for kind in (pa.array([{"path": "a.png"}]), pa.array(["a.png"])):
        table = pa.table({"image": kind, "label": [0]}).replace_schema_metadata(metadata)
        with pytest.raises(DataError, match=r"got columns image \(.*string.*\), label .*bytes and path"):
            open_dataset(parquet(tmp_path / "one.parquet", table))


def test_a_label_without_a_name_is_refused_in_one_line(source: Dataset, tmp_path: Path) -> None:
    table = table_of(source)
    texts = table.set_column(1, "label", pa.array(["fox"] * len(table)))
    with pytest.raises(DataError, match="one.parquet, column label: got fox, expected one of the named"):
        open_dataset(parquet(tmp_path / "one.parquet", texts))
    parquet(tmp_path / "mixed" / "train-0.parquet", table)
    parquet(tmp_path / "mixed" / "train-1.parquet", table.replace_schema_metadata())
    with pytest.raises(
        DataError, match=r"train-1.*got 0, expected one of .*\(the names in .*train-0.parquet"
    ):
        open_dataset(tmp_path / "mixed")


def test_what_is_damaged_or_ambiguous_is_refused_in_one_line(source: Dataset, tmp_path: Path) -> None:
    table = table_of(source)
    with pytest.raises(DataError, match="one.parquet: got no readable table"):
        open_dataset(damaged(parquet(tmp_path / "one.parquet", table)))
    for folder_name in ("small", "full"):
        parquet(tmp_path / "configs" / folder_name / "train-0.parquet", table)
    with pytest.raises(DataError, match="got the same parts in full, small, expected one data set; name one"):
        open_dataset(tmp_path / "configs")
    found = saved(tmp_path / "saved", table)
    (found / "data-00000-of-00001.arrow").unlink()
    with pytest.raises(DataError, match=r"\.arrow: got no readable table \(No such file"):
        open_dataset(found)
    (found / "state.json").write_text("[1")
    with pytest.raises(DataError, match=r"state\.json: got no readable JSON"):
        open_dataset(found)
    wrong = table.set_column(1, "label", pa.array([0, 7] * 20)).replace_schema_metadata(table.schema.metadata)
    with pytest.raises(DataError, match="column label: got 7, expected a number from 0 to 1"):
        open_dataset(parquet(tmp_path / "two.parquet", wrong))


def test_a_row_group_that_is_too_large_is_refused(
    source: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "MOST", 1000)
    with pytest.raises(DataError, match="got a row group of .*write it with a smaller row_group_size"):
        open_dataset(parquet(tmp_path / "one.parquet", table_of(source)))


def test_a_table_that_was_replaced_meanwhile_is_refused(source: Dataset, tmp_path: Path) -> None:
    opened = open_dataset(parquet(tmp_path / "one.parquet", table_of(source)))
    found = pickle.loads(pickle.dumps(opened))  # as in a process that has read nothing yet
    parquet(tmp_path / "one.parquet", table_of(source).slice(5))
    with pytest.raises(DataError, match="got another file than before"):
        found.pictures.read(30)


def test_without_pyarrow_one_line_says_what_to_install(
    source: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = parquet(tmp_path / "one.parquet", table_of(source))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'kakera\[parquet\]'"):
        open_dataset(path)
