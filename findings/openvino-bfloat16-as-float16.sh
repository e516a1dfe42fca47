#!/bin/sh
# OpenVINO 2026.4.1 (Python): an output of type bfloat16 is handed out as a numpy array of float16 with other numbers,
# and a float16 array given to a bfloat16 input is read as if its bits were bfloat16.
#
# Input: an ONNX graph with one Cast from float32 to bfloat16, and one from bfloat16 to float32, on 1, 2, 0.5 and -3,
#   which both types hold exactly. onnx.checker accepts each graph.
# Expected: the numbers 1, 2, 0.5, -3 in some type, or an error, since numpy has no bfloat16.
# Seen: the output reads 1.875, 2, 1.75, -2.125 with dtype float16: the 16 bits are right and only labelled wrongly
#   (viewed as ml_dtypes.bfloat16 they are 1, 2, 0.5, -3). The float16 array as input is accepted and computed as
#   0.0078, 2, 3.1e-05, -32; and Tensor.data of a bfloat16 tensor takes 1 and stores what is 0.0078. There is no
#   message. A model of bfloat16 weights and activations thus gives smooth, plausible, wrong scores; what it does with
#   float32 inputs and outputs is right.
#
# Exit code 0: as described. 1: the behaviour has changed. 2: it could not be tried.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check \
    openvino==2026.4.1 onnx==1.23.2 ml_dtypes==0.6.0 numpy==2.4.6 2>"$place/log" || { cat "$place/log" >&2; exit 2; }
cd "$place"
"$place/venv/bin/python" - <<'PYTHON'
import ml_dtypes
import numpy as np
import onnx
import openvino
from onnx import TensorProto, helper

values = [1.0, 2.0, 0.5, -3.0]
core = openvino.Core()


def cast(before: int, after: int) -> openvino.CompiledModel:
    graph = helper.make_graph(
        [helper.make_node("Cast", ["x"], ["y"], to=after)],
        "cast",
        [helper.make_tensor_value_info("x", before, [4])],
        [helper.make_tensor_value_info("y", after, [4])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return core.compile_model(core.read_model(model.SerializeToString()), "CPU")


out = np.array(cast(TensorProto.FLOAT, TensorProto.BFLOAT16)(np.array(values, np.float32))[0])
as_bfloat16 = out.view(ml_dtypes.bfloat16).astype(float)
back = cast(TensorProto.BFLOAT16, TensorProto.FLOAT)
from_float16 = np.array(back(np.array(values, np.float16))[0])
from_bfloat16 = np.array(back(np.array(values, ml_dtypes.bfloat16))[0])
tensor = openvino.Tensor(openvino.Type.bf16, openvino.Shape([1]))
tensor.data[:] = [1.0]
stored = float(tensor.data.view(ml_dtypes.bfloat16)[0])
print("openvino", openvino.__version__)
print(f"values {values}")
print(f"output: dtype {out.dtype}, {out}; the same bits as bfloat16: {as_bfloat16}")
print(f"input: given as float16 {from_float16}, given as ml_dtypes.bfloat16 {from_bfloat16}")
print(f"Tensor.data of a bfloat16 tensor: dtype {tensor.data.dtype}, 1.0 written, {stored} stored")
seen = (
    out.dtype == np.float16
    and out.tolist() != values
    and as_bfloat16.tolist() == from_bfloat16.tolist() == values
    and from_float16.tolist() != values
    and stored != 1
)
print("as described" if seen else "the behaviour has changed")
raise SystemExit(0 if seen else 1)
PYTHON
