"""`kakera pack DATA SHARDS`: shards or Parquet."""

from __future__ import annotations

from collections.abc import Sequence

from kakera.cli.arguments import KIND_HELP, KINDS, READING, WRITING, Arguments, add_channels, add_workers


def run(words: Sequence[str]) -> int:
    """Write shards and print the next command."""
    parser = Arguments(
        "pack", "Pack pictures or recordings into webdataset shards: few large files that are fast to read."
    )
    parser.add_argument("data", metavar="DATA", help="a folder, a table, shards, or any other data set")
    parser.add_argument("shards", metavar="SHARDS", help="output folder; packing resumes if it is unfinished")
    writing = parser.group(WRITING)
    writing.add_argument(
        "--side",
        type=int,
        default=None,
        help="shrink pictures to this length of the shorter side, in pixels; 0: never shrink (default: 256)",
    )
    writing.add_argument(
        "--store",
        choices=("pixels", "files"),
        default=None,
        help="what to store: decoded pixels, or the unchanged files (default: pixels; for recordings files)",
    )
    writing.add_argument(
        "--to",
        choices=("shards", "parquet"),
        default="shards",
        help="what to write: webdataset shards, or Parquet with files and labels (default: shards)",
    )
    writing.add_argument(
        "--shard-size",
        type=int,
        default=2000,
        help="number of pictures or recordings per shard or Parquet file (default: 2000)",
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
        to=given.to,
    )
    print("\n".join(found.lines()))
    print(*after_pack(given.shards), sep="\n")
    return 0
