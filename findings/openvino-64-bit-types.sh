#!/bin/sh
# OpenVINO 2026.4.1 (CPU): outputs typed int64 and float64 hold what 32 bits gave, even for one addition.
#
# Input: ONNX graphs of one node each, in int64 or float64 from end to end: times in microseconds, a count, a sign.
# Expected: numbers of the declared type, as numpy and ONNX Runtime 1.32.0 give; or an error, or a narrower output
#   type, where the type is not supported.
# Seen: int64 values are cut to their lower 32 bits before the operation (a positive number has the sign -1, two
#   different ones are equal), a sum stops at the end of int32, float64 is rounded to float32 (2**24 + 1 minus 2**24
#   is 0; 1e300 becomes 3.4e38). The result has the dtype int64 or float64 nevertheless, and there is no message; also
#   with INFERENCE_PRECISION_HINT=f32 and EXECUTION_MODE_HINT=ACCURACY.
#
# Exit code 0: as described. 1: the behaviour has changed. 2: it could not be tried.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check \
    openvino==2026.4.1 onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6 2>"$place/log" || { cat "$place/log" >&2; exit 2; }
cd "$place"
"$place/venv/bin/python" - <<'PYTHON'
import numpy as np
import onnx
import onnxruntime
import openvino
from onnx import helper

core = openvino.Core()
core.set_property("CPU", {"INFERENCE_PRECISION_HINT": "f32", "EXECUTION_MODE_HINT": "ACCURACY"})
microseconds = np.array([1_796_000_000_000_000, 1_796_000_000_000_500])
cases = (
    ("times, difference to an hour before", "Sub", [microseconds, microseconds[:1] - 3_600_000_000], np.subtract),
    ("sum of four counts", "ReduceSum", [np.full(4, 10**9)], lambda a: a.sum(keepdims=True)),
    ("sign of 2**31", "Sign", [np.array([2**31])], np.sign),
    ("2**33 + 1 equals 2**34 + 1", "Equal", [np.array([2**33 + 1]), np.array([2**34 + 1])], np.equal),
    ("2**24 + 1 minus 2**24", "Sub", [np.array([16777217.0]), np.array([16777216.0])], np.subtract),
    ("1e300 minus 1", "Sub", [np.array([1e300]), np.array([1.0])], np.subtract),
)
wrong = []
print("openvino", openvino.__version__)
for told, operator, values, oracle in cases:
    wanted = oracle(*values)
    feed = dict(zip("ab", values, strict=False))
    kind = helper.np_dtype_to_tensor_dtype
    infos = [helper.make_tensor_value_info(name, kind(v.dtype), v.shape) for name, v in feed.items()]
    output = helper.make_tensor_value_info("y", kind(wanted.dtype), wanted.shape)
    graph = helper.make_graph([helper.make_node(operator, list(feed), ["y"])], "one", infos, [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    data = model.SerializeToString()
    assert (onnxruntime.InferenceSession(data).run(None, feed)[0] == wanted).all()
    found = np.array(core.compile_model(core.read_model(data), "CPU")(feed)[0])
    wrong.append(found.dtype == wanted.dtype and bool((found != wanted).any()))
    print(f"{told}: wanted {wanted}, got {found}, dtype {found.dtype}")
print("as described" if all(wrong) else "the behaviour has changed")
raise SystemExit(0 if all(wrong) else 1)
PYTHON
