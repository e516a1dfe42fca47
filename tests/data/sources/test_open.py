import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kakera.data.dataset import Dataset
from kakera.data.sources.open import open_dataset
from kakera.errors import DataError
from tests.data.files import NOISE, encoded, idx, on_disk, write_idx
from tests.small import folder

GREY = np.random.default_rng(0).integers(0, 256, (20, 6, 6), dtype=np.uint8)
CLASSES = np.arange(20, dtype=np.uint8) % 2


def as_folder(root: Path) -> Path:
    return folder(root / "d", count=10, side=6)


def as_table(root: Path) -> Path:
    on_disk(root, {f"{i}.png": values for i, values in enumerate(GREY)})
    rows = [f"{i}.png,{'xy'[label]}" for i, label in enumerate(CLASSES)]
    (root / "d.csv").write_text("\n".join(["file,label", *rows]))
    return root / "d.csv"


def as_npz(root: Path) -> Path:
    np.savez(root / "d.NPZ.npz", images=GREY, labels=CLASSES)
    return (root / "d.NPZ.npz").rename(root / "d.NPZ")


def as_idx(root: Path) -> Path:
    return write_idx(root, "all", GREY, CLASSES)


def as_idx_folder(root: Path) -> Path:
    return write_idx(root, "all", GREY, CLASSES).parent


def as_idx_of_another_name(root: Path) -> Path:
    (root / "pictures.bin").write_bytes(gzip.compress(idx(GREY)))
    return root / "pictures.bin"


LABELLED = [as_folder, as_table, as_npz, as_idx, as_idx_folder]


@pytest.mark.parametrize("make", LABELLED)
@pytest.mark.parametrize("way", [str, Path])
def test_every_form_is_known_by_what_is_there(make: Any, way: Any, tmp_path: Path) -> None:
    path = make(tmp_path)
    dataset = open_dataset(way(path))
    assert dataset.name == str(path)
    assert (len(dataset), len(dataset.classes)) == (20, 2)
    assert dataset.pictures.read(0).shape == (6, 6, dataset.channels)


@pytest.mark.parametrize("make", LABELLED)
def test_every_form_is_split_by_class_from_the_seed(make: Any, tmp_path: Path) -> None:
    path = make(tmp_path)

    def parts(seed: int) -> list[str]:
        dataset = open_dataset(path, seed=seed, val=0.1, test=0.3)
        assert dataset.labels is not None
        counts = [
            ((dataset.split == p) & (dataset.labels == c)).sum() for p in ("val", "test") for c in (0, 1)
        ]
        assert counts == [1, 1, 3, 3]
        return dataset.split.tolist()

    assert parts(0) == parts(0)
    assert parts(0) != parts(1)


@pytest.mark.parametrize("make", [*LABELLED, as_idx_of_another_name])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_form_is_grey_or_colour_as_asked(make: Any, channels: int, tmp_path: Path) -> None:
    dataset = open_dataset(make(tmp_path), channels=channels)
    assert dataset.channels == channels
    assert dataset.pictures.read(0).shape == (6, 6, channels)


def test_without_labels_nothing_is_held_back(tmp_path: Path) -> None:
    assert set(open_dataset(as_idx_of_another_name(tmp_path)).split) == {"train"}


def test_a_source_that_brings_its_split_keeps_it(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", x_train=GREY, y_train=CLASSES, x_test=GREY[:3], y_test=CLASSES[:3])
    assert open_dataset(tmp_path / "d.npz", test=0.5).split.tolist() == ["train"] * 20 + ["test"] * 3


def test_a_single_picture_is_not_split(tmp_path: Path) -> None:
    assert open_dataset(folder(tmp_path / "d", count=1, classes=("one",))).split.tolist() == ["train"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        (
            "nowhere",
            None,
            "got no such file or folder, expected a folder, a table, IDX, .npz or .tar files, or demo",
        ),
        (
            "picture.png",
            encoded(NOISE),
            "got an unsupported kind of file, expected a .csv, .tsv, .parquet, .npz or IDX file",
        ),
        ("notes.txt", b"text", "got an unsupported kind of file"),
        ("empty", b"", "got an unsupported kind of file"),
    ],
)
def test_other_sources_are_one_line(name: str, content: bytes | None, words: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError) as caught:
        open_dataset(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: {words}")
    assert str(caught.value).endswith("; check the path")


def test_a_data_set_is_opened_without_decoding_its_files(tmp_path: Path) -> None:
    root = folder(tmp_path / "d", count=3)
    (root / "bag" / "0.png").write_bytes(b"broken")
    dataset: Dataset = open_dataset(root)
    assert (len(dataset), dataset.unreadable) == (6, ())
