#!/bin/sh
# OpenVINO 2026.4.1 (CPU): an ONNX DFT of opset 20 or later is taken along axis 1, whatever axis the model names, and
# a one-sided DFT of a real signal gains a dimension.
#
# Input: one DFT node on real signals of shape (2, 6, 8, 1), with axis 1 or 2, full or one-sided, in opsets 17 and 20.
#   onnx.checker accepts each graph.
# Expected: numpy's fft or rfft along that axis, with real and imaginary parts last: (2, 6, 8, 2) or (2, 6, 5, 2) for
#   axis 2. ONNX made `axis` an input in opset 20 (before, it was an attribute). ONNX Runtime 1.32.0 agrees with
#   numpy.
# Seen: in opset 20 axis 2 gives the transform along axis 1: a result of the right shape with the wrong numbers,
#   without a message. A one-sided transform gives a shape with an extra 1, such as (2, 6, 5, 1, 2), in both opsets.
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


def graph(opset: int, axis: int, onesided: int, shape: tuple[int, ...]) -> onnx.ModelProto:
    constants = []
    if opset < 20:
        node = helper.make_node("DFT", ["x"], ["y"], axis=axis, onesided=onesided)
    else:
        node = helper.make_node("DFT", ["x", "", "axis"], ["y"], onesided=onesided)
        constants = [helper.make_tensor("axis", TensorProto.INT64, [], [axis])]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, (2, 6, 8, 1))]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)]
    made = helper.make_graph([node], "dft", inputs, outputs, constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return model


def transform(x: np.ndarray, axis: int, onesided: int) -> np.ndarray:
    found = (np.fft.rfft if onesided else np.fft.fft)(x[..., 0], axis=axis)
    return np.stack([found.real, found.imag], -1).astype(np.float32)


x = np.random.default_rng(0).standard_normal((2, 6, 8, 1)).astype(np.float32)
core = openvino.Core()
core.set_property("CPU", {"INFERENCE_PRECISION_HINT": "f32"})
seen = {}
print("openvino", openvino.__version__)
for opset in (17, 20):
    for onesided in (0, 1):
        for axis in (1, 2):
            wanted = transform(x, axis, onesided)
            data = graph(opset, axis, onesided, wanted.shape).SerializeToString()
            onnxruntime_found = onnxruntime.InferenceSession(data).run(None, {"x": x})[0]
            assert np.allclose(onnxruntime_found, wanted, atol=1e-4)
            found = np.array(core.compile_model(core.read_model(data), "CPU")({"x": x})[0])
            same = found.shape == wanted.shape and np.allclose(found, wanted, atol=1e-4)
            other = transform(x, 3 - axis, onesided)
            swapped = found.shape == other.shape and np.allclose(found, other, atol=1e-4)
            seen[opset, onesided, axis] = (same, swapped, found.shape)
            told = "right" if same else f"what axis {3 - axis} would give" if swapped else "wrong shape"
            print(f"opset {opset}, onesided {onesided}, axis {axis}: wanted {wanted.shape}, got {found.shape}: {told}")
wrong_axis = seen[17, 0, 2][0] and not seen[20, 0, 2][0] and seen[20, 0, 2][1]
extra = seen[17, 1, 2][2] == (2, 6, 5, 1, 2) and seen[20, 1, 1][2] == (2, 4, 8, 1, 2)
print("as described" if wrong_axis and extra else "the behaviour has changed")
raise SystemExit(0 if wrong_axis and extra else 1)
PYTHON
