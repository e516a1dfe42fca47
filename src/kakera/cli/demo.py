"""`kakera demo`."""

from __future__ import annotations

from collections.abc import Sequence

from kakera.cli.arguments import WRITING, Arguments
from kakera.cli.output import print_table


def run(words: Sequence[str]) -> int:
    """Run the demonstration and print its table."""
    parser = Arguments(
        "demo", "Pretrain, fine-tune and compare on pictures that ship inside; writes a report."
    )
    parser.group(WRITING).add_argument(
        "--out", default="", help="folder for the runs and report.html (runs/demo, or runs/demo-quick)"
    )
    parser.group("how long it takes").add_argument(
        "--quick",
        action="store_true",
        default=False,
        help="one epoch of each: shows that it works, with lower figures",
    )
    given = parser.parse_args(words)
    from kakera.commands.demo import BRIEF, demo

    result = demo(given.out or ("runs/demo-quick" if given.quick else "runs/demo"), quick=given.quick)
    if result.quick:
        print(BRIEF)
    print_table(result.table(), title="accuracy on unseen pictures, per cent")
    print("next: put your own pictures into a folder, one sub-folder a class, say pictures/, and run")
    print("  kakera inspect pictures")
    full = "; without --quick it takes minutes, and its figures are higher"
    print(f"{result.report}: open it in a browser{full if result.quick else ''}")
    return 0
