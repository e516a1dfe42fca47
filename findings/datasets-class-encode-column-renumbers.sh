#!/bin/sh
# datasets 5.2.0: `class_encode_column` of whole numbers gives them other numbers, from eleven classes on.
#
# Input: a column with the numbers 0 to 11.
# Expected: numbers that are already 0 to 11 stay as they are; `cast_column` to a ClassLabel of twelve keeps them.
# Seen: they are sorted as texts, so 2 becomes 4, 10 becomes 2, and only 0 and 1 stay. With ten classes all stay,
#   so a trial on a smaller set shows nothing. Weights and predictions of the old numbers no longer fit.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check datasets==5.2.0 2>"$place/log" ||
    { cat "$place/log" >&2; exit 2; }
cd "$place"
HF_HOME="$place/home" HF_HUB_OFFLINE=1 "$place/venv/bin/python" - <<'PYTHON'
import datasets

datasets.disable_progress_bars()
print("datasets", datasets.__version__)
found = {}
for count in (10, 12):
    numbers = datasets.Dataset.from_dict({"label": list(range(count))})
    found[count] = numbers.class_encode_column("label")["label"][:]
    kept = numbers.cast_column("label", datasets.ClassLabel(num_classes=count))["label"][:]
    print(f"{count} classes: {list(range(count))}")
    print(f"  class_encode_column: {found[count]}")
    print(f"  cast_column:         {kept}")
same = found[10] == list(range(10)) and found[12] == [0, 1, 4, 5, 6, 7, 8, 9, 10, 11, 2, 3]
print("as described: ten classes stay, of twelve only two" if same else "the behaviour has changed")
raise SystemExit(0 if same else 1)
PYTHON
