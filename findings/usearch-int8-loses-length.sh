#!/bin/sh
# usearch 2.26.6: with dtype i8, vectors lose their length, also for the metrics that need it.
#
# Input: 1 000 vectors of 16 numbers, of different lengths, and the pair v, 2v.
# Expected: i8 rounds the numbers, so that the nearest by squared distance (l2sq) are about the same as with f32;
#   or an error that only cos is possible.
# Seen: every vector is scaled to the same length before it is rounded. The distance of v and 2v is 0, and about
#   half of the ten nearest are others. No word, and exact search gives the same, so it looks like rounding.
#   With f16 nine of ten agree or more.
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
random = np.random.default_rng(0)
lengths = random.uniform(0.1, 10, size=(1000, 1))
vectors = (lengths * random.normal(size=(1000, 16))).astype(np.float32)
pair = np.stack([vectors[0], 2 * vectors[0]])


def index(values, dtype):
    made = Index(ndim=16, metric="l2sq", dtype=dtype)
    made.add(np.arange(len(values)), values, threads=1)
    return made


exact = np.square(vectors[:200, None] - vectors[None]).sum(axis=2).argsort(axis=1)[:, :10]
agree = {}
for dtype in ("f32", "f16", "i8"):
    found = index(vectors, dtype).search(vectors[:200], 10, exact=True, threads=1).keys.astype(int)
    agree[dtype] = np.mean([len({*a} & {*b}) / 10 for a, b in zip(exact, found)])
    distance = float(index(pair, dtype).search(pair[0], 2, exact=True, threads=1).distances.max())
    print(f"{dtype}: {100 * agree[dtype]:.1f} % of the ten nearest, squared distance of v and 2v: {distance:.6g}")
true = float(np.square(pair[1] - pair[0]).sum())
print(f"the true squared distance: {true:.6g}")
same = agree["f16"] > 0.9 and agree["i8"] < 0.6 and distance == 0
print("as described: the length is lost" if same else "the behaviour has changed")
raise SystemExit(0 if same else 1)
PYTHON
