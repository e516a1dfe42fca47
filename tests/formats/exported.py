"""Graphs are made once a model: the exporter takes seconds, and what it does is for test_onnx.py."""

import hashlib
from collections.abc import Iterator

import pytest

from kakera.formats.bundle import Pretrained
from kakera.formats.onnx import export


@pytest.fixture(scope="module", autouse=True)
def exported_once() -> Iterator[None]:
    """In the module that imports this."""
    graph, made = export.graph, dict[str, bytes]()

    def once(saved: Pretrained) -> bytes:
        found = hashlib.sha256(repr((saved.model, saved.inputs, saved.classes, saved.multi_label)).encode())
        for name, tensor in saved.model.state_dict().items():
            found.update(name.encode() + tensor.numpy().tobytes())
        key = found.hexdigest()
        if key not in made:
            made[key] = graph(saved)
        return made[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "graph", once)
        yield
