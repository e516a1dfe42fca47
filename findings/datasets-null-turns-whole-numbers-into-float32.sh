#!/bin/sh
# datasets 5.2.0: with the format "numpy", one missing value turns a batch of whole numbers into float32.
#
# Input: a column of the 64-bit numbers 16 777 217, 16 777 219, 16 777 221 (such as ids), and one missing value.
# Expected: as in pandas, a batch with a missing value becomes float64, which has all whole numbers up to 2^53.
# Seen: a batch without it is int64 and right; a batch with it is float32, and all three numbers become others:
#   16 777 216, 16 777 220, 16 777 220. Two ids are now the same. Which rows are wrong depends on which batch the
#   missing value is in, so another batch size gives other ids.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check datasets==5.2.0 2>"$place/log" ||
    { cat "$place/log" >&2; exit 2; }
cd "$place"
HF_HOME="$place/home" HF_HUB_OFFLINE=1 "$place/venv/bin/python" - <<'PYTHON'
import datasets
import pandas

print("datasets", datasets.__version__, "pandas", pandas.__version__)
ids = [16_777_217, 16_777_219, 16_777_221, None]
rows = datasets.Dataset.from_dict({"id": ids})
print("written:", ids)
found = {}
for size in (2, 4):
    batches = [batch["id"] for batch in rows.with_format("numpy").iter(batch_size=size)]
    found[size] = [float(value) for batch in batches for value in batch]
    print(f"numpy, batches of {size}:", [int(x) for x in found[size] if x == x], [str(b.dtype) for b in batches])
print("pandas:", [int(x) for x in rows.to_pandas()["id"].dropna()], rows.to_pandas()["id"].dtype)
same = found[2][:2] == ids[:2] and found[4][:3] == [16_777_216, 16_777_220, 16_777_220]
print("as described: ids change with the batch" if same else "the behaviour has changed")
raise SystemExit(0 if same else 1)
PYTHON
