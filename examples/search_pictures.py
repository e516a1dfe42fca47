"""Draw the docs' picture of a search: python examples/search_pictures.py MAE

The queries are parts of the demo's pictures; the index has the patch tokens of its test part.
"""

import argparse
import shutil
import sys
from pathlib import Path

import numpy as np

import kakera
from kakera.commands.searching.drawing import MatchDrawing, draw_matches
from kakera.commands.searching.match_files import MatchFiles
from kakera.explain.mosaic import mosaic
from kakera.retrieval.folder import open_index

DOCS = Path(__file__).parents[1] / "docs" / "pictures"
QUERIES = ((8, (4, 0, 20, 12)), (5, (12, 12, 12, 8)), (9, (12, 0, 16, 16)))  # class, and region
TOP = 4


def draw(encoder: str, folder: Path) -> None:
    """Search for parts of the demo's pictures, and draw each query beside its matches and their maps."""
    place = folder / "index"
    try:
        test = kakera.open_data("demo").part("test")
        kakera.build_index(test, init_from=encoder, out=place, tokens=True)
        index = open_index(place)
        rows = []
        for label, region in QUERIES:
            first = int(np.flatnonzero(test.labels == label)[0])
            found = kakera.search(index, test.take([first]), init_from=encoder, region=region, top=TOP)
            query, matches = draw_matches(found, 0, found.matches[0], MatchFiles(index, test))
            drawn = [each for each in matches if isinstance(each, MatchDrawing)]
            rows.append([query.tiles[0], *(tile for each in drawn for tile in each.tiles)])
        across = ["query", *(text for number in range(1, TOP + 1) for text in (f"match {number}", "agrees"))]
        mosaic(rows, across=across).save(folder / "search.png")
    finally:
        shutil.rmtree(place, ignore_errors=True)


def main() -> int:
    """Draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("encoder")
    parser.add_argument("--out", type=Path, default=DOCS)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    draw(given.encoder, given.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
