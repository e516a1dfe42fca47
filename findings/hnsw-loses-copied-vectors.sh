#!/bin/sh
# faiss 1.15.1 and usearch 2.26.6: an HNSW index loses stored vectors with fifty copies each, however far it searches.
#
# Input: 200 random vectors of 16 numbers, each stored 50 times, one after another, as the frames of a still film
#   are; and 10 000 different ones. A fifth of the stored vectors is searched for.
# Expected: each query finds itself or one of its copies, at distance 0. Of the different vectors at most one of a
#   thousand is not found, and a wider search (512 candidates instead of 64) finds more, as the documents say.
# Seen: of the copied vectors, one to eight of a hundred queries get a stranger. A wider search does not help
#   faiss at all: no link leads to these groups, because copies fill each other's lists of neighbours. So the
#   recall that one measures on different vectors says nothing about a collection with copies.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check faiss-cpu==1.15.1 usearch==2.26.6 numpy==2.3.4 \
    2>"$place/log" || { cat "$place/log" >&2; exit 2; }
cd "$place"
OMP_NUM_THREADS=1 "$place/venv/bin/python" -W ignore - <<'PYTHON'
import faiss
import numpy as np
import usearch
from usearch.index import Index

print("faiss", faiss.__version__, "usearch", usearch.__version__)
faiss.omp_set_num_threads(1)


def by_faiss(vectors, wide):
    index = faiss.IndexHNSWFlat(16, 16)
    index.add(vectors)
    index.hnsw.efSearch = wide
    return index.search(vectors[::5], 1)[0][:, 0]


def by_usearch(vectors, wide):
    index = Index(ndim=16, metric="l2sq", dtype="f32", connectivity=16, expansion_search=wide)
    index.add(np.arange(len(vectors)), vectors, threads=1)
    return index.search(vectors[::5], 1, threads=1).distances[:, 0]


random = np.random.default_rng(0)
different = random.normal(size=(10_000, 16)).astype(np.float32)
copied = np.repeat(random.normal(size=(200, 16)).astype(np.float32), 50, axis=0)
lost = {}
for name, search in (("faiss", by_faiss), ("usearch", by_usearch)):
    for kind, vectors in (("different", different), ("copied", copied)):
        lost[name, kind] = [float(np.mean(search(vectors, wide) > 1e-3)) for wide in (64, 512)]
        shown = " and ".join(f"{100 * share:.2f} %" for share in lost[name, kind])
        print(f"{name}: {shown} of {kind} vectors are not found, with 64 and 512 candidates")
same = all(max(lost[name, "different"]) < 0.005 and min(lost[name, "copied"]) > 0.01 for name in ("faiss", "usearch"))
same = same and lost["faiss", "copied"][0] == lost["faiss", "copied"][1]
print("as described: groups of copies are lost" if same else "the behaviour has changed")
raise SystemExit(0 if same else 1)
PYTHON
