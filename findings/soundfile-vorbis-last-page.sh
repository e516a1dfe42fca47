#!/bin/sh
# soundfile 0.14.0 (libsndfile 1.2.2, libvorbis), seen on Linux x86-64 in November 2026.
#
# Input: four seconds of a tone, written by soundfile itself as Ogg Vorbis.
# Expected: after seek(n) read gives the samples from n on, as one read of the whole file has them.
# Seen: where n lies in the last page of the file, what is read comes from a little later in the recording
#   (some tens to some hundreds of samples, the same for all places of a file), and the last samples are repeated or
#   missing; everywhere else seek is exact. The last page's position counts the samples that are to be kept, not those
#   that its last packet decodes to, and libsndfile seems to count back from it.
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


def late(name: str, whole: np.ndarray, place: int) -> int | None:
    with soundfile.SoundFile(name) as file:
        file.seek(place)
        found = file.read(400, dtype="float32")
    for shift in range(1_200):
        there = whole[place + shift : place + shift + 200]
        if len(there) == 200 and np.abs(found[:200] - there).max() < 1e-5:
            return shift
    return None


wrong = 0
for rate in (44_100, 48_000, 22_050):
    time = np.arange(4 * rate + 100) / rate
    values = 0.4 * np.sin(2 * np.pi * (100 * time + rate / 40 * time**2))
    soundfile.write("a.ogg", values, rate)
    whole, _ = soundfile.read("a.ogg", dtype="float32")
    for before_end in (3 * rate, 6_000, 3_000):
        place = len(whole) - before_end
        shift = late("a.ogg", whole, place)
        print(f"{rate} Hz, {before_end} samples before the end: read from {shift} samples after the place sought")
        wrong += before_end < rate and shift != 0
sys.exit(0 if wrong else 1)
PYTHON
