import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kakera.data.images import kinds
from kakera.data.images.decode import decode
from kakera.data.sources.open import open_dataset
from tests.data.files import encoded

VALUES = np.random.default_rng(0).integers(0, 256, (32, 48, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("start", "words"),
    [
        (b"\0\0\0\x18ftypheic", "an HEIC file (pip install 'kakera[heif]')"),
        (b"\0\0\0\x18ftypavif", "an AVIF file"),
        (b"\0\0\0\x18ftypisom", "a video (MP4, MOV)"),
        (b"\xff\x0a\xfa", "a JPEG XL file (pip install 'kakera[jxl]')"),
        (b"\0\0\0\x0cJXL \r\n", "a JPEG XL file (pip install 'kakera[jxl]')"),
        (b"8BPS\0\1", "a Photoshop file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer instead of the file"),
        (b"\xff\xd8\xff\xf7\0\x0b\x08", "a JPEG-LS file"),
        (b"\xff\xd8\xff\xc9\0\x0b\x08\0\1\0\1\1\1\x11\0", "a JPEG (arithmetically coded)"),
        (b"\xff\xd8\xff\xc3\0\x0b\x10\0\1\0\1\1\1\x11\0", "a JPEG (lossless, with 16 bits per value, not 8)"),
    ],
)
def test_kinds_are_told_by_their_first_bytes(start: bytes, words: str) -> None:
    assert kinds.described(start) == words


def test_each_suffix_belongs_to_one_list() -> None:
    lists = (set(kinds.READ), set(kinds.EXTRA), set(kinds.LEFT))
    assert sum(map(len, lists)) == len(set.union(*lists))
    Image.init()
    assert set(kinds.READ.values()) <= set(Image.OPEN)


def test_heic_is_read_with_its_extra_under_any_suffix(tmp_path: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif", reason="not installed: pip install 'kakera[heif]'")
    file = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(VALUES)).save(file, quality=-1, chroma=444)
    expected = np.asarray(pillow_heif.open_heif(io.BytesIO(file.getvalue())).to_pillow())
    for name in ("a/x.heic", "a/y.jpg", "b/z.HEIF"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(file.getvalue())
    dataset = open_dataset(tmp_path)
    assert (len(dataset), dataset.classes) == (3, ("a", "b"))
    for row in range(3):
        assert np.array_equal(dataset.pictures.read(row), expected)


def test_jpeg_xl_is_read_with_its_extra() -> None:
    pytest.importorskip("pillow_jxl", reason="not installed: pip install 'kakera[jxl]'")
    assert kinds.load_plugins("pillow_jxl")
    assert np.array_equal(decode(encoded(VALUES, "JXL", lossless=True), 3), VALUES)
