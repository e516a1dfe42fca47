#!/bin/sh
# datasets 5.2.0: of several Parquet files, the numbers of classes get the names of the first file.
#
# Input: two Parquet files that `Dataset.to_parquet` wrote. Each has a picture's colour as text and as a ClassLabel.
#   The names of the first are red, green; those of the second green, red, so the same number means another class.
# Expected: every label keeps its name, as `to_parquet` stored it in the file; or an error, as there is where the
#   same two data sets are given to `concatenate_datasets`.
# Seen: `load_dataset("parquet", …)` of both files gives the second file the names of the first, without a word:
#   all of its labels are wrong. The same if the second file is the test split, and with streaming.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check datasets==5.2.0 2>"$place/log" ||
    { cat "$place/log" >&2; exit 2; }
cd "$place"
HF_HOME="$place/home" HF_HUB_OFFLINE=1 "$place/venv/bin/python" - <<'PYTHON'
import datasets
from datasets import ClassLabel, Dataset, Features, Value, concatenate_datasets, load_dataset

datasets.disable_progress_bars()
print("datasets", datasets.__version__)
parts = []
for file, names in (("one.parquet", ["red", "green"]), ("two.parquet", ["green", "red"])):
    features = Features({"colour": Value("string"), "label": ClassLabel(names=names)})
    parts.append(Dataset.from_dict({"colour": names, "label": [0, 1]}, features=features))
    parts[-1].to_parquet(file)


def named(found):
    return [(row["colour"], found.features["label"].int2str(row["label"])) for row in found]


print("written (colour, label):", named(parts[0]) + named(parts[1]))
both = named(load_dataset("parquet", data_files=["one.parquet", "two.parquet"], split="train"))
files = {"train": "one.parquet", "test": "two.parquet"}
test = named(load_dataset("parquet", data_files=files)["test"])
stream = named(load_dataset("parquet", data_files=files, streaming=True)["test"])
print("both files:", both)
print("second file as test split:", test, "streaming:", stream)
try:
    concatenate_datasets(parts)
    refused = False
except ValueError as error:
    refused = True
    print("concatenate_datasets:", str(error)[:120])
wrong = [("green", "red"), ("red", "green")]
same = refused and both[:2] == [("red", "red"), ("green", "green")] and both[2:] == test == stream == wrong
print("as described: every label of the second file is wrong" if same else "the behaviour has changed")
raise SystemExit(0 if same else 1)
PYTHON
