"""Draw the demo's pictures from the whole of Fashion-MNIST: python examples/make_demo_pictures.py OUT"""

import argparse
import gzip
import struct
from pathlib import Path

import numpy as np

from kakera.data.holders import ArrayPictures
from kakera.data.sources.builtin import open_builtin
from kakera.data.split import few

COUNTS = {"train": ("train", 8000), "test": ("t10k", 1500)}


def write(path: Path, values: np.ndarray) -> None:
    header = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
    path.write_bytes(gzip.compress(header + values.tobytes(), 9, mtime=0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    whole = open_builtin("fashion-mnist")
    assert whole is not None
    for part, (title, count) in COUNTS.items():
        dataset = whole.part(part)
        assert dataset.labels is not None
        rows = few(dataset.labels, count, seed=0)
        pictures = dataset.take(rows).pictures
        assert isinstance(pictures, ArrayPictures)
        assert pictures.block is not None
        write(out / f"{title}-images-idx3-ubyte.gz", pictures.block[pictures.rows][..., 0])
        write(out / f"{title}-labels-idx1-ubyte.gz", dataset.labels[rows].astype(np.uint8))


if __name__ == "__main__":
    main()
