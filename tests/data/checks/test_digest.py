import hashlib
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kakera.data.audio.recordings import ArraySounds
from kakera.data.checks.digest import FILES, LABELS, SPLIT, changed, digest
from kakera.data.dataset import Dataset
from kakera.data.holders import ArrayPictures
from kakera.data.packing.pack import pack
from kakera.data.sources.open import open_dataset
from kakera.sound.spec import SoundSpec
from tests.data.files import encoded
from tests.small import folder, pictures
from tests.training.songs import songs


def table(root: Path, rows: list[str], name: str = "d.csv") -> Path:
    (root / name).write_text("\n".join(["file,label,split", *rows]))
    return root / name


def differing(one: Dataset, other: Dataset) -> list[str]:
    return changed(digest(one), digest(other))


def test_a_copy_elsewhere_is_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = folder(tmp_path / "here", count=3)
    shutil.copytree(here, tmp_path / "far" / "there")
    one = digest(open_dataset(here))
    assert digest(open_dataset(tmp_path / "far" / "there")) == one
    monkeypatch.chdir(here)
    assert digest(open_dataset(".")) == one


def test_a_file_of_another_size_or_name_or_content_is_named(tmp_path: Path) -> None:
    root = folder(tmp_path / "d", count=3)
    before = digest(open_dataset(root))
    path = root / "bag" / "1.png"
    content = path.read_bytes()
    path.write_bytes(content + b"\0")
    assert changed(before, digest(open_dataset(root))) == [FILES]
    path.write_bytes(content[:-20] + bytes(20))
    assert changed(before, digest(open_dataset(root))) == [FILES]
    path.write_bytes(content)
    assert changed(before, digest(open_dataset(root))) == []
    path.rename(root / "bag" / "10.png")
    assert FILES in changed(before, digest(open_dataset(root)))


def test_swapped_names_of_files_of_one_size_are_named(tmp_path: Path) -> None:
    root = folder(tmp_path / "d", count=1, classes=("one",))
    for number in range(2):
        values = np.full((9, 9, 3), 50 * number, np.uint8)
        (root / "one" / f"{number}.bmp").write_bytes(encoded(values, "BMP"))
    before = digest(open_dataset(root))
    (root / "one" / "0.bmp").rename(root / "one" / "x")
    (root / "one" / "1.bmp").rename(root / "one" / "0.bmp")
    (root / "one" / "x").rename(root / "one" / "1.bmp")
    assert changed(before, digest(open_dataset(root))) == [FILES]


def test_labels_classes_and_split_are_told_apart(tmp_path: Path) -> None:
    folder(tmp_path, count=2, classes=("p",))
    one, two = "p/0.png,a,train", "p/1.png,b,test"
    first = open_dataset(table(tmp_path, [one, two]))
    assert differing(first, open_dataset(table(tmp_path, [one, "p/1.png,a,test"]))) == [LABELS]
    assert differing(first, open_dataset(table(tmp_path, [one, "p/1.png,c,test"]))) == [LABELS]
    assert differing(first, open_dataset(table(tmp_path, [one, "p/1.png,b,train"]))) == [SPLIT]
    assert differing(first, open_dataset(table(tmp_path, [one, two], "other.csv"))) == []


def test_several_labels_count_each() -> None:
    data = pictures(4, 0)
    labels = np.zeros((4, 10), dtype=bool)
    one = replace(data, labels=labels)
    labels = labels.copy()
    labels[3, 9] = True
    assert differing(one, replace(data, labels=labels)) == [LABELS]


@pytest.mark.parametrize("sizes", [[(5, 6, 3)] * 3, [(5, 6, 3), (7, 6, 3), (5, 6, 3)]])
def test_arrays_in_memory_are_known_by_shapes_and_values(sizes: list[tuple[int, ...]]) -> None:
    random = np.random.default_rng(0)
    arrays = [random.integers(0, 256, size, dtype=np.uint8) for size in sizes]

    def dataset(values: list[Any]) -> Dataset:
        block = np.stack(values) if len({value.shape for value in values}) == 1 else values
        return Dataset("d", ArrayPictures(block), 3, np.full(len(values), "train"))

    assert differing(dataset(arrays), dataset([array.copy() for array in arrays])) == []
    assert differing(dataset(arrays), dataset([arrays[2], arrays[1], arrays[0]])) == [FILES]
    assert differing(dataset(arrays), dataset([*arrays[:2], arrays[2].reshape(6, 5, 3)])) == [FILES]


def test_recordings_are_known_by_files_and_by_waveforms(tmp_path: Path) -> None:
    root = songs(tmp_path / "d", count=2)
    before = digest(open_dataset(root))
    assert digest(open_dataset(root)) == before
    (root / "low" / "0.wav").write_bytes((root / "low" / "1.wav").read_bytes())
    assert changed(before, digest(open_dataset(root))) == [FILES]
    waves = [np.zeros(500, np.float32), np.ones(500, np.float32)]
    one, other = (
        Dataset("d", ArraySounds(found, SoundSpec()), 1, np.full(2, "train"))
        for found in (waves, waves[::-1])
    )
    assert differing(one, other) == [FILES]


def test_shards_are_known_by_their_index(tmp_path: Path) -> None:
    found = []
    for name in ("one", "two", "three"):
        root = folder(tmp_path / name, count=2)
        if name == "three":
            (root / "bag" / "0.png").write_bytes((root / "bag" / "1.png").read_bytes())
        pack(root, tmp_path / f"{name}-shards", workers=1)
        found.append(digest(open_dataset(tmp_path / f"{name}-shards")))
    assert changed(found[0], found[1]) == []
    assert changed(found[0], found[2]) == [FILES]


def test_nothing_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = open_dataset(folder(tmp_path / "d", count=2))
    monkeypatch.setattr("kakera.data.holders.decode", None)
    assert set(digest(data)) == {FILES, LABELS, SPLIT}


def hashed(*pieces: bytes) -> str:
    found = hashlib.blake2b(digest_size=8)
    for piece in pieces:
        found.update(len(piece).to_bytes(8, "little") + piece)
    return found.hexdigest()


@pytest.mark.parametrize("block", [2, 3, 8192])
@pytest.mark.parametrize("kind", ["folder", "table", "table with odd names"])
def test_the_digest_is_that_of_all_names_sizes_and_labels_at_once(
    kind: str, block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kakera.data.checks.digest.BLOCK", block)
    root = folder(tmp_path / "d", count=3, classes=("p", "é"))
    names = [f"{label}/{number}.png" for label in ("p", "é") for number in range(3)]
    if kind != "folder":
        odd = "./" if kind == "table with odd names" else ""
        lines = [f"{odd}{name},{name[0]},{'test' if name[2] == '2' else 'train'}" for name in names]
        data = open_dataset(table(root, lines))
    else:
        data = open_dataset(root)
    contents = [(root / name).read_bytes() for name in names]
    pieces = [content[len(content) // 2 :][:4096] + content[-4096:] for content in contents]
    sizes = " ".join(str(len(content)) for content in contents).encode()
    assert digest(data) == {
        FILES: hashed("\0".join(names).encode(), sizes, *pieces),
        LABELS: hashed("p\0é".encode(), np.repeat([0, 1], 3).astype("<i8").tobytes()),
        SPLIT: hashed("\0".join(data.split.tolist()).encode()),
    }


def test_a_run_from_before_there_were_digests_has_nothing_that_changed() -> None:
    assert changed(None, {FILES: "a"}) == []
