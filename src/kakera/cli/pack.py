"""`kakera pack DATA SHARDS`."""

from __future__ import annotations

from collections.abc import Sequence

from kakera.cli.arguments import KIND_HELP, KINDS, Arguments


def run(words: Sequence[str]) -> int:
    """Write shards and say what to run next."""
    parser = Arguments(
        "pack", "Pictures or recordings into webdataset shards: read faster, from few files, local or by URL."
    )
    parser.add_argument("data", metavar="DATA", help="a folder, a table, shards, or any other data set")
    parser.add_argument("shards", metavar="SHARDS", help="the folder to write; a begun one is gone on with")
    parser.add_argument(
        "--side",
        type=int,
        default=None,
        help="the shorter side at most, in pixels; 0: as it is (default: 256)",
    )
    parser.add_argument(
        "--store",
        choices=("pixels", "files"),
        default=None,
        help="decoded pixels, or the bytes of the files (default: pixels; of recordings always files)",
    )
    parser.add_argument(
        "--shard-size", type=int, default=2000, help="pictures or recordings in each (default: 2000)"
    )
    parser.add_argument("--workers", type=int, default=0, help="processes; 0: one a processor (default: 0)")
    parser.add_argument("--channels", type=int, default=0, help="read as 1 (grey) or 3 (colour)")
    parser.add_argument("--kind", choices=KINDS, default="any", help=KIND_HELP)
    given = parser.parse_args(words)
    from kakera.data.packing.pack import pack
    from kakera.training.planning.next_commands import after_pack

    found = pack(
        given.data,
        given.shards,
        side=given.side,
        store=given.store,
        shard_size=given.shard_size,
        workers=given.workers,
        channels=given.channels or None,
        kind=given.kind,
    )
    print("\n".join(found.lines()))
    print(*after_pack(given.shards), sep="\n")
    return 0
