#!/bin/sh
# datasets 5.2.0: `to_parquet` of a folder of pictures writes no picture, `save_to_disk` of the same one does.
#
# Input: a class folder of six pictures, read with `load_dataset("imagefolder", …)`.
# Expected: both ways of writing give a copy that is complete without the folder, as the type of the column
#   (bytes and path) suggests, and as `save_to_disk` and `push_to_hub` do.
# Seen: the Parquet file has null for the bytes, and the absolute paths of the folder. It opens and has all rows and
#   labels; after the folder is gone, reading a picture fails, while the data set that was saved still has them.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check datasets==5.2.0 pillow==12.0.0 2>"$place/log" ||
    { cat "$place/log" >&2; exit 2; }
cd "$place"
HF_HOME="$place/home" HF_HUB_OFFLINE=1 "$place/venv/bin/python" - <<'PYTHON'
import pathlib
import shutil

import datasets
import pyarrow.parquet
from PIL import Image

datasets.disable_progress_bars()
print("datasets", datasets.__version__)
for number in range(6):
    folder = pathlib.Path("pictures", "ab"[number % 2])
    folder.mkdir(parents=True, exist_ok=True)
    Image.new("L", (64, 64), 40 * number).save(folder / f"{number}.png")
whole = datasets.load_dataset("imagefolder", data_dir="pictures", split="train")
whole.to_parquet("written.parquet")
whole.save_to_disk("saved")
first = pyarrow.parquet.read_table("written.parquet")["image"][0].as_py()
print("in the Parquet file: bytes", first["bytes"], "path", "absolute" if first["path"].startswith("/") else "relative")
shutil.rmtree("pictures")
shutil.rmtree("home", ignore_errors=True)
saved = datasets.load_from_disk("saved")
print("saved, after the folder is gone:", saved[5]["image"].size)
found = datasets.Dataset.from_parquet("written.parquet")
print("Parquet, after the folder is gone:", len(found), "rows,", end=" ")
try:
    print(found[5]["image"].size)
    lost = False
except FileNotFoundError as error:
    lost = True
    print(type(error).__name__)
same = lost and first["bytes"] is None and saved[5]["image"].size == (64, 64)
print("as described: the Parquet file has only paths" if same else "the behaviour has changed")
raise SystemExit(0 if same else 1)
PYTHON
