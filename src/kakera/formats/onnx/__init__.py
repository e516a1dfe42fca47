"""ONNX: export, quantisation, and graphs opened again."""
