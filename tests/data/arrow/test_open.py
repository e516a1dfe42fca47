import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from safetensors.numpy import load_file

import kakera
from kakera.data.arrow import tables
from kakera.data.checks.digest import changed, digest
from kakera.data.dataset import Dataset
from kakera.data.sources.files import open_files
from kakera.data.sources.open import open_dataset
from kakera.errors import DataError, OptionError, UnreadableFileError
from kakera.inputs import InputSpec
from kakera.training.planning.situation import situation
from tests.data.arrow.written import ENCODED, described, parquet, rows_of, saved
from tests.small import QUICK, folder
from tests.training.songs import QUICK as QUICK_SOUND
from tests.training.songs import songs


@pytest.fixture
def source(tmp_path: Path) -> Dataset:
    return open_dataset(folder(tmp_path / "classes", count=20))


def table_of(source: Dataset) -> pa.Table:
    return described(*rows_of(source), source.classes)


def require_same(found: Dataset, expected: Dataset) -> None:
    assert (found.classes, found.channels) == (expected.classes, expected.channels)
    assert found.split.tolist() == expected.split.tolist()
    assert found.labels is not None
    assert found.labels.tolist() == expected.labels.tolist()  # type: ignore[union-attr]
    for row in range(len(expected)):
        np.testing.assert_array_equal(found.pictures.read(row), expected.pictures.read(row))


def forms(source: Dataset, root: Path) -> list[Path]:
    """The same files as Parquet of datasets and of pandas, in several files, and saved by datasets."""
    table = table_of(source)
    paths, labels = rows_of(source)
    frame = pd.DataFrame({"image": [path.read_bytes() for path in paths], "label": labels})
    frame.to_parquet(root / "pandas.parquet")
    frame["label"] = frame["label"].astype("category")
    frame.to_parquet(root / "category.parquet")
    parquet(root / "several" / "data" / "a-00000.parquet", table.slice(0, 15))
    parquet(root / "several" / "data" / "a-00001.parquet", table.slice(15))
    large = table.set_column(0, "image", [[path.read_bytes() for path in paths]])
    large = large.cast(
        pa.schema([("image", pa.large_binary()), ("label", pa.int64())], table.schema.metadata)
    )
    return [
        parquet(root / "one.parquet", table),
        parquet(root / "large.parquet", large),
        root / "pandas.parquet",
        root / "category.parquet",
        root / "several",
        saved(root / "saved", table, files=3),
        saved(root / "other", table) / "data-00000-of-00001.arrow",
    ]


def test_every_form_of_a_class_folder_has_its_pictures_labels_and_split(
    source: Dataset, tmp_path: Path
) -> None:
    for path in forms(source, tmp_path):
        require_same(open_dataset(path), source)


def test_training_gives_the_weights_of_the_class_folder(source: Dataset, tmp_path: Path) -> None:
    table = table_of(source)
    forms = [parquet(tmp_path / "one.parquet", table), saved(tmp_path / "saved", table, files=2)]
    weights = []
    for number, data in enumerate([source.name, *forms]):
        kakera.pretrain(data, out=tmp_path / f"run{number}", model="nano", **{**QUICK, "epochs": 0.1})
        weights.append(load_file(tmp_path / f"run{number}" / "model.safetensors"))
    for other in weights[1:]:
        assert all(np.array_equal(other[name], values) for name, values in weights[0].items())


def test_recordings_give_the_weights_of_the_class_folder(tmp_path: Path) -> None:
    source = open_dataset(songs(tmp_path / "songs", count=8))
    table = described(*rows_of(source), source.classes, "audio")
    forms = [parquet(tmp_path / "one.parquet", table), saved(tmp_path / "saved", table)]
    weights = []
    for number, data in enumerate([source.name, *forms]):
        options: dict[str, Any] = {**QUICK_SOUND, "model": "nano", "patch": (8, 8), "epochs": 0.5}
        kakera.pretrain(data, out=tmp_path / f"run{number}", **options)
        weights.append(load_file(tmp_path / f"run{number}" / "model.safetensors"))
    for other in weights[1:]:
        assert all(np.array_equal(other[name], values) for name, values in weights[0].items())


def test_parts_are_in_the_names_of_files_and_folders(source: Dataset, tmp_path: Path) -> None:
    table = table_of(source)
    pieces = {"train": table.slice(0, 20), "validation": table.slice(20, 8), "test": table.slice(28)}
    hub, by_folder, whole = tmp_path / "hub", tmp_path / "folders", tmp_path / "dict"
    for name, piece in pieces.items():
        parquet(hub / "data" / f"{name}-00000-of-00001.parquet", piece)
        parquet(by_folder / name / "0000.parquet", piece)
        saved(whole / name, piece, split=name)
    (whole / "dataset_dict.json").write_text('{"splits": ["train", "validation", "test"]}')
    parquet(hub / "data" / "unlabelled.parquet", table)
    for path in (hub, by_folder, whole):
        found = open_dataset(path)
        assert np.unique(found.split, return_counts=True)[1].tolist() == [12, 20, 8]
        assert found.split[[0, 20, 28]].tolist() == ["train", "val", "test"]
        np.testing.assert_array_equal(found.pictures.read(27), source.pictures.read(27))
    assert open_dataset(hub).left_out[0][1] == "its name has no part (train, val or test)"


def test_a_column_may_have_the_parts(source: Dataset, tmp_path: Path) -> None:
    table = table_of(source).append_column("split", pa.array(["train", "test"] * 20))
    found = open_dataset(parquet(tmp_path / "one.parquet", table))
    assert found.split.tolist() == ["train", "test"] * 20
    table = table_of(source).append_column("split", pa.array(["train", "fold 3"] * 20))
    with pytest.raises(DataError, match=r"column split: got fold 3, expected train, val or test"):
        open_dataset(parquet(tmp_path / "two.parquet", table))


def test_only_the_row_group_of_a_picture_is_read(
    source: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = open_dataset(parquet(tmp_path / "one.parquet", table_of(source), group=10), channels=3)
    loaded, real = list[int](), tables.Table.load
    monkeypatch.setattr(tables.Table, "load", lambda table, group: loaded.append(group) or real(table, group))
    again = pickle.loads(pickle.dumps(found.pictures))  # as a worker gets it
    for row in (25, 21, 29, 3):
        np.testing.assert_array_equal(again.read(row), source.pictures.read(row))
    assert loaded == [2, 0]
    assert len(pickle.dumps(found.pictures)) < 10_000


@pytest.mark.parametrize(
    ("values", "classes", "labels"),
    [
        (pa.array([2, 0, None, -1]), ("0", "1", "2"), [2, 0, -1, -1]),
        (pa.array(["b", "a", "", None]), ("a", "b"), [1, 0, -1, -1]),
        (pa.array([True, False, True, None]), ("False", "True"), [1, 0, 1, -1]),
        (pa.array([["b", "a"], ["a"], [], None]), ("a", "b"), [[1, 1], [1, 0], [0, 0], [0, 0]]),
        (pa.array([-1, -1, -1, -1]), (), None),
    ],
)
def test_labels_of_every_type(
    source: Dataset, tmp_path: Path, values: Any, classes: tuple[str, ...], labels: Any
) -> None:
    files = [Path(path).read_bytes() for path in source.pictures.paths[:4]]
    found = open_dataset(parquet(tmp_path / "one.parquet", pa.table({"image": files, "label": values})))
    assert found.classes == classes
    assert (None if found.labels is None else found.labels.tolist()) == labels


def test_whole_numbers_that_are_written_as_floats_are_numbers_of_classes(
    source: Dataset, tmp_path: Path
) -> None:
    table = table_of(source)
    expected = open_dataset(parquet(tmp_path / "whole.parquet", table))
    for first, name in ((-1.0, "minus"), (None, "null"), (float("nan"), "nan")):
        floats = pa.array([first, *map(float, table.column("label").to_pylist()[1:])], pa.float64())
        for one in (table, table.replace_schema_metadata()):
            changed = parquet(tmp_path / f"{name}.parquet", one.set_column(1, "label", floats))
            found = open_dataset(changed)
            assert found.labels is not None
            assert expected.labels is not None
            assert len(found.classes) == len(expected.classes)
            assert found.labels.tolist() == [-1, *expected.labels.tolist()[1:]]


def test_files_with_other_numbers_of_the_same_classes_keep_their_names(
    source: Dataset, tmp_path: Path
) -> None:
    """`datasets` 5.2.0 gives the second file the names of the first (findings/)."""
    paths, labels = rows_of(source)
    parquet(tmp_path / "both" / "a.parquet", described(paths[:20], labels[:20], ["bag", "boot"]))
    parquet(tmp_path / "both" / "b.parquet", described(paths[20:], labels[20:], ["boot", "bag"]))
    require_same(open_dataset(tmp_path / "both"), source)


def test_numbers_are_predicted_from_a_column(source: Dataset, tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).normal(size=40)
    table = table_of(source).append_column("angle", pa.array(numbers))
    found = open_dataset(
        parquet(tmp_path / "one.parquet", table), task="regression", target_column="angle", test=0
    )
    assert found.labels is not None
    np.testing.assert_array_equal(found.labels[:, 0], numbers)
    with pytest.raises(
        OptionError, match="target_column: got size for .*, expected one of its columns: label"
    ):
        open_dataset(tmp_path / "one.parquet", target_column="size")


def test_a_change_of_one_picture_is_found_when_a_run_resumes(source: Dataset, tmp_path: Path) -> None:
    table = table_of(source)
    paths, labels = rows_of(source)
    before = digest(open_dataset(parquet(tmp_path / "one.parquet", table)))
    again = digest(open_dataset(parquet(tmp_path / "copy" / "one.parquet", table, group=40)))
    assert not changed(before, again)  # of a copy elsewhere, with other row groups
    other = described([paths[1], paths[0], *paths[2:]], labels, source.classes)
    assert changed(before, digest(open_dataset(parquet(tmp_path / "one.parquet", other)))) == ["files"]


def test_rows_without_bytes_and_damaged_files_are_named(source: Dataset, tmp_path: Path) -> None:
    files = [{"bytes": None, "path": "a.png"}, {"bytes": b"no picture", "path": "b.png"}, None]
    rest = [{"bytes": Path(path).read_bytes(), "path": "c.png"} for path in source.pictures.paths[:3]]
    table = pa.table({"image": files + rest, "label": ["a", "b"] * 3})
    found = open_dataset(parquet(tmp_path / "one.parquet", table))
    reasons = ["got only the path a.png .No such file", "expected a JPEG", "got no bytes in this row"]
    for row, reason in enumerate(reasons):
        with pytest.raises(UnreadableFileError, match=rf"one\.parquet\[{row}\].*({reason})"):
            found.pictures.read(row)
    assert found.pictures.read(3).shape == (28, 28, 3)


def test_a_table_of_paths_without_bytes_is_read(source: Dataset, tmp_path: Path) -> None:
    """As `Dataset.to_parquet` of datasets 5.2.0 writes a data set of files."""
    paths, labels = rows_of(source)
    files = pa.array([{"bytes": None, "path": str(path)} for path in paths], ENCODED)
    table = pa.table({"image": files, "label": labels})
    require_same(open_dataset(parquet(tmp_path / "one.parquet", table)), source)


def test_predict_and_embed_read_a_table_like_a_folder(source: Dataset, tmp_path: Path) -> None:
    path = parquet(tmp_path / "one.parquet", table_of(source))
    inputs = InputSpec(3, 28, 28, (0.5,) * 3, (0.5,) * 3)
    found = open_files(path, inputs)
    assert len(found) == 40
    np.testing.assert_array_equal(found.pictures.read(7), source.pictures.read(7))


def test_the_next_command_names_the_table(source: Dataset, tmp_path: Path) -> None:
    path = parquet(tmp_path / "one.parquet", table_of(source))
    assert situation(str(path)).files == str(path)
