#!/bin/sh
# usearch 2.26.6: a batch search for more neighbours than there are answers with key 0, which is a stored vector.
#
# Input: three vectors with the keys 0, 1 and 2, and a search for five neighbours, of one query and of two.
# Expected: the same neighbours both times. The two missing places are left out, or have a key that no vector can
#   have (faiss: -1; the largest number of 64 bits).
# Seen: one query gives three keys. Two queries give five keys each: the last two are 0, with a distance of NaN,
#   as if vector 0 were there again. Only `counts` tells that they are none.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check usearch==2.26.6 numpy==2.3.4 2>"$place/log" ||
    { cat "$place/log" >&2; exit 2; }
cd "$place"
OMP_NUM_THREADS=1 "$place/venv/bin/python" - <<'PYTHON'
import numpy as np
import usearch
from usearch.index import Index

print("usearch", usearch.__version__)
vectors = np.eye(4, dtype=np.float32)
index = Index(ndim=4, metric="cos", dtype="f32")
index.add(np.arange(3), vectors[:3], threads=1)
one, two = index.search(vectors[1], 5, threads=1), index.search(vectors[1:3], 5, threads=1)
print("one query:", one.keys.tolist(), one.distances.tolist())
print("two queries:", two.keys.tolist(), two.distances.tolist(), "counts", two.counts.tolist())
filled = two.keys[:, 3:].tolist() == [[0, 0], [0, 0]] and np.isnan(two.distances[:, 3:]).all()
same = len(one.keys) == 3 and filled and two.counts.tolist() == [3, 3]
print("as described: key 0 fills the missing places" if same else "the behaviour has changed")
raise SystemExit(0 if same else 1)
PYTHON
