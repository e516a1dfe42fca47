import json
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from kakera.data.batch import Augmentation
from kakera.data.dataset import Dataset
from kakera.data.holders import ArrayPictures
from kakera.data.loader import evaluation_batches, training_batches
from kakera.data.packing.pack import pack
from kakera.data.preload.preload import preload
from kakera.data.shards.index import RECORD, SUFFIX, ShardIndex, read_index
from kakera.data.shards.reader import ShardPictures
from kakera.data.sources.open import open_dataset
from kakera.errors import DataError, UnreadableFileError
from tests.small import folder

AUGMENTED = Augmentation(crop=(0.3, 1.0), flip=True)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("world")
    folder(root / "pictures", count=13, side=20)
    pack(root / "pictures", root / "shards", side=0, shard_size=7, workers=1)
    pack(root / "pictures", root / "files", store="files", shard_size=10, workers=1)
    return root


@pytest.fixture
def shards(world: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(world / "shards", tmp_path / "shards"))


@pytest.mark.parametrize("kind", ["shards", "files"])
def test_the_same_pictures_labels_and_split_in_the_same_order(world: Path, kind: str) -> None:
    wanted, found = open_dataset(world / "pictures", seed=3), open_dataset(world / kind, seed=3)
    assert isinstance(found.pictures, ShardPictures)
    assert (found.channels, found.classes) == (wanted.channels, wanted.classes)
    assert np.array_equal(found.labels, wanted.labels)
    assert np.array_equal(found.split, wanted.split)
    for index in range(len(wanted)):
        assert np.array_equal(found.pictures.read(index), wanted.pictures.read(index))
        assert wanted.pictures.name(index).endswith(found.pictures.name(index))


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_those_of_the_folder_from_any_step_with_any_number_of_workers(
    world: Path, workers: int
) -> None:
    both = [open_dataset(world / name).part("train") for name in ("pictures", "shards")]
    wanted, found = (
        list(training_batches(d, (12, 12), AUGMENTED, seed=5, batch=4, steps=9, start=2, workers=w))
        for d, w in zip(both, (0, workers), strict=True)
    )
    assert len(found) == len(wanted) == 7
    for theirs, ours in zip(wanted, found, strict=True):
        assert theirs.samples.tolist() == ours.samples.tolist()
        assert theirs.pictures.equal(ours.pictures)
        assert theirs.labels is not None
        assert ours.labels is not None
        assert theirs.labels.equal(ours.labels)


def test_evaluation_sees_each_once(world: Path) -> None:
    dataset = open_dataset(world / "shards")
    batches = list(evaluation_batches(dataset, (20, 20), batch=4, workers=2))
    assert [int(s) for b in batches for s in b.samples] == list(range(len(dataset)))


def test_packed_pixels_are_views_of_the_file_that_nobody_can_change(world: Path) -> None:
    picture = open_dataset(world / "shards").pictures.read(0)
    assert not picture.flags.owndata
    assert not picture.flags.writeable


def test_another_process_gets_no_open_file(world: Path) -> None:
    pictures = open_dataset(world / "shards").pictures
    before = pictures.read(1)
    again = pickle.loads(pickle.dumps(pictures))
    assert np.array_equal(again.read(1), before)


@pytest.mark.parametrize("kind", ["shards", "files"])
def test_grey_is_the_folder_s_grey(world: Path, kind: str) -> None:
    wanted, found = (open_dataset(world / name, channels=1).pictures for name in ("pictures", kind))
    apart = np.abs(wanted.read(2).astype(int) - found.read(2))
    assert found.read(2).shape == (20, 20, 1)
    assert apart.max() <= 1  # Pillow rounds the same weights to 16 bits


def test_small_ones_are_held_in_memory_like_a_folder(world: Path) -> None:
    held, wanted = (preload(open_dataset(world / name)) for name in ("files", "pictures"))
    assert isinstance(held.pictures, ArrayPictures)
    assert isinstance(wanted.pictures, ArrayPictures)
    assert np.array_equal(held.pictures.block, wanted.pictures.block)
    assert (
        preload(open_dataset(world / "shards"), limit_bytes=26 * 20 * 20 * 3 - 1).pictures.__class__
        is ShardPictures
    )


def test_splits_and_several_labels_stay(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (9, 8, 8, 3), dtype=np.uint8)
    given = Dataset(
        "given",
        ArrayPictures(images),
        3,
        np.array(["train", "val", "test"] * 3),
        ("a", "b", "c"),
        random.integers(0, 2, (9, 3)).astype(bool),
    )
    pack(given, tmp_path / "shards", shard_size=4, workers=1)
    found = open_dataset(tmp_path / "shards")
    assert found.multi_label
    assert np.array_equal(found.labels, given.labels)
    assert np.array_equal(found.split, given.split)
    assert [found.pictures.name(i) for i in range(9)] == [f"picture[{i}]" for i in range(9)]


def test_a_changed_byte_is_found_when_the_picture_is_read(shards: Path) -> None:
    content = bytearray((shards / "000001.tar").read_bytes())
    content[600] ^= 1  # in the first picture of the shard: its header takes 512 and 128 bytes
    content[900] ^= 1
    (shards / "000001.tar").write_bytes(content)
    dataset, broken = open_dataset(shards), []
    for index in range(len(dataset)):
        try:
            dataset.pictures.read(index)
        except UnreadableFileError as error:
            broken.append(str(error))
    assert len(broken) == 1
    assert "000001.tar: " in broken[0]
    assert "got a damaged picture, expected the packed bytes" in broken[0]


def rewrite(path: Path, **facts: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **facts}))


DAMAGES = {
    "truncated shard": lambda f: (f / "000001.tar").write_bytes((f / "000001.tar").read_bytes()[:-1000]),
    "missing shard": lambda f: (f / "000000.tar").unlink(),
    "missing index": lambda f: (f / f"000000{SUFFIX}").unlink(),
    "damaged index": lambda f: (f / f"000000{SUFFIX}").write_bytes(b"PK\x03\x04 and nothing"),
    "other index": lambda f: shutil.copy(f / f"000001{SUFFIX}", f / f"000000{SUFFIX}"),
    "half contents": lambda f: (f / "shards.json").write_text((f / "shards.json").read_text()[:200]),
    "empty contents": lambda f: (f / "shards.json").write_text("{}"),
    "list contents": lambda f: (f / "shards.json").write_text("[]"),
    "no shards": lambda f: rewrite(f / "shards.json", shards=[]),
    "elsewhere": lambda f: rewrite(
        f / "shards.json", shards=[{"file": "../x.tar", "bytes": 1, "sha256": "", "index_sha256": ""}]
    ),
    "later version": lambda f: rewrite(f / "shards.json", version=99),
    "unfinished": lambda f: (f / "shards.json").unlink(),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_one_line_at_opening(damage: str, shards: Path) -> None:
    DAMAGES[damage](shards)
    with pytest.raises(DataError, match=r"^\S*shards\S*: got [^\n]+, expected [^\n]+; [^\n]+$"):
        open_dataset(shards)


def test_a_shard_that_shrinks_later_is_one_line(shards: Path) -> None:
    dataset = open_dataset(shards)
    (shards / "000001.tar").write_bytes(b"")
    with pytest.raises(DataError, match=r"000001\.tar: got 0 bytes, expected a shard of \d+ bytes; "):
        [dataset.pictures.read(index) for index in range(len(dataset))]


@pytest.mark.parametrize("workers", [0, 1])
def test_in_a_worker_it_is_the_same_line(shards: Path, workers: int) -> None:
    dataset = open_dataset(shards)
    (shards / "000001.tar").write_bytes(b"")
    with pytest.raises(DataError, match=r"^[^\n]*000001\.tar: got 0 bytes, expected a shard[^\n]*$"):
        list(evaluation_batches(dataset, (20, 20), batch=4, workers=workers))


def index(**changes: int) -> ShardIndex:
    records = np.zeros(2, RECORD)
    records["length"] = 12
    for name, value in changes.items():
        if name in (RECORD.names or ()):
            records[name] = value
    return ShardIndex(records, np.array([0, changes.get("label", 1)]), ("a", "b"), b"x\0y", 100)


def test_an_index_comes_back() -> None:
    found = read_index(index(offset=50).to_bytes(), "i")
    assert found.records.tolist() == index(offset=50).records.tolist()
    assert (found.classes, found.names, found.size) == (("a", "b"), b"x\0y", 100)


@pytest.mark.parametrize(
    "changes",
    [
        {"offset": 89},
        {"offset": -1},
        {"height": 5, "width": 5, "depth": 1},
        {"depth": 2},
        {"split": 3},
        {"label": 2},
    ],
)
def test_an_impossible_index_is_refused(changes: dict[str, int]) -> None:
    with pytest.raises(DataError, match="^i: got .*, expected an index from kakera pack; "):
        read_index(index(**changes).to_bytes(), "i")


def test_no_changed_byte_of_an_index_is_more_than_one_line() -> None:
    content = index().to_bytes()
    random = np.random.default_rng(0)
    said = []
    for _ in range(300):
        changed = bytearray(content)
        for place in random.integers(0, len(content), 3):
            changed[place] = random.integers(256)
        try:
            read_index(bytes(changed), "i")
        except DataError as error:
            said.append(str(error))
    assert len(said) > 100
    assert not [line for line in said if "\n" in line]
