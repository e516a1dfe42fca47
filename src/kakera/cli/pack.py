"""`kakera pack DATA SHARDS`."""

from __future__ import annotations

from collections.abc import Sequence

from kakera.cli.arguments import KIND_HELP, KINDS, READING, WRITING, Arguments, add_channels, add_workers


def run(words: Sequence[str]) -> int:
    """Write shards and say what to run next."""
    parser = Arguments(
        "pack", "Pictures or recordings into webdataset shards: read faster, from few files, local or by URL."
    )
    parser.add_argument("data", metavar="DATA", help="a folder, a table, shards, or any other data set")
    parser.add_argument("shards", metavar="SHARDS", help="output folder; an unfinished one is resumed")
    writing = parser.group(WRITING)
    writing.add_argument(
        "--side",
        type=int,
        default=None,
        help="largest shorter side of a picture, in pixels; 0 keeps all as they are (default: 256)",
    )
    writing.add_argument(
        "--store",
        choices=("pixels", "files"),
        default=None,
        help="decoded pixels, or the bytes of the files (default: pixels; always files for recordings)",
    )
    writing.add_argument(
        "--shard-size", type=int, default=2000, help="pictures or recordings in a shard (default: 2000)"
    )
    add_workers(parser)
    add_channels(parser)
    parser.group(READING).add_argument("--kind", choices=KINDS, default="any", help=KIND_HELP)
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
        channels=given.channels,
        kind=given.kind,
    )
    print("\n".join(found.lines()))
    print(*after_pack(given.shards), sep="\n")
    return 0
