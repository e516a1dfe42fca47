"""`kakera bench`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from kakera.cli.arguments import Arguments


def run(words: Sequence[str]) -> int:
    """Measure this machine."""
    from kakera.bench.bench import bench
    from kakera.bench.cases import CASES, ON_GPU
    from kakera.bench.foreign import search

    parser = Arguments("bench", "How fast this machine is: kakera beside other libraries that are installed.")
    texts = "; ".join(f"{name}: {case.says}" for name, case in CASES.items())
    texts += "; on a GPU " + ", ".join(ON_GPU)
    parser.add_argument("cases", nargs="*", metavar="CASE", default=[], help=f"all if none. {texts}")
    parser.add_argument(
        "--device", choices=["cpu", "cuda"], default="cpu", help="where networks compute (default: cpu)"
    )
    parser.add_argument(
        "--rounds", type=int, default=5, help="all contenders take turns so often (default: 5)"
    )
    parser.add_argument("--threads", type=int, default=0, help="of everyone (default: torch's own choice)")
    parser.add_argument(
        "--quick", action="store_true", default=False, help="the smallest sizes: whether all runs"
    )
    parser.add_argument(
        "--peers", default="", metavar="FOLDER", help="other libraries, beside what is installed"
    )
    parser.add_argument("--out", default="", help="a JSON file for every number")
    given = parser.parse_args(words)
    if given.threads > 0:
        import torch

        torch.set_num_threads(given.threads)
    if given.peers:
        search(given.peers)
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
