#!/bin/sh
# OpenVINO 2026.4.1 (CPU): TopK of an ONNX graph orders equal values by chance of its sort, from some length on.
#
# Input: one ONNX TopK (opset 20, sorted) on rows of small whole numbers, so that many are equal.
# Expected: ONNX says that of equal values the one with the lower index comes first; numpy's stable sort and ONNX
#   Runtime 1.32.0 give those indices.
# Seen: the values are right. The indices are right for rows of 8 and for sorted=0 as a set, but for rows of 64 and
#   512 equal values come in another order, without a message: the reader of ONNX makes its own TopK with stable=False
#   (with stable=True the order is right). A graph that ranks tokens by their score (to merge or drop tokens, or for
#   non-maximum suppression) therefore takes its rows in another order than elsewhere.
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

core = openvino.Core()
core.set_property("CPU", {"INFERENCE_PRECISION_HINT": "f32"})
right = {}
print("openvino", openvino.__version__)
for wide, k in ((8, 4), (64, 8), (512, 64), (512, 512)):
    for largest in (1, 0):
        x = np.random.default_rng(0).integers(0, 3, (4, wide)).astype(np.float32)
        wanted = np.argsort(-x if largest else x, axis=1, kind="stable")[:, :k]
        node = helper.make_node("TopK", ["x", "k"], ["values", "indices"], largest=largest, sorted=1)
        graph = helper.make_graph(
            [node],
            "topk",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
            [
                helper.make_tensor_value_info("values", TensorProto.FLOAT, (4, k)),
                helper.make_tensor_value_info("indices", TensorProto.INT64, (4, k)),
            ],
            [helper.make_tensor("k", TensorProto.INT64, [1], [k])],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
        onnx.checker.check_model(model, full_check=True)
        data = model.SerializeToString()
        assert (onnxruntime.InferenceSession(data).run(["indices"], {"x": x})[0] == wanted).all()
        values, indices = (np.array(v) for v in core.compile_model(core.read_model(data), "CPU")({"x": x}).values())
        assert (values == np.take_along_axis(x, wanted, 1)).all()
        same = indices == wanted
        right[wide, k, largest] = bool(same.all())
        print(f"{k} of {wide}, largest={largest}: {int((~same).sum())} of {same.size} indices differ;"
              f" first row wanted {wanted[0, :6]}, got {indices[0, :6]}; as a set the same:"
              f" {bool((np.sort(indices) == np.sort(wanted)).all())}")
seen = right[8, 4, 1] and not right[64, 8, 1] and not right[512, 64, 1]
print("as described" if seen else "the behaviour has changed")
raise SystemExit(0 if seen else 1)
PYTHON
