#!/bin/sh
# datasets 5.2.0: what first appears after the fifth sample of a webdataset tar file is lost without a word.
#
# Input: a tar file of seven samples, 0.png … 4.png, then 5.png with 5.cls, then 6.jpg. All are valid.
# Expected: seven samples with their pictures, and the label of the sixth; or an error that names what differs,
#   as there is where one of the first five differs.
# Seen: seven samples; the sixth has no `cls`, and the seventh has `png` None and no `jpg`. The columns are
#   taken from the first five samples (NUM_EXAMPLES_FOR_FEATURES_INFERENCE), and others are dropped.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check datasets==5.2.0 pillow==12.0.0 2>"$place/log" ||
    { cat "$place/log" >&2; exit 2; }
cd "$place"
HF_HOME="$place/home" HF_HUB_OFFLINE=1 "$place/venv/bin/python" - <<'PYTHON'
import io
import tarfile

import datasets
from PIL import Image

with tarfile.open("seven.tar", "w") as tar:
    for number in range(7):
        kind = "jpg" if number == 6 else "png"
        file = io.BytesIO()
        Image.new("L", (8, 8), 30 * number).save(file, "JPEG" if kind == "jpg" else "PNG")
        members = {f"{number}.{kind}": file.getvalue()}
        if number == 5:
            members["5.cls"] = b"1"
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))

rows = list(datasets.load_dataset("webdataset", data_files="seven.tar", split="train", streaming=True))
print("datasets", datasets.__version__)
for row in rows:
    shown = {name: "a picture" if isinstance(value, Image.Image) else value for name, value in row.items()}
    del shown["__url__"]
    print(shown)
lost = len(rows) == 7 and "cls" not in rows[5] and rows[6]["png"] is None and "jpg" not in rows[6]
print("as described: label 5 and picture 6 are lost" if lost else "the behaviour has changed")
raise SystemExit(0 if lost else 1)
PYTHON
