#!/bin/sh
# Pillow 13.0.0 reads the brightest values of a 16-bit colour JPEG 2000 as black.
#
# What is done: a lossless JPEG 2000 of one grey ramp in three channels, 0 to 65535, is written by OpenCV 5.0.0
# (OpenJPEG inside) and read by OpenCV and by Pillow. Pillow has no mode for colours of 16 bits and makes 8 of them.
#
# Expected: 65535, the brightest value, becomes 255, the brightest of 8 bits, as it does with a 16-bit PNG.
# Seen: 65535 becomes 0. Values from 65408 on are rounded up to 256, of which the lower 8 bits are 0. All other values
# are right, and grey JPEG 2000 of 16 bits (mode I;16) too.
#
# Why it matters: white clouds, paper and overexposed skies get black specks, without any message.
# Exits 0 while this is so, 1 where the behaviour has changed, 2 where it could not be tried.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv" || exit 2
"$place/venv/bin/pip" install --quiet --disable-pip-version-check \
    pillow==13.0.0 numpy==2.4.6 opencv-python-headless==5.0.0.93 || exit 2
cd "$place"
"$place/venv/bin/python" - <<'PYTHON'
import sys

import cv2
import numpy as np
import PIL
from PIL import Image

ramp = np.linspace(0, 65535, 64 * 1024).reshape(64, 1024).astype(np.uint16)
written = np.dstack([ramp] * 3)
options = [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000]  # lossless
assert cv2.imwrite("ramp.jp2", written, options)
assert cv2.imwrite("ramp.png", written)
by_opencv = cv2.imread("ramp.jp2", cv2.IMREAD_UNCHANGED)
by_pillow = np.asarray(Image.open("ramp.jp2"))
png = np.asarray(Image.open("ramp.png"))
print(f"Pillow {PIL.__version__}, OpenCV {cv2.__version__}")
print("OpenCV gives back what was written:", bool((by_opencv == written).all()))
for value in (0, 32768, 65280, 65407, 65408, 65535):
    at = tuple(np.argwhere(ramp == min(ramp.flat, key=lambda v: abs(int(v) - value)))[0])
    print(f"written {int(ramp[at]):5d}: JPEG 2000 by Pillow {by_pillow[at][0]:3d}, PNG by Pillow {png[at][0]:3d}")
black = by_pillow[..., 0][ramp >= 65408]
print(f"{black.size} values of 65408 or more, of which {int((black == 0).sum())} are read as 0")
sys.exit(0 if (by_opencv == written).all() and black.size and (black == 0).all() else 1)
PYTHON
