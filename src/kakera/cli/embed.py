"""`kakera embed DATA --init-from ENCODER --out INDEX`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from kakera.cli.arguments import WRITING, Arguments, or_auto
from kakera.cli.encoder_arguments import add_inputs, parse
from kakera.option_fields import AUTO
from kakera.progress import is_follower


def run(words: Sequence[str]) -> int:
    """Write or update the index and print what has changed; return 2 if a file is unreadable.

    Raises OptionError.
    """
    parser = Arguments(
        "embed", "Write the embedding vectors of pictures or recordings as an index for search."
    )
    parser.add_argument("data", metavar="DATA", help="a folder, a table, shards, or any other data set")
    parser.add_argument(
        "--init-from",
        dest="init_from",
        metavar="ENCODER",
        help="run folder, or weights of another library, whose encoder computes the vectors",
    )
    writing = parser.group(WRITING)
    writing.add_argument(
        "--out",
        metavar="INDEX",
        help="the index: an .npz file, a .parquet file, or a folder, which is fastest to update; an existing "
        "index is updated",
    )
    vectors = parser.group("vectors")
    vectors.add_argument(
        "--pool",
        default=AUTO,
        metavar="POOL",
        help="class token, mean of the patch tokens, or another pooling: class, mean, class and mean, normed "
        "mean, attention; auto: as kakera.embed (default: auto)",
    )
    vectors.add_argument(
        "--tokens", action="store_true", default=False, help="a vector for each patch, to find regions"
    )
    vectors.add_argument(
        "--windows",
        action="store_true",
        default=False,
        help="recordings: vectors for each window instead of their mean, to find moments",
    )
    vectors.add_argument(
        "--graph",
        action="store_true",
        default=False,
        help="also write a graph (HNSW), for approximate search in millions of vectors; needs usearch",
    )
    add_inputs(parser)
    several = parser.group("several processes")
    several.add_argument(
        "--devices",
        type=or_auto(int),
        default=AUTO,
        metavar="INT|auto",
        help="processes on each machine; auto: as torchrun or SLURM say, else one (default: auto)",
    )
    several.add_argument(
        "--nodes",
        type=or_auto(int),
        default=AUTO,
        metavar="INT|auto",
        help="machines; auto: as torchrun or SLURM say, else one (default: auto)",
    )
    given = parse(parser, words, "an .npz file or a folder", "INDEX")
    from kakera.commands.build_index import build_index
    from kakera.training.planning.next_commands import after_embed

    data = given.pop("data")
    found = build_index(data, **given)
    code = 2 if found.unreadable else 0
    if is_follower():
        return code
    print("\n".join(found.lines()))
    print(*after_embed(given["out"]), sep="\n")
    for error in found.unreadable:
        print(f"kakera: {error}", file=sys.stderr)
    return code
