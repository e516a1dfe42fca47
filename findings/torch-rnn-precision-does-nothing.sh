#!/bin/sh
# torch 2.13.0 (CPU, x86-64): torch.backends.mkldnn.rnn.fp32_precision = "bf16" changes nothing in nn.LSTM and nn.GRU;
# the switch for matrix products changes nn.GRU and leaves nn.LSTM.
#
# Input: nn.LSTM and nn.GRU, 256 inputs, 256 hidden units, 20 steps, batch 32, in float32, with and without gradients;
#   each switch (mkldnn.rnn, mkldnn.matmul, mkldnn, all) is set to "bf16" before the first call and back after it.
# Expected: the note on the MKLDNN backend says that mkldnn.rnn.fp32_precision sets the precision inside its recurrent
#   layers, and that matrix products inside nn.GRU and nn.LSTM follow the setting too. With "bf16" the results move by
#   some thousandths, as those of nn.Linear do.
# Seen: with mkldnn.rnn "bf16" the results are the same bit for bit, in both layers, and the setting reads back as
#   "bf16". With mkldnn.matmul "bf16" nn.GRU moves by thousandths and nn.LSTM not at all. So no setting reaches
#   nn.LSTM, although oneDNN computes it, and who sets "rnn" to save time gets neither the time nor a message.
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
cat >try.py <<'PYTHON'
import sys

import torch
from torch import nn

places = {
    "rnn": torch.backends.mkldnn.rnn,
    "matmul": torch.backends.mkldnn.matmul,
    "mkldnn": torch.backends.mkldnn,
    "all": torch.backends,
}
layer, where = sys.argv[1:]
torch.manual_seed(0)
model = nn.Linear(256, 256) if layer == "Linear" else getattr(nn, layer)(256, 256, batch_first=True)
x = torch.randn(32, 20, 256)


def results() -> list[torch.Tensor]:
    found = []
    for gradients in (False, True):
        with torch.set_grad_enabled(gradients):
            y = model(x)
        found.append((y if layer == "Linear" else y[0]).detach())
    return found


places[where].fp32_precision = "bf16"
reads = places[where].fp32_precision
changed = results()
places[where].fp32_precision = "ieee"
plain = results()
print(reads, *(f"{(a - b).abs().max().item():.6f}" for a, b in zip(changed, plain, strict=True)))
PYTHON
cat >main.py <<'PYTHON'
import subprocess
import sys

moved = {}
for layer in ("Linear", "GRU", "LSTM"):
    for where in ("rnn", "matmul", "mkldnn", "all"):
        run = subprocess.run([sys.executable, "try.py", layer, where], capture_output=True, text=True, check=True)
        reads, *changes = run.stdout.split()
        moved[layer, where] = [float(change) for change in changes]
        print(f"nn.{layer}, {where} set to bf16 (reads {reads}): moved by {changes[0]}, with gradients {changes[1]}")
if max(moved["Linear", "matmul"]) == 0:
    print("this processor has no bfloat16 units that torch uses for float32: nothing to see here")
    sys.exit(0)
still = [moved[layer, where] for layer, where in moved if layer == "LSTM"] + [moved["GRU", "rnn"]]
seen = all(max(pair) == 0 for pair in still) and min(moved["GRU", "matmul"]) > 1e-4
print("as described" if seen else "the behaviour has changed")
sys.exit(0 if seen else 1)
PYTHON
"$place/venv/bin/python" main.py
