"""Data sets by name: `demo` ships inside, `fashion-mnist` is found or fetched once, `fillets` is found."""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

from kakera.data.dataset import Dataset
from kakera.data.sources.fillets import open_fillets
from kakera.data.sources.idx import find_images, open_idx
from kakera.errors import DataError, StorageError, sentence

NAMES = ("demo", "fashion-mnist", "fillets", "fillets-language")
CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
INSTALLED = Path("/usr/share/datasets/fashion-mnist")  # Debian's dataset-fashion-mnist
FOLDER_VARIABLE = "KAKERA_FASHION_MNIST"
PUBLISHED = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"  # S3 websites know no https
MD5 = {  # as published beside the files
    "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
}


def open_builtin(name: str) -> Dataset | None:
    """The data set of a name, None where the name is not one of ours. Raises DataError."""
    if name == "demo":
        return open_idx(find_images(Path(__file__).parents[1] / "demo"), name, CLASSES)[0]
    if name == "fashion-mnist":
        return open_idx(find_images(_fashion_mnist()), name, CLASSES)[0]
    if name in ("fillets", "fillets-language"):
        return open_fillets(name)
    return None


def _fashion_mnist() -> Path:
    given = os.environ.get(FOLDER_VARIABLE)
    if given:
        if not Path(given).is_dir() or not find_images(Path(given)):
            raise DataError(
                sentence(
                    FOLDER_VARIABLE, got=given, expected="a folder with the four files", do="correct the path"
                )
            )
        return Path(given)
    if INSTALLED.is_dir() and find_images(INSTALLED):
        return INSTALLED
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "kakera" / "fashion-mnist"
    fetch(cache)
    return cache


def fetch(folder: Path, address: str = PUBLISHED, checksums: dict[str, str] = MD5) -> None:
    """Download the files that are not there yet, each whole and with its checksum.

    Raises DataError, StorageError.
    """
    for name, checksum in checksums.items():
        if (folder / name).exists():
            continue
        try:
            with urllib.request.urlopen(f"{address}/{name}", timeout=60) as answer:
                content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()  # it is an answer, too
            raise DataError(
                sentence(
                    "fashion-mnist",
                    got=f"no answer for {name} ({error})",
                    expected="the file",
                    do=f"install Debian's dataset-fashion-mnist or set {FOLDER_VARIABLE} to a folder",
                )
            ) from error
        found = hashlib.md5(content, usedforsecurity=False).hexdigest()
        if found != checksum:
            raise DataError(sentence(name, got=f"checksum {found}", expected=checksum, do="try again later"))
        _store(folder / name, content)


def _store(path: Path, content: bytes) -> None:
    """The whole file or none. Raises StorageError."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        raise StorageError(
            sentence(str(path), got=error.strerror, expected="room to write it", do="set XDG_CACHE_HOME")
        ) from error
