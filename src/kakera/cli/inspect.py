"""`kakera inspect DATA`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from kakera.cli.arguments import KIND_HELP, KINDS, READING, WRITING, Arguments, add_channels, add_ranges
from kakera.option_fields import or_none
from kakera.progress import print_if_slow


def run(words: Sequence[str]) -> int:
    """Print the contents of a data set."""
    parser = Arguments(
        "inspect", "Show the contents of a data set: counts, sizes, classes, unreadable files, leaks."
    )
    parser.add_argument(
        "data",
        metavar="DATA",
        help="a folder, a table, IDX or .npz files, or a built-in name: demo, fashion-mnist, fillets",
    )
    add_channels(parser)
    reading = parser.group(READING)
    reading.add_argument(
        "--seed", type=int, default=0, help="random seed of the split, for data without a split (default: 0)"
    )
    reading.add_argument("--kind", choices=KINDS, default="any", help=KIND_HELP)
    add_ranges(parser)
    parser.group(WRITING).add_argument("--json", action="store_true", default=False, help="print JSON")
    given = parser.parse_args(words)
    with print_if_slow("inspect", given.data):
        from kakera.data.checks.inspect import Inspection, inspect_dataset
        from kakera.data.images import value_range
        from kakera.data.sources.open import open_dataset

        ranges = value_range.range_from_options(or_none(given.bits) or 0, given.value_range)
        dataset = open_dataset(
            given.data, channels=or_none(given.channels), seed=given.seed, kind=given.kind, ranges=ranges
        )
    from kakera.training.planning.next_commands import after_inspect
    from kakera.training.planning.situation import situation_of

    found = inspect_dataset(dataset)
    if given.json:
        print(json.dumps(found.to_json(), indent=2))
        return 0
    side = found.side if isinstance(found, Inspection) else 0
    counted = replace(situation_of(dataset, given.data, side=side), count=found.parts["train"])
    print(*found.lines(), *after_inspect(counted), sep="\n")
    return 0
