#!/bin/sh
# soundfile 0.14.0 (libsndfile 1.2.2), seen on Linux x86-64 in November 2026.
#
# Input: one second of a tone, written by soundfile itself as MP3 (which has no ID3 tag), read from io.BytesIO.
# Expected: what is read from memory does not depend on the folder that the program was started in.
# Seen: where the working folder holds an empty file of the name "._", the same bytes are refused, with messages
#   about resource forks and maps. soundfile itself leaves such a file there when it is asked to write an SD2 file
#   into io.BytesIO. WAV, and the same MP3 behind an empty ID3 tag, are read all the same.
#
# Exit code 0: as described. 1: the behaviour has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 soundfile==0.14.0 cffi==2.1.1
mkdir "$folder/work"
cd "$folder/work"
"$folder/venv/bin/python" - <<'PYTHON'
import io
import sys
from pathlib import Path

import numpy as np
import soundfile


def attempt(content: bytes) -> str:
    try:
        return f"{len(soundfile.read(io.BytesIO(content))[0])} samples"
    except soundfile.LibsndfileError as error:
        return f"refused ({error.error_string})"


values = 0.3 * np.sin(np.arange(44_100) / 20)
contents = {}
for kind in ("WAV", "MP3"):
    file = io.BytesIO()
    soundfile.write(file, values, 44_100, format=kind)
    contents[kind] = file.getvalue()
contents["MP3 behind a tag"] = b"ID3\3\0\0\0\0\0\x0a" + bytes(10) + contents["MP3"]
before = {kind: attempt(content) for kind, content in contents.items()}
soundfile.write(io.BytesIO(), values, 44_100, format="SD2", subtype="PCM_16")
print("left in the working folder by an SD2 file in memory:", sorted(path.name for path in Path().iterdir()))
Path("._").touch()
after = {kind: attempt(content) for kind, content in contents.items()}
for kind in contents:
    print(f"{kind}: {before[kind]}; with a file ._ in the working folder: {after[kind]}")
others = all(before[kind] == after[kind] == "44100 samples" for kind in ("WAV", "MP3 behind a tag"))
sys.exit(0 if others and before["MP3"] == "44100 samples" and "refused" in after["MP3"] else 1)
PYTHON
