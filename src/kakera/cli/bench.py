"""`kakera bench`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from kakera.cli import time_to_accuracy
from kakera.cli.arguments import WRITING, Arguments, or_auto
from kakera.option_fields import AUTO


def run(words: Sequence[str]) -> int:
    """Measure the speed of this machine and print it."""
    if words and words[0] == time_to_accuracy.NAME:
        return time_to_accuracy.run(words[1:])
    from kakera.bench.bench import bench
    from kakera.bench.cases import CASES, ON_GPU
    from kakera.bench.foreign import add_peers_folder

    parser = Arguments(
        "bench", "Measure the speed of this machine: kakera next to other installed libraries."
    )
    texts = "; ".join(f"{name}: {case.title}" for name, case in CASES.items())
    texts += "; on a GPU " + ", ".join(ON_GPU)
    texts += f". Only if named, because it takes hours: {time_to_accuracy.NAME}, see kakera bench "
    texts += f"{time_to_accuracy.NAME} --help"
    parser.add_argument(
        "cases", nargs="*", metavar="CASE", default=[], help=f"cases to run (default: all). {texts}"
    )
    measuring = parser.group("measuring")
    measuring.add_argument(
        "--device", choices=["cpu", "cuda"], default="cpu", help="device for the networks (default: cpu)"
    )
    measuring.add_argument(
        "--rounds",
        type=int,
        default=5,
        help="number of rounds; in each round every library runs once (default: 5)",
    )
    measuring.add_argument(
        "--threads",
        type=or_auto(int),
        default=AUTO,
        metavar="INT|auto",
        help="number of threads of every library; auto: torch's own choice (default: auto)",
    )
    measuring.add_argument(
        "--quick", action="store_true", default=False, help="use the smallest sizes, as a smoke test"
    )
    measuring.add_argument(
        "--peers", default="", metavar="FOLDER", help="folder with more libraries to compare with"
    )
    parser.group(WRITING).add_argument("--out", default="", help="write all numbers into this JSON file")
    given = parser.parse_args(words)
    if given.threads != AUTO:
        import torch

        torch.set_num_threads(given.threads)
    if given.peers:
        add_peers_folder(given.peers)
    found = bench(
        given.cases,
        rounds=given.rounds,
        quick=given.quick,
        device=given.device,
        out=given.out,
        say=lambda line: print(line, file=sys.stderr),
    )
    print("\n".join(found.lines()))
    return 0
