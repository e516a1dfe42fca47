"""`kakera search INDEX QUERY…`."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from kakera.cli.arguments import WRITING, Arguments
from kakera.cli.output import print_table, require_page
from kakera.errors import OptionError
from kakera.option_fields import AUTO

if TYPE_CHECKING:
    from kakera.commands.search import Match, SearchResult

MANY = 5  # queries above which those in the index are counted, not named
FIELDS: tuple[str, ...] = (
    "query",
    "rank",
    "file",
    "part",
    "label",
    "cosine",
    "start",
    "end",
    "patch_row",
    "patch_column",
    "state",
)


def run(words: Sequence[str]) -> int:
    """Print the matches of each query; return 2 if a query is unreadable, after the matches of the others.

    Raises OptionError.
    """
    parser = Arguments("search", "Find the files of an index that are most like a picture or a recording.")
    parser.add_argument("index", metavar="INDEX", help="an index of kakera embed: a folder, .npz or .parquet")
    parser.add_argument(
        "queries",
        metavar="QUERY",
        nargs="+",
        help="pictures, recordings or folders; FILE:1.5-3.0 is a span of a recording, in seconds",
    )
    parser.add_argument(
        "--region",
        default="",
        metavar="LEFT,TOP,WIDTH,HEIGHT",
        help="search by a part of the only picture, in its pixels: only its patches are compared",
    )
    parser.add_argument("--top", type=int, default=10, help="number of matches of each query (default: 10)")
    parser.add_argument(
        "--include-query",
        action="store_true",
        default=False,
        help="also show files with the content of the query, which are left out otherwise",
    )
    parser.add_argument(
        "--exact",
        action="store_true",
        default=False,
        help="compare all vectors, also if the index has a graph (embed --graph)",
    )
    parser.add_argument(
        "--init-from", default="", metavar="ENCODER", help="the encoder, if it has been moved since"
    )
    parser.add_argument(
        "--device", default=AUTO, help="device for the encoder: cpu, cuda, mps or auto (default: auto)"
    )
    writing = parser.group(WRITING)
    writing.add_argument("--json", action="store_true", default=False, help="print JSON")
    writing.add_argument("--csv", action="store_true", default=False, help="print CSV")
    writing.add_argument(
        "--html",
        default="",
        metavar="PAGE",
        help="also write a page with the pictures, and the patches that agree",
    )
    given = parser.parse_args(words)
    if given.json and given.csv:
        raise OptionError("--json", got="--csv as well", expected="one format", do="remove one of them")
    require_page("--html", given.html)
    region = _region(given.region) if given.region else None
    from kakera.commands.search import search

    found = search(
        given.index,
        given.queries,
        init_from=given.init_from,
        region=region,
        top=given.top,
        include_query=given.include_query,
        exact=given.exact,
        device=given.device,
    )
    matches = [match for one in found.matches for match in one]
    if given.json:
        print(json.dumps([match.to_json() for match in matches], indent=1))
    elif given.csv:
        writer = csv.DictWriter(sys.stdout, FIELDS)
        writer.writeheader()
        writer.writerows(match.to_json() for match in matches)
    else:
        _print_tables(found)
    sys.stdout.flush()
    if given.html:
        from kakera.commands.pages.search import write_search_page

        write_search_page(given.html, found, device=given.device)
        print(f"kakera: {given.html}: open it in a browser", file=sys.stderr)
    for line in _remarks(found, matches):
        print(f"kakera: {line}", file=sys.stderr)
    return 2 if found.unreadable else 0


def _region(text: str) -> tuple[float, ...]:
    """Return the four numbers of a region. Raises OptionError."""
    try:
        numbers = tuple(float(each) for each in text.split(","))
    except ValueError:
        numbers = ()
    if len(numbers) != 4:
        expected = "four numbers: LEFT,TOP,WIDTH,HEIGHT in pixels"
        raise OptionError("--region", got=text, expected=expected, do="such as --region 10,20,64,48")
    return numbers


def _print_tables(found: SearchResult) -> None:
    sounds, patches = found.index.info.kind == "recordings", found.index.info.pool == "patches"
    header = ("file", *(["seconds"] * sounds), *(["patch"] * patches), "part", "label", "cosine")
    for name, matches in zip(found.queries, found.matches, strict=True):
        rows = [_row(match, sounds=sounds, patches=patches) for match in matches]
        if rows:
            print_table([header, *rows], title=name)
        else:
            print(f"{name}: the index has no other file")


def _row(match: Match, *, sounds: bool, patches: bool) -> tuple[str, ...]:
    span = "" if match.start is None or match.end is None else f"{match.start:.2f}–{match.end:.2f}"
    patch = "" if match.patch is None else f"{match.patch[0]}, {match.patch[1]}"
    cells = [match.file, *([span] * sounds), *([patch] * patches)]
    return *cells, match.part, match.label, f"{match.cosine:.4f}"


def _remarks(found: SearchResult, matches: Sequence[Match]) -> list[str]:
    """Return lines about files that are left out, have changed, or cannot be read."""
    lines = list[str]()
    left = [(name, same) for name, same in zip(found.queries, found.left_out, strict=True) if same]
    if len(left) > MANY:
        lines.append(f"{len(left):,} queries are in the index, left out; --include-query shows them")
    else:
        for name, same in left:
            others = ", ".join(same[:3]) + (f" and {len(same) - 3:,} more" if len(same) > 3 else "")
            lines.append(f"{name}: in the index as {others}, left out; --include-query shows it")
    states = {match.file: match.state for match in matches if match.state}
    for state in dict.fromkeys(states.values()):
        files = [file for file in states if states[file] == state]
        some = ", ".join(files[:3]) + (f" and {len(files) - 3:,} more" if len(files) > 3 else "")
        lines.append(f"{some}: {state}; run kakera embed again")
    if found.graph is not None:
        lines.append(found.graph.line())
    return lines + [str(error) for error in found.unreadable]
