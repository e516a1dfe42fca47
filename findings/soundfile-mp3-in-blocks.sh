#!/bin/sh
# soundfile 0.14.0 (libsndfile 1.2.2, mpg123), seen on Linux x86-64 in November 2026.
#
# Input: three seconds of a tone that swells, written by soundfile itself as MP3 of variable bit rate.
# Expected: SoundFile.read in blocks, one after another, gives the samples that one read of the whole file gives.
# Seen: behind many of the block borders samples are zero or wrong (2 to 15 % of all here); no error is raised. soundfile
#   seeks to where it stands after each read, and the decoder, which keeps bits of earlier MP3 frames, drops them.
#
# Exit code 0: as described. 1: the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 soundfile==0.14.0 cffi==2.1.1
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
import soundfile

rate = 44_100
time = np.arange(3 * rate) / rate
noise = np.random.default_rng(0).standard_normal(len(time)) * 0.02
swell = np.sin(np.linspace(0, 9, len(time))) ** 2
values = 0.5 * np.sin(2 * np.pi * (100 * time + rate / 24 * time**2)) * swell + noise * swell**4
soundfile.write("a.mp3", values, rate, bitrate_mode="VARIABLE", compression_level=0.5)
whole, _ = soundfile.read("a.mp3", dtype="float32")
changed = 0
for size in (5_000, 30_870, 44_100):
    with soundfile.SoundFile("a.mp3") as file:
        blocks = []
        while len(block := file.read(size, dtype="float32")):
            blocks.append(block)
    joined = np.concatenate(blocks)
    other = np.abs(joined - whole[: len(joined)]) > 1e-4
    zeros = int((other & (joined == 0)).sum())
    print(f"blocks of {size}: {len(joined)} of {len(whole)} samples, {int(other.sum())} differ, {zeros} of them are 0")
    changed += int(other.sum())
sys.exit(0 if changed else 1)
PYTHON
