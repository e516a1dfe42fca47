#!/bin/sh
# OpenVINO 2026.4.1 (CPU): three options of ONNX Resize do nothing: antialias, exclude_outside,
# keep_aspect_ratio_policy.
#
# Input: one Resize node (opset 19) on random values of shape (1, 1, 16, 12). onnx.checker accepts each graph.
# Expected: as the ONNX specification says and ONNX Runtime 1.32.0 does: antialias widens the filter when the picture
#   shrinks; exclude_outside gives weight 0 to places outside the picture and renews the sum of the others;
#   keep_aspect_ratio_policy "not_larger" makes 16 by 12 fit in 8 by 8 as 8 by 6. What is unsupported raises an error,
#   as OpenVINO does for coordinate_transformation_mode "half_pixel_symmetric".
# Seen: each result equals, bit for bit, that of the same node without the option; with keep_aspect_ratio_policy it
#   also has a shape other than the one that the model declares. There is no message. (antialias is publicly
#   reported.)
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

x = np.random.default_rng(0).standard_normal((1, 1, 16, 12)).astype(np.float32)
core = openvino.Core()
core.set_property("CPU", {"INFERENCE_PRECISION_HINT": "f32"})


def results(shape: tuple[int, ...], **options: object) -> tuple[np.ndarray, np.ndarray]:
    node = helper.make_node("Resize", ["x", "", "", "sizes"], ["y"], axes=[2, 3], **options)
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)]
    sizes = helper.make_tensor("sizes", TensorProto.INT64, [2], [8, 8])
    made = helper.make_graph([node], "resize", inputs, outputs, [sizes])
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 19)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    data = model.SerializeToString()
    reference = onnxruntime.InferenceSession(data).run(None, {"x": x})[0]
    return reference, np.array(core.compile_model(core.read_model(data), "CPU")({"x": x})[0])


print("openvino", openvino.__version__)
ignored = []
for name, value, mode, shape in (
    ("antialias", 1, "linear", (1, 1, 8, 8)),
    ("antialias", 1, "cubic", (1, 1, 8, 8)),
    ("exclude_outside", 1, "cubic", (1, 1, 8, 8)),
    ("keep_aspect_ratio_policy", "not_larger", "linear", (1, 1, 8, 6)),
):
    plain_reference, plain = results((1, 1, 8, 8), mode=mode)
    assert np.allclose(plain_reference, plain, atol=1e-5)
    reference, found = results(shape, mode=mode, **{name: value})
    assert reference.shape == shape
    apart = f"{np.abs(reference - found).max():.3f}" if found.shape == shape else "not comparable"
    same = found.shape == plain.shape and bool((found == plain).all())
    changes = reference.shape != plain.shape or np.abs(reference - plain_reference).max() > 0.01
    ignored.append(same and changes)
    print(f"{mode}, {name}={value}: declared {shape}, got {found.shape}; difference to ONNX Runtime {apart};"
          f" same as without the option: {same}")
print("as described" if all(ignored) else "the behaviour has changed")
raise SystemExit(0 if all(ignored) else 1)
PYTHON
