import hashlib
import threading
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from kakera.data import download
from kakera.data.download import VARIABLE
from kakera.data.sources import builtin
from kakera.data.sources.builtin import CLASSES, FOLDER_VARIABLE, fetch, open_builtin
from kakera.data.sources.open import open_dataset
from kakera.errors import DataError, StorageError
from tests.data.files import write_idx

IMAGES = np.random.default_rng(0).integers(0, 256, (20, 28, 28), dtype=np.uint8)
LABELS = np.arange(20, dtype=np.uint8) % 10


def published(root: Path) -> dict[str, str]:
    """Four small files with the names of the real ones, and their checksums."""
    write_idx(root, "train", IMAGES, LABELS)
    write_idx(root, "t10k", IMAGES[:10], LABELS[:10])
    return {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in sorted(root.iterdir())}


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "PAUSE", 0.0)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


class Cut(Quiet):
    """Promises more than it sends."""

    def send_header(self, keyword: str, value: str) -> None:
        super().send_header(keyword, str(int(value) + 9) if keyword == "Content-Length" else value)


class Mute(Quiet):
    """Hangs up."""

    def do_GET(self) -> None:
        self.close_connection = True


class Babble(Quiet):
    """Speaks another language."""

    def do_GET(self) -> None:
        self.wfile.write(b"220 ftp ready\r\n\r\n")
        self.close_connection = True


class Hesitant(Quiet):
    """Has no time the first time that a file is asked for."""

    asked: ClassVar[set[str]] = set()

    def do_GET(self) -> None:  # the library's name
        if self.path in self.asked:
            super().do_GET()
        else:
            self.asked.add(self.path)
            self.send_error(503)


@contextmanager
def served(root: Path, handler: type[SimpleHTTPRequestHandler] = Quiet) -> Generator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(root)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_demo_has_ten_classes_each_as_often_as_the_others() -> None:
    demo = open_dataset("demo")
    assert demo.classes == CLASSES
    assert demo.labels is not None
    for part, count in (("train", len(demo.part("train")) // 10), ("test", len(demo.part("test")) // 10)):
        assert count > 0
        assert Counter(demo.labels[demo.split == part].tolist()) == dict.fromkeys(range(10), count)
    assert not (demo.split == "val").any()
    assert {demo.pictures.read(i).shape for i in range(len(demo))} == {(28, 28, 1)}


def test_the_demo_s_pictures_differ_from_one_another() -> None:
    demo = open_dataset("demo")
    assert len({demo.pictures.read(i).tobytes() for i in range(len(demo))}) == len(demo)


def test_a_built_in_name_wins_and_a_folder_of_that_name_is_meant_by_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_idx(tmp_path / "demo", "train", IMAGES, LABELS)
    monkeypatch.chdir(tmp_path)
    assert len(open_dataset("demo")) > 20
    assert len(open_dataset("./demo")) == len(open_dataset(Path("demo"))) == 20
    assert open_builtin("mnist") is None


def test_fashion_mnist_is_taken_from_the_folder_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published(tmp_path)
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    dataset = open_dataset("fashion-mnist")
    assert dataset.classes == CLASSES
    assert (len(dataset.part("train")), len(dataset.part("test"))) == (20, 10)
    assert np.array_equal(dataset.pictures.read(3)[..., 0], IMAGES[3])
    assert open_dataset("fashion-mnist", channels=3).pictures.read(0).shape == (28, 28, 3)


@pytest.mark.parametrize("name", ["nowhere", "", "file"])
def test_a_folder_without_the_files_is_one_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / name))
    with pytest.raises(
        DataError, match=f"{FOLDER_VARIABLE}: got .*, expected a folder with the four Fashion-MNIST files"
    ):
        open_dataset("fashion-mnist")


def test_fashion_mnist_is_fetched_into_the_cache_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checksums = published(tmp_path / "site")
    monkeypatch.delenv(FOLDER_VARIABLE, raising=False)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(builtin, "INSTALLED", tmp_path / "nowhere")
    with served(tmp_path / "site") as address:
        monkeypatch.setattr(fetch, "__defaults__", (address, checksums))
        first = open_dataset("fashion-mnist")
    again = open_dataset("fashion-mnist")
    assert (len(first), len(again)) == (30, 30)
    assert sorted(path.name for path in tmp_path.glob("cache/fashion-mnist/[!.]*")) == sorted(checksums)


def test_only_files_that_are_not_there_are_fetched(tmp_path: Path) -> None:
    checksums = published(tmp_path / "site")
    name, *others = checksums
    (tmp_path / "to").mkdir()
    (tmp_path / "to" / name).write_text("mine")
    with served(tmp_path / "site") as address:
        fetch(tmp_path / "to", address, checksums)
    assert (tmp_path / "to" / name).read_text() == "mine"
    for other in others:
        assert (tmp_path / "to" / other).read_bytes() == (tmp_path / "site" / other).read_bytes()


def test_a_server_that_has_no_time_at_first_is_asked_again(tmp_path: Path) -> None:
    checksums = published(tmp_path / "site")
    with served(tmp_path / "site", Hesitant) as address:
        fetch(tmp_path / "to", address, checksums)
    assert sorted(path.name for path in (tmp_path / "to").glob("[!.]*")) == sorted(checksums)


def refused(folder: Path, address: str, checksums: dict[str, str]) -> str:
    with pytest.raises(DataError) as caught:
        fetch(folder, address, checksums)
    assert "\n" not in str(caught.value)
    assert not [*folder.glob("[!.]*")]
    return str(caught.value)


def test_a_wrong_checksum_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    checksums = published(tmp_path / "site")
    name, found = next(iter(checksums.items()))
    with served(tmp_path / "site") as address:
        said = refused(tmp_path / "to", address, checksums | {name: "0" * 32})
    assert said.startswith(
        f"{address}/{name}: got an incomplete download (checksum {found[:12]}… instead of 000000"
    )


@pytest.mark.parametrize(
    ("handler", "words"),
    [(Quiet, "no file (HTTP Error 404"), (Cut, "bytes)"), (Mute, "closed"), (Babble, "220 ftp ready")],
)
def test_a_server_that_does_not_give_the_file_is_one_line_and_leaves_nothing(
    handler: type[SimpleHTTPRequestHandler], words: str, tmp_path: Path
) -> None:
    checksums = published(tmp_path / "site")
    if handler is Quiet:
        checksums = {"missing.gz": "0" * 32}
    with served(tmp_path / "site", handler) as address:
        said = refused(tmp_path / "to", address, checksums)
    got = "no file (" if handler is Quiet else "an incomplete download ("
    assert said.startswith(f"{address}/{next(iter(checksums))}: got {got}")
    assert words in said
    assert f"set {FOLDER_VARIABLE} to a folder" in said


def test_no_server_is_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    with served(tmp_path) as address:
        pass
    assert "/x.gz: got an incomplete download (" in refused(tmp_path / "to", address, {"x.gz": ""})


def test_a_cache_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    checksums = published(tmp_path / "site")
    (tmp_path / "file").write_text("in the way")
    with served(tmp_path / "site") as address, pytest.raises(StorageError) as caught:
        fetch(tmp_path / "file" / "to", address, checksums)
    assert "got Not a directory, expected" in str(caught.value)
    assert "\n" not in str(caught.value)
