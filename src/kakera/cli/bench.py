"""`kakera bench`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from kakera.cli.arguments import WRITING, Arguments, or_auto
from kakera.option_fields import AUTO


def run(words: Sequence[str]) -> int:
    """Measure this machine."""
    from kakera.bench.bench import bench
    from kakera.bench.cases import CASES, ON_GPU
    from kakera.bench.foreign import add_peers_folder

    parser = Arguments("bench", "How fast this machine is: kakera beside other libraries that are installed.")
    texts = "; ".join(f"{name}: {case.title}" for name, case in CASES.items())
    texts += "; on a GPU " + ", ".join(ON_GPU)
    parser.add_argument("cases", nargs="*", metavar="CASE", default=[], help=f"all if none. {texts}")
    measuring = parser.group("how it is measured")
    measuring.add_argument(
        "--device", choices=["cpu", "cuda"], default="cpu", help="where networks compute (default: cpu)"
    )
    measuring.add_argument(
        "--rounds",
        type=int,
        default=5,
        help="number of rounds; in each every library takes a turn (default: 5)",
    )
    measuring.add_argument(
        "--threads",
        type=or_auto(int),
        default=AUTO,
        metavar="INT|auto",
        help="threads of every library; auto: torch's own choice (default: auto)",
    )
    measuring.add_argument(
        "--quick", action="store_true", default=False, help="smallest sizes, as a smoke test"
    )
    measuring.add_argument(
        "--peers", default="", metavar="FOLDER", help="folder of other libraries, beside those installed"
    )
    parser.group(WRITING).add_argument("--out", default="", help="JSON file for every number")
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
