"""A classifier in PyTorch, and as an ONNX graph in float32 and int8: time a picture.

    OMP_NUM_THREADS=1 python benchmarks/int8.py --size small --batch 8

One thread, random weights and pictures; the best of several rounds that take turns, in processor time, which
a busy machine changes least.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from kakera.formats import onnx
from kakera.formats.int8 import quantise
from kakera.formats.judge import session_of
from kakera.formats.native import Saved, generator
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.encoder import Encoder
from kakera.model.sizes import SIZES

CLASSES = 10


def main(size: str = "small", pixels: int = 224, batch: int = 8, rounds: int = 6) -> dict[str, float]:
    """Milliseconds a picture by name."""
    torch.set_num_threads(1)
    inputs = InputSpec(3, pixels, pixels, (0.5,) * 3, (0.5,) * 3)
    encoder = Encoder(SIZES[size], channels=3, size=inputs.size)
    model = Classifier(encoder, CLASSES, "mean").eval()
    model.initialise(generator(0))
    saved = Saved(model, inputs, tuple(map(str, range(CLASSES))))
    pictures = onnx.example(saved, batch)[0]
    given = {"pictures": pictures.numpy()}
    graph = onnx.graph(saved)
    with tempfile.TemporaryDirectory() as place, torch.inference_mode():
        contenders: dict[str, Callable[[], object]] = {
            "PyTorch, float32": lambda: model(inputs.normalise(pictures))
        }
        for name, content in {"float32": graph, "int8": quantise(graph, [given])}.items():
            file = Path(place) / f"{name}.onnx"
            file.write_bytes(content)
            session = session_of(file, threads=1)
            contenders[f"ONNX Runtime, {name}"] = lambda session=session: session.run(None, given)
        best = dict.fromkeys(contenders, float("inf"))
        for _ in range(rounds):
            for name, run in contenders.items():
                start = time.process_time()
                run()
                best[name] = min(best[name], (time.process_time() - start) / batch * 1e3)
    return best


def report(found: dict[str, float]) -> str:
    """A line each, and how many times as fast as PyTorch int8 is."""
    lines = [f"{name:<24}{milliseconds:8.1f} ms a picture" for name, milliseconds in found.items()]
    ratio = found["PyTorch, float32"] / found["ONNX Runtime, int8"]
    return "\n".join([*lines, f"int8: {ratio:.1f} x PyTorch"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="small", choices=SIZES)
    parser.add_argument("--pixels", type=int, default=224)
    parser.add_argument("--batch", type=int, default=8)
    print(report(main(**vars(parser.parse_args()))))
