#!/bin/sh
# Pillow 13.0.0 swaps the bytes of 32-bit values in compressed big-endian TIFF files.
#
# What is done: tifffile 2026.3.3 writes the same floats (0 to 1) and the same whole numbers (0 to 200) as TIFF, little-
# and big-endian, without compression and with deflate. tifffile and Pillow read all of them.
#
# Expected: the same values from all eight files, as tifffile gives.
# Seen: Pillow gives other values for the two that are big-endian and compressed, without an error: libtiff has already
# put the bytes into the machine's order when Pillow, which still goes by the file's order, swaps them once more.
#
# Why it matters: the type of the picture, its size and its mode are right, so that nothing shows the mistake; a float of
# 0.5 (3f 00 00 00) becomes 8.8e-44, and a whole elevation map nearly black.
# Exits 0 while this is so, 1 where the behaviour has changed, 2 where it could not be tried.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv" || exit 2
"$place/venv/bin/pip" install --quiet --disable-pip-version-check \
    pillow==13.0.0 numpy==2.4.6 tifffile==2026.3.3 || exit 2
cd "$place"
"$place/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
import PIL
import tifffile
from PIL import Image

kinds = {
    "float32": np.linspace(0, 1, 32 * 40).reshape(32, 40).astype(np.float32),
    "int32": np.linspace(0, 200, 32 * 40).reshape(32, 40).astype(np.int32),
}
print(f"Pillow {PIL.__version__}, tifffile {tifffile.__version__}")
wrong = set()
for name, values in kinds.items():
    for order, word in (("<", "little-endian"), (">", "big-endian")):
        for compression in (None, "deflate"):
            tifffile.imwrite("x.tif", values, byteorder=order, compression=compression, photometric="minisblack")
            assert (tifffile.imread("x.tif") == values).all()
            found = np.asarray(Image.open("x.tif"))
            same = bool(np.array_equal(found, values))
            last = f"last value written {values[-1, -1]:g}, by Pillow {found[-1, -1]:g}"
            print(f"{name}, {word}, {compression or 'not compressed'}: {'same' if same else 'other values'}; {last}")
            if not same:
                wrong.add((name, order, compression))
sys.exit(0 if wrong == {(name, ">", "deflate") for name in kinds} else 1)
PYTHON
