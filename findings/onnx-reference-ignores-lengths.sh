#!/bin/sh
# onnx 1.23.2: the reference evaluator ignores sequence_lens, activations and clip of RNN, GRU and LSTM.
#
# Input: graphs of one recurrent node (opset 22), 4 steps, batch 2, 3 inputs, 5 hidden units, random weights: plain,
#   with lengths 1 and 4, with other activations, and with clip=0.3.
# Expected: as the specification of ONNX says, which this evaluator is there to show: the outputs behind the end of a
#   sequence are 0 and Y_h is the state at its end; the named activations are used; what goes into an activation is
#   clipped. For lengths the oracle is the same node on each sequence alone, cut to its length.
# Seen: each result equals the plain one, bit for bit, without a message, so that a padded sequence runs on into its
#   padding. (RNN with the activation Relu raises "Unknown activation function".) ONNX Runtime 1.32.0 agrees with the
#   oracle for lengths. Who checks an exported graph with the reference evaluator is told that right outputs are
#   wrong.
#
# Exit code 0: as described. 1: the behaviour has changed. 2: it could not be tried.
set -eu
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check \
    onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6 2>"$place/log" || { cat "$place/log" >&2; exit 2; }
cd "$place"
"$place/venv/bin/python" - <<'PYTHON'
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

steps, batch, wide, hidden = 4, 2, 3, 5
lengths = np.array([1, 4], np.int32)
rng = np.random.default_rng(0)
x = rng.standard_normal((steps, batch, wide)).astype(np.float32)


def node(kind: str, gates: int, shape: tuple[int, ...], lens: np.ndarray | None = None, **options: object) -> bytes:
    draw = np.random.default_rng(1)
    constants = {
        "w": draw.standard_normal((1, gates * hidden, wide)).astype(np.float32),
        "r": draw.standard_normal((1, gates * hidden, hidden)).astype(np.float32),
    }
    inputs = ["x", "w", "r"]
    if lens is not None:
        constants["lens"] = lens
        inputs += ["", "lens"]
    many, size, _ = shape
    graph = helper.make_graph(
        [helper.make_node(kind, inputs, ["y", "y_h"], hidden_size=hidden, **options)],
        kind,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [
            helper.make_tensor_value_info("y", TensorProto.FLOAT, (many, 1, size, hidden)),
            helper.make_tensor_value_info("y_h", TensorProto.FLOAT, (1, size, hidden)),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString()


def reference(data: bytes, feed: np.ndarray) -> list[np.ndarray]:
    return ReferenceEvaluator(onnx.load_from_string(data)).run(None, {"x": feed})


ignored = []
print("onnx", onnx.__version__)
for kind, gates, activations in (
    ("RNN", 1, None),
    ("GRU", 3, ["Sigmoid", "Relu"]),
    ("LSTM", 4, ["Sigmoid", "Relu", "Relu"]),
):
    plain = reference(node(kind, gates, x.shape), x)
    alone = np.zeros_like(plain[0])
    last = np.zeros_like(plain[1])
    for place, length in enumerate(lengths):
        cut = np.ascontiguousarray(x[:length, place : place + 1])
        y, y_h = reference(node(kind, gates, cut.shape), cut)
        alone[:length, :, place] = y[:, :, 0]
        last[:, place] = y_h[:, 0]
    with_lengths = node(kind, gates, x.shape, lengths)
    runtime = onnxruntime.InferenceSession(with_lengths).run(None, {"x": x})
    assert np.allclose(runtime[0], alone, atol=1e-5) and np.allclose(runtime[1], last, atol=1e-5)
    found = reference(with_lengths, x)
    same = all((a == b).all() for a, b in zip(found, plain, strict=True))
    ignored.append(same and np.abs(found[0] - alone).max() > 0.1)
    print(f"{kind} with lengths {lengths}: Y_h of the short sequence wanted {last[0, 0].round(2)},"
          f" ONNX Runtime {runtime[1][0, 0].round(2)}, reference {found[1][0, 0].round(2)}; as plain: {ignored[-1]}")
    options = {"clip": 0.3} if activations is None else {"clip": 0.3, "activations": activations}
    for name, value in options.items():
        data = node(kind, gates, x.shape, **{name: value})
        found = reference(data, x)
        apart = np.abs(found[0] - onnxruntime.InferenceSession(data).run(None, {"x": x})[0]).max()
        ignored.append(bool((found[0] == plain[0]).all()) and apart > 0.1)
        print(f"{kind} with {name}={value}: difference to ONNX Runtime {apart:.2f}; as plain: {ignored[-1]}")
print("as described" if all(ignored) else "the behaviour has changed")
raise SystemExit(0 if all(ignored) else 1)
PYTHON
