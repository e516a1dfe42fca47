"""Data sets with a name: `demo` is part of the package, the others are installed or downloaded.

`fashion-mnist` is read from an installed copy, or downloaded once. `fillets` is read where it is installed.
"""

from __future__ import annotations

import os
from pathlib import Path

from kakera.data.dataset import Dataset
from kakera.data.download import cache_folder, download
from kakera.data.sources.fillets import open_fillets
from kakera.data.sources.idx import find_images, open_idx
from kakera.errors import DataError

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
PUBLISHED = "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com"  # S3 websites have no https
MD5 = {  # as published with the files
    "train-images-idx3-ubyte.gz": "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
    "train-labels-idx1-ubyte.gz": "25c81989df183df01b3e8a0aad5dffbe",
    "t10k-images-idx3-ubyte.gz": "bef4ecab320f06d8554ea6380940ec79",
    "t10k-labels-idx1-ubyte.gz": "bb300cfdad3c16e7a12a480ee83cd310",
}


def open_builtin(name: str) -> Dataset | None:
    """Return the data set with this name, or None if no built-in data set has this name. Raises DataError.

    Example:

        >>> demo = open_builtin("demo")
        >>> demo.channels, len(demo.classes)
        (1, 10)
        >>> open_builtin("no such name") is None
        True
    """
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
                FOLDER_VARIABLE,
                got=given,
                expected="a folder with the four Fashion-MNIST files",
                do="correct the path",
            )
        return Path(given)
    if INSTALLED.is_dir() and find_images(INSTALLED):
        return INSTALLED
    return fetch(cache_folder() / "fashion-mnist")


def fetch(folder: Path, address: str = PUBLISHED, checksums: dict[str, str] = MD5) -> Path:
    """Download the files that the folder does not have yet, and return the folder.

    Each file is written whole, after its MD5 checksum is compared. Raises DataError, StorageError.

    Example:

        >>> import hashlib
        >>> _ = Path("labels.gz").write_bytes(b"labels")
        >>> fetch(Path("copy"), Path.cwd().as_uri(), {"labels.gz": hashlib.md5(b"labels").hexdigest()}).name
        'copy'
    """
    do = f"try again, install Debian's dataset-fashion-mnist, or set {FOLDER_VARIABLE} to a folder"
    for name, checksum in checksums.items():
        download(f"{address}/{name}", folder / name, md5=checksum, do=do)
    return folder
