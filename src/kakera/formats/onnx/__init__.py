"""ONNX: export, quantisation, and prediction with exported graphs."""
