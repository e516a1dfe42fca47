"""A real server on this machine; one that breaks off; one that lies."""

import shutil
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kakera.data import download as download_module
from kakera.data.batch import Augmentation
from kakera.data.download import VARIABLE, cache_folder, download
from kakera.data.loader import training_batches
from kakera.data.packing.pack import pack
from kakera.data.sources.open import open_dataset
from kakera.errors import DataError, StorageError
from tests.data.sources.test_builtin import Quiet, served
from tests.small import folder

ASKED: Counter[str] = Counter()


class Counting(Quiet):
    def do_GET(self) -> None:  # noqa: N802  # the library's name
        ASKED[self.path.rpartition("/")[2]] += 1
        super().do_GET()


class Breaking(Counting):
    """Breaks off in the middle of every shard, the first time."""

    def copyfile(self, source: Any, outputfile: Any) -> None:
        name = self.path.rpartition("/")[2]
        if name.endswith(".tar") and ASKED[name] == 1:
            outputfile.write(source.read(1000))
        else:
            super().copyfile(source, outputfile)


class Broken(Counting):
    """Breaks off every time."""

    def copyfile(self, source: Any, outputfile: Any) -> None:
        outputfile.write(source.read(1000) if self.path.endswith(".tar") else source.read())


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("web")
    folder(root / "pictures", count=6, side=20)
    pack(root / "pictures", root / "shards", side=0, shard_size=4, workers=1)
    return root


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(download_module, "PAUSE", 0.0)
    ASKED.clear()
    return tmp_path / "cache"


def files(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.rglob("*") if path.is_file() and path.suffix != ".lock")


@pytest.mark.parametrize("ending", ["/shards", "/shards/", "/shards/shards.json"])
def test_shards_on_the_web_are_those_on_disk(world: Path, ending: str) -> None:
    wanted = open_dataset(world / "shards")
    with served(world, Counting) as address:
        found = open_dataset(address + ending)
        assert not any(name.endswith(".tar") for name in ASKED)  # not before the first picture
        assert np.array_equal(found.labels, wanted.labels)
        for index in range(len(wanted)):
            assert np.array_equal(found.pictures.read(index), wanted.pictures.read(index))
        again = open_dataset(address + ending)
        again.pictures.read(0)
    assert {ASKED[f"00000{number}.tar"] for number in range(3)} == {1}


def test_what_was_fetched_is_there_without_a_network(world: Path, cache: Path) -> None:
    with served(world) as address:
        found = open_dataset(f"{address}/shards")
        wanted = [found.pictures.read(index) for index in range(len(found))]
    again = open_dataset(f"{address}/shards")
    assert all(np.array_equal(again.pictures.read(index), value) for index, value in enumerate(wanted))


def test_workers_share_what_is_fetched(world: Path) -> None:
    with served(world, Counting) as address:
        dataset = open_dataset(f"{address}/shards").part("train")
        batches = list(
            training_batches(dataset, (12, 12), Augmentation(), seed=0, batch=2, steps=6, workers=2)
        )
    assert len(batches) == 6
    assert max(count for name, count in ASKED.items() if name.endswith(".tar")) == 1


def test_a_server_that_breaks_off_is_asked_again(world: Path, cache: Path) -> None:
    with served(world, Breaking) as address:
        found = open_dataset(f"{address}/shards")
        for index in range(len(found)):
            found.pictures.read(index)
    assert {ASKED[f"00000{number}.tar"] for number in range(3)} == {2}


def test_a_server_that_always_breaks_off_is_one_line_and_leaves_nothing(world: Path, cache: Path) -> None:
    with served(world, Broken) as address:
        found = open_dataset(f"{address}/shards")
        with pytest.raises(
            DataError,
            match=r"^http://[^\n]+\.tar: got an incomplete download \(1000 of \d+ bytes\), expected the c",
        ):
            found.pictures.read(0)
    assert max(count for name, count in ASKED.items() if name.endswith(".tar")) == download_module.ATTEMPTS
    assert not [name for name in files(cache) if ".tar" in name]


def test_another_shard_than_the_one_in_the_contents_is_refused(
    world: Path, tmp_path: Path, cache: Path
) -> None:
    shutil.copytree(world / "shards", tmp_path / "shards")
    content = bytearray((tmp_path / "shards" / "000000.tar").read_bytes())
    content[-1] ^= 1
    (tmp_path / "shards" / "000000.tar").write_bytes(content)
    with served(tmp_path) as address:
        found = open_dataset(f"{address}/shards")
        with pytest.raises(DataError, match=r"000000\.tar: got an incomplete download \(checksum "):
            [found.pictures.read(index) for index in range(len(found))]
    assert not [name for name in files(cache) if name.startswith("000000") and name.endswith(".tar")]


def test_nothing_there_is_one_line_at_once(world: Path) -> None:
    with (
        served(world, Counting) as address,
        pytest.raises(
            DataError, match=r"^http://\S+/nowhere/shards\.json: got no file \(.*404.*\), expected"
        ),
    ):
        open_dataset(f"{address}/nowhere")
    assert ASKED["shards.json"] == 1


def test_no_server_is_one_line() -> None:
    with pytest.raises(
        DataError, match=r"^http://127\.0\.0\.1:9/x/shards\.json: got an incomplete download \(.*refused"
    ):
        open_dataset("http://127.0.0.1:9/x")


def test_a_list_of_addresses_is_indexed_here(world: Path) -> None:
    with served(world / "shards") as address:
        found = open_dataset(address + "/{000000..000002}.tar")
    wanted = open_dataset(world / "shards")
    names = {wanted.pictures.name(i): wanted.pictures.read(i) for i in range(len(wanted))}
    assert {found.pictures.name(i) for i in range(len(found))} == set(names)
    for index in range(len(found)):
        assert np.array_equal(found.pictures.read(index), names[found.pictures.name(index)])


def test_many_who_want_one_file_fetch_it_once(world: Path, tmp_path: Path) -> None:
    with served(world / "shards", Counting) as address:
        threads = [
            threading.Thread(target=download, args=(f"{address}/000000.tar", tmp_path / "x.tar"))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert ASKED["000000.tar"] == 1
    assert (tmp_path / "x.tar").read_bytes() == (world / "shards" / "000000.tar").read_bytes()


def test_no_room_is_not_the_server_s_fault(world: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with served(world / "shards") as address, pytest.raises(StorageError, match="expected room to write"):
        download(f"{address}/000000.tar", tmp_path / "file" / "x.tar")


def test_the_cache_is_where_it_is_said_to_be(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setattr(download_module.sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_folder() == Path("/somewhere/kakera")
