"""`kakera inspect DATA`."""

from __future__ import annotations

import json
from collections.abc import Sequence

from kakera.cli.arguments import Arguments, add_ranges


def run(words: Sequence[str]) -> int:
    """Print what is in a data set."""
    parser = Arguments("inspect", "What is in a data set: counts, sizes, classes, unreadable files, leaks.")
    parser.add_argument(
        "data",
        metavar="DATA",
        help="a folder, a table, IDX or .npz files, or a name: demo, fashion-mnist, fillets",
    )
    parser.add_argument("--channels", type=int, default=0, help="read as 1 (grey) or 3 (colour)")
    parser.add_argument("--seed", type=int, default=0, help="of the split, where the data bring none")
    add_ranges(parser)
    parser.add_argument("--json", action="store_true", default=False, help="print JSON")
    given = parser.parse_args(words)
    from kakera.data import value_range
    from kakera.data.inspect import inspect_dataset

    ranges = value_range.given(given.bits, given.value_range)
    found = inspect_dataset(given.data, channels=given.channels or None, seed=given.seed, ranges=ranges)
    print(json.dumps(found.to_json(), indent=2) if given.json else "\n".join(found.lines()))
    if not given.json:
        print(f"next: kakera pretrain {given.data}")
    return 0
