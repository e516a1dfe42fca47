#!/bin/sh
# torch 2.13.0 (CPU, x86-64): on a CPU without VNNI, the int8 linear map of torch.ops.onednn returns half of the sum.
#
# Input: inputs in uint8, all 255 (scale 1/255), and weights in int8, all 127 (scale 1/127): ordinary values, since a
#   scale is chosen so that the largest value becomes 255 or 127. oneDNN is held to AVX2 by its own variable,
#   ONEDNN_MAX_CPU_ISA, as it is by itself on CPUs of before 2019 and on AMD before Zen 4.
# Expected: 64 products of 1 * 1 are 64, because products of int8 are summed in int32; torch says `qlinear_pointwise`
#   is its int8 linear map for CPUs and refuses CPUs that it does not support. Or an error, or a slower exact sum.
# Seen: 32.377: pairs of products are summed in int16 and cut off at 32 767 (of 64 770). There is no message. Weights
#   up to 64 (7 bits) give the right sum. oneDNN writes of it under "Nuances of int8 Computations"; torch's defaults
#   (qlinear_prepack, X86InductorQuantizer without reduce_range) use 8 bits.
#
# Exit code 0: as described. 1: the behaviour has changed. 2: it could not be tried.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check \
    torch==2.13.0 numpy==2.4.6 2>"$place/log" || { cat "$place/log" >&2; exit 2; }
cd "$place"
ONEDNN_MAX_CPU_ISA=AVX2 "$place/venv/bin/python" - <<'PYTHON'
import torch


def summed(largest):
    """Return 64 products of 1 * 1 in int8, where `largest` stands for a weight of 1."""
    weight = torch.full((8, 64), largest, dtype=torch.int8)
    packed = torch.ops.onednn.qlinear_prepack(weight, None)
    scales, zeros = torch.full((8,), 1 / largest), torch.zeros(8, dtype=torch.int32)
    ones = torch.full((4, 64), 255, dtype=torch.uint8)
    last = (None, 1.0, 0, torch.float32, "none", [], "none")
    return torch.ops.onednn.qlinear_pointwise(ones, 1 / 255, 0, packed, scales, zeros, *last)[0, 0].item()


print("torch", torch.__version__)
eight, seven = summed(127), summed(64)
print(f"64 products of 1: with weights of 8 bits {eight:.3f}, with weights of 7 bits {seven:.3f}")
as_described = abs(eight - 64 * 32767 / (2 * 255 * 127)) < 1e-2 and abs(seven - 64) < 1e-3
print("as described" if as_described else "the behaviour has changed")
raise SystemExit(0 if as_described else 1)
PYTHON
