from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pyarrow as pa
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError, RevisionNotFoundError

from kakera.data.dataset import Dataset
from kakera.data.sources.open import open_dataset
from kakera.errors import DataError, UnreadableFileError
from tests.data.arrow.written import ENCODED, described, parquet, rows_of
from tests.small import folder


@pytest.fixture
def source(tmp_path: Path) -> Dataset:
    return open_dataset(folder(tmp_path / "classes", count=6))


def hub(monkeypatch: pytest.MonkeyPatch, revisions: dict[str | None, Path]) -> list[dict[str, Any]]:
    """A hub without network, whose only data set has these revisions; what it is asked is returned."""
    asked = list[dict[str, Any]]()

    def give(name: str, **options: Any) -> str:
        asked.append({"name": name, **options})
        place = revisions.get(options["revision"])
        if place is None:
            raise LocalEntryNotFoundError("no network") if not revisions else missing()
        return str(place)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", give)
    return asked


def missing() -> RevisionNotFoundError:
    return RevisionNotFoundError.__new__(RevisionNotFoundError)


def test_a_name_on_the_hub_is_read_from_its_parquet(
    source: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = described(*rows_of(source), source.classes)
    parquet(tmp_path / "main" / "data" / "train-00000-of-00001.parquet", table)
    parquet(tmp_path / "main" / "data" / "test-00000-of-00001.parquet", table.slice(3))
    asked = hub(monkeypatch, {None: tmp_path / "main"})
    found = open_dataset("hf://datasets/someone/bags")
    assert (found.name, len(found.part("train")), len(found.part("test"))) == (
        "hf://datasets/someone/bags",
        12,
        9,
    )
    np.testing.assert_array_equal(found.pictures.read(11), source.pictures.read(11))
    assert asked == [
        {
            "name": "someone/bags",
            "repo_type": "dataset",
            "revision": None,
            "allow_patterns": ["*.parquet", "*.pq"],
        }
    ]


def test_other_formats_are_read_from_the_branch_that_the_hub_converts(
    source: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = described(*rows_of(source), source.classes)
    for name in ("default", "small"):
        parquet(tmp_path / "converted" / name / "train" / "0000.parquet", table)
        parquet(tmp_path / "converted" / name / "test" / "0000.parquet", table.slice(3))
    (tmp_path / "main").mkdir()
    hub(monkeypatch, {None: tmp_path / "main", "refs/convert/parquet": tmp_path / "converted"})
    with pytest.raises(DataError, match="got the same parts in default, small"):
        open_dataset("hf://datasets/someone/bags")
    found = open_dataset("hf://datasets/someone/bags/small")
    assert (len(found.part("train")), len(found.part("test"))) == (12, 9)


def test_a_table_from_the_hub_names_no_file_of_this_machine(
    source: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths, labels = rows_of(source)
    files = pa.array([{"bytes": None, "path": str(path)} for path in paths], ENCODED)
    parquet(tmp_path / "main" / "train.parquet", pa.table({"image": files, "label": labels}))
    hub(monkeypatch, {None: tmp_path / "main"})
    found = open_dataset("hf://datasets/someone/bags")
    with pytest.raises(UnreadableFileError, match="got no bytes in this row"):
        found.pictures.read(0)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hf://datasets/bags", "got another form of name, expected hf://datasets/OWNER/NAME"),
        ("hf://datasets/../../etc", "got another form of name"),
        ("hf://datasets/someone/bags", "from the hub nothing: it cannot be reached, and the data set is not"),
    ],
)
def test_what_cannot_be_downloaded_is_one_line(
    name: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub(monkeypatch, {})
    with pytest.raises(DataError, match=message):
        open_dataset(name)


def test_a_data_set_without_parquet_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hub(monkeypatch, {None: tmp_path})
    with pytest.raises(DataError, match="got a data set without Parquet files"):
        open_dataset("hf://datasets/someone/bags")
