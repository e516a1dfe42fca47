"""`kakera demo`."""

from __future__ import annotations

from collections.abc import Sequence

from kakera.cli.arguments import WRITING, Arguments
from kakera.cli.output import print_table


def run(words: Sequence[str]) -> int:
    """Run the demonstration and print its table."""
    parser = Arguments(
        "demo", "Pretrain, fine-tune and compare models on the built-in pictures; write a report."
    )
    parser.group(WRITING).add_argument(
        "--out",
        default="",
        help="folder for the runs and report.html (default: runs/demo, or runs/demo-quick)",
    )
    parser.group("time").add_argument(
        "--quick",
        action="store_true",
        default=False,
        help="train each model for one epoch, to see that everything works; accuracies are lower",
    )
    given = parser.parse_args(words)
    from kakera.commands.demo import BRIEF, demo

    result = demo(given.out or ("runs/demo-quick" if given.quick else "runs/demo"), quick=given.quick)
    if result.quick:
        print(BRIEF)
    print_table(result.table(), title="accuracy on test pictures, in per cent")
    print(
        "next: put your own pictures into a folder, such as pictures/, with one subfolder per class, and run"
    )
    print("  kakera inspect pictures")
    full = "; without --quick the demo takes minutes and reaches higher accuracies"
    print(f"{result.report}: open it in a browser{full if result.quick else ''}")
    return 0
