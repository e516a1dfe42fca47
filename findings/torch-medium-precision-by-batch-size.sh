#!/bin/sh
# torch 2.13.0 (CPU, x86-64): with set_float32_matmul_precision("medium") a row's result depends on how many rows
# there are: nn.Linear rounds to bfloat16 in large batches and computes small ones in float32.
#
# Input: nn.Linear layers and the same row, alone and as the first of 2 to 2048 equal rows, in evaluation mode.
# Expected: "medium" makes products of float32 use bfloat16 inside, where a fast algorithm is available: one precision
#   for one layer on one machine. Rows are independent, so each has the same result in every batch, to about 1e-6.
# Seen: up to some batch size the error is that of float32 (about 1e-7), from the next on it is ten thousand times as
#   large (about 2e-3). The place depends on the layer: for 768 inputs and 1000 outputs one row is already rounded,
#   for 64 inputs and 10 outputs some tens of rows are not, for a layer of one output some hundred are not. torch's
#   own limit is 4096 multiplications in all, oneDNN has others. So a check on single rows, or the last short batch of
#   an evaluation, measures another network than the full batches; the getter says "medium" throughout.
#
# Needs a processor with bfloat16 units; without them it says so. Exit code 0: as described, or no such units.
# 1: the behaviour has changed. 2: it could not be tried.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6 2>"$place/log" ||
    { cat "$place/log" >&2; exit 2; }
cd "$place"
"$place/venv/bin/python" - <<'PYTHON'
import sys

import torch
from torch import nn

torch.set_float32_matmul_precision("medium")
torch.manual_seed(0)
sizes = (1, 2, 4, 8, 16, 32, 64, 256, 2048)
rounded = {}
print("torch", torch.__version__, "precision", torch.get_float32_matmul_precision())
for inputs, outputs in ((768, 1000), (64, 64), (64, 10), (768, 1)):
    layer, row = nn.Linear(inputs, outputs).eval(), torch.randn(1, inputs)
    with torch.inference_mode():
        exact = row.double() @ layer.weight.double().T + layer.bias.double()
        errors = [((layer(row.repeat(n, 1))[:1] - exact).abs().max() / exact.abs().max()).item() for n in sizes]
    rounded[inputs, outputs] = [error > 1e-4 for error in errors]
    print(f"{inputs} to {outputs}:", ", ".join(f"{n} rows {error:.0e}" for n, error in zip(sizes, errors, strict=True)))
if not any(any(found) for found in rounded.values()):
    print("this processor has no bfloat16 units that torch uses for float32: nothing to see here")
    sys.exit(0)
seen = all(not rounded[64, n][0] and rounded[64, n][-1] for n in (10, 64)) and rounded[768, 1000][-1]
print("as described" if seen else "the behaviour has changed")
sys.exit(0 if seen else 1)
PYTHON
