#!/bin/sh
# OpenVINO 2026.4.1 (CPU): a max-pooling with ceil_mode=1 can end in a row and a column of -3.4e38 or -inf.
#
# Input: one ONNX MaxPool (opset 22), kernel 2, stride 3, padding 1, ceil_mode 1, on finite values of shape (1, 1, 5,
#   5), as it comes from torch.nn.MaxPool2d(2, 3, 1, ceil_mode=True). onnx.checker accepts the graph.
# Expected: shape (1, 1, 2, 2), finite. ONNX says that a window which would start in the padding at the end is left
#   out; ONNX Runtime 1.32.0 and shape inference in onnx do so, and OpenVINO itself for AveragePool with the same
#   numbers.
# Seen: (1, 1, 3, 3); the third row and the third column lie wholly in the padding and hold the lowest float32 or -inf
#   (which one depends on the kernel that runs), so that what follows overflows or becomes NaN. There is no message,
#   although the graph declares (1, 1, 2, 2).
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
from onnx import TensorProto, helper

x = np.random.default_rng(0).uniform(1, 2, (1, 1, 5, 5)).astype(np.float32)
core = openvino.Core()
core.set_property("CPU", {"INFERENCE_PRECISION_HINT": "f32"})


def results(kind: str) -> tuple[np.ndarray, np.ndarray]:
    node = helper.make_node(kind, ["x"], ["y"], kernel_shape=[2, 2], strides=[3, 3], pads=[1] * 4, ceil_mode=1)
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, (1, 1, 2, 2))]
    made = helper.make_graph([node], "pool", inputs, outputs)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    data = model.SerializeToString()
    reference = onnxruntime.InferenceSession(data).run(None, {"x": x})[0]
    return reference, np.array(core.compile_model(core.read_model(data), "CPU")({"x": x})[0])


print("openvino", openvino.__version__)
largest, found = results("MaxPool")
mean, found_mean = results("AveragePool")
edge = np.pad(x[0, 0], 1, constant_values=-np.inf)
by_hand = np.array([[edge[i : i + 2, j : j + 2].max() for j in (0, 3)] for i in (0, 3)])
assert (largest[0, 0] == by_hand).all()
print(f"MaxPool by hand and by ONNX Runtime {largest.shape}:\n{largest[0, 0]}")
print(f"MaxPool by OpenVINO {found.shape}:\n{found[0, 0]}")
print(f"AveragePool: ONNX Runtime {mean.shape}, OpenVINO {found_mean.shape}")
extra = found.shape == (1, 1, 3, 3) and bool((found[0, 0, 2] < -1e38).all() and (found[0, 0, :, 2] < -1e38).all())
seen = extra and found_mean.shape == mean.shape
print("as described" if seen else "the behaviour has changed")
raise SystemExit(0 if seen else 1)
PYTHON
