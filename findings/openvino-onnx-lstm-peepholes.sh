#!/bin/sh
# OpenVINO 2026.4.1 (CPU): the peephole weights of an ONNX LSTM, and its option input_forget, do nothing.
#
# Input: one LSTM node (opset 14), 3 steps, batch 2, 4 inputs, 5 hidden units, random weights; plain, with peephole
#   weights P, and with input_forget=1. onnx.checker accepts each graph.
# Expected: with P the cell state enters the input, output and forget gates, as the ONNX specification says; the
#   numbers are those of the formulas, computed below in float64, and of ONNX Runtime 1.32.0. With input_forget=1 the
#   input and forget gates are coupled. What is unsupported raises an error, as OpenVINO does for the activation
#   HardSigmoid.
# Seen: both results equal the plain one, bit for bit, without a message, and are wrong by about 0.3 on a scale of 1.
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

steps, batch, wide, hidden = 3, 2, 4, 5
rng = np.random.default_rng(0)
x = rng.standard_normal((steps, batch, wide)).astype(np.float32)
weights = {
    "w": rng.standard_normal((1, 4 * hidden, wide)).astype(np.float32),
    "r": rng.standard_normal((1, 4 * hidden, hidden)).astype(np.float32),
    "p": 2 * rng.standard_normal((1, 3 * hidden)).astype(np.float32),
}
core = openvino.Core()
core.set_property("CPU", {"INFERENCE_PRECISION_HINT": "f32"})


def results(inputs: list[str], **options: int) -> tuple[np.ndarray, np.ndarray]:
    node = helper.make_node("LSTM", inputs, ["y"], hidden_size=hidden, **options)
    constants = [onnx.numpy_helper.from_array(value, name) for name, value in weights.items() if name in inputs]
    made = helper.make_graph(
        [node],
        "lstm",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, (steps, 1, batch, hidden))],
        constants,
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    data = model.SerializeToString()
    reference = onnxruntime.InferenceSession(data).run(None, {"x": x})[0]
    return reference, np.array(core.compile_model(core.read_model(data), "CPU")({"x": x})[0])


def formulas(peepholes: bool) -> np.ndarray:
    def sigmoid(v: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-v))

    w, r = weights["w"][0].astype(float), weights["r"][0].astype(float)
    p_i, p_o, p_f = np.split(weights["p"][0].astype(float) * peepholes, 3)
    h, c, found = np.zeros((batch, hidden)), np.zeros((batch, hidden)), []
    for step in x.astype(float):
        i, o, f, g = np.split(step @ w.T + h @ r.T, 4, axis=1)
        i, f = sigmoid(i + p_i * c), sigmoid(f + p_f * c)
        c = f * c + i * np.tanh(g)
        h = sigmoid(o + p_o * c) * np.tanh(c)
        found.append(h)
    return np.stack(found)[:, None]


plain_runtime, plain = results(["x", "w", "r"])
peep_runtime, peep = results(["x", "w", "r", "", "", "", "", "p"])
coupled_runtime, coupled = results(["x", "w", "r"], input_forget=1)
assert np.allclose(formulas(False), plain_runtime, atol=1e-5) and np.allclose(formulas(False), plain, atol=1e-5)
assert np.allclose(formulas(True), peep_runtime, atol=1e-5)
print("openvino", openvino.__version__)
print(f"plain: difference to the formulas {np.abs(plain - formulas(False)).max():.1e}")
print(f"peepholes: difference to the formulas {np.abs(peep - formulas(True)).max():.2f}"
      f" (ONNX Runtime {np.abs(peep_runtime - formulas(True)).max():.1e}),"
      f" to the plain result {np.abs(peep - plain).max()}")
print(f"input_forget: difference to ONNX Runtime {np.abs(coupled - coupled_runtime).max():.2f},"
      f" to the plain result {np.abs(coupled - plain).max()}")
seen = (
    bool((peep == plain).all() and (coupled == plain).all())
    and np.abs(peep - formulas(True)).max() > 0.1
    and np.abs(coupled - coupled_runtime).max() > 0.1
)
print("as described" if seen else "the behaviour has changed")
raise SystemExit(0 if seen else 1)
PYTHON
