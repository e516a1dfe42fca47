"""Measure the response time of the explorer: for one client, and for eight clients at once.

python benchmarks/explorer.py [--rounds N] [--json FILE]

Starts `kakera serve` on untrained models of two sizes, in a new process, and sends HTTP requests: paint (a
new mask each time), hover (attention of a known picture), first (a new picture). The output shows the
median and the 95th percentile in milliseconds. Eight clients send requests without pause, so their time
includes waiting in a queue. A light request must not wait long for heavy ones.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from kakera.formats.bundle import Pretrained
from kakera.formats.native import save_model
from kakera.inputs import InputSpec
from kakera.model.configs import vit_config
from kakera.model.mae import MAE
from kakera.model.vit import ViT

MODELS = {"demo": ("nano", 1, 28), "ViT-B/16": ("base", 3, 224)}
CLIENTS = 8
LIMITS = {"demo": 150.0, "ViT-B/16": 1500.0}  # ms: limit of the 95th percentile for a painted patch


def save(folder: Path, size: str, channels: int, side: int) -> None:
    """Save an untrained masked autoencoder."""
    shape = vit_config(size)
    encoder = ViT(shape, channels=channels, image_size=(side, side))
    model = MAE(encoder, shape.decoder)
    model.reset_parameters(torch.Generator().manual_seed(0))
    save_model(
        folder, Pretrained(model, InputSpec(channels, side, side, (0.5,) * channels, (0.25,) * channels))
    )


class Server:
    """`kakera serve` in a new process."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "kakera", "serve", str(folder), "--pictures", "demo", "--port", "0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        found = re.search(r"http://\S+?/", self.process.stdout.readline())
        assert found is not None
        self.address = found[0]

    def ask(self, path: str, body: bytes | None = None) -> Any:
        """Send a request and return the answer from JSON."""
        request = urllib.request.Request(self.address + path, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def stop(self) -> None:
        """Stop the server."""
        self.process.terminate()
        self.process.wait()


def timed(work: Callable[[int], object], rounds: int) -> list[float]:
    """Return the milliseconds of each round."""
    found: list[float] = []
    for number in range(rounds):
        began = time.perf_counter()
        work(number)
        found.append(1000 * (time.perf_counter() - began))
    return found


def figures(times: list[float]) -> dict[str, float]:
    """Return the median and the 95th percentile."""
    high = statistics.quantiles(times, n=20)[-1] if len(times) > 1 else times[0]
    return {"median": statistics.median(times), "p95": high}


def measure(name: str, rounds: int) -> dict[str, dict[str, float]]:
    """Measure all cases of one model."""
    with tempfile.TemporaryDirectory() as place:
        save(Path(place) / "model", *MODELS[name])
        server = Server(Path(place) / "model")
        try:
            return cases(server, rounds)
        finally:
            server.stop()


def cases(server: Server, rounds: int) -> dict[str, dict[str, float]]:
    """Measure paint, hover and first for one client; paint and hover while seven other clients paint."""
    model = server.ask("api/models")[0]
    patches = model["rows"] * model["cols"]

    def paint(number: int, client: int = 0) -> None:
        random = np.random.default_rng((client, number))
        hidden = (random.permutation(patches)[: patches * 3 // 4] + 1).tolist()
        body = {"model": "model", "picture": "sample-1", "hidden": hidden}
        server.ask("api/reconstruct", json.dumps(body).encode())

    def hover(number: int) -> None:
        layer = 1 + number % model["layers"]
        server.ask(f"api/attention?model=model&picture=sample-1&layer={layer}&token={1 + number % patches}")

    def first(number: int) -> None:
        buffer = io.BytesIO()
        values = np.random.default_rng(number).integers(0, 255, (224, 224, 3), dtype=np.uint8)
        Image.fromarray(values).save(buffer, "PNG")
        sent = server.ask("api/pictures", buffer.getvalue())["id"]
        server.ask(f"api/attention?model=model&picture={sent}&token=1")

    paint(0)
    hover(0)
    found = {"paint": figures(timed(paint, rounds)), "hover": figures(timed(hover, rounds))}
    found["first"] = figures(timed(first, max(2, rounds // 4)))
    ended = threading.Event()

    def busy(client: int) -> None:
        number = 0
        while not ended.is_set():
            number += 1
            paint(number, client)

    others = [threading.Thread(target=busy, args=(client,)) for client in range(1, CLIENTS)]
    for thread in others:
        thread.start()
    found[f"paint, {CLIENTS} clients"] = figures(timed(paint, rounds))
    found[f"hover, {CLIENTS} clients"] = figures(timed(hover, rounds))
    ended.set()
    for thread in others:
        thread.join()
    return found


def main(words: list[str] | None = None) -> int:
    """Print the table; exit code 1 if a painted patch took longer than its limit."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--json", type=Path)
    given = parser.parse_args(words)
    found = {name: measure(name, given.rounds) for name in given.models}
    machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    for name, table in found.items():
        for case, row in table.items():
            print(f"{name:10} {case:18} median {row['median']:8.1f} ms   p95 {row['p95']:8.1f} ms")
    if given.json:
        given.json.write_text(
            json.dumps({"machine": machine, "torch": torch.__version__, "ms": found}, indent=2)
        )
    return int(any(table["paint"]["p95"] > LIMITS[name] for name, table in found.items()))


if __name__ == "__main__":
    sys.exit(main())
