"""Files are in natural order, as sorting all of their names together gives it."""

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as some

from kakera.data.folders.ordered import in_order
from kakera.data.folders.tree import Tree
from kakera.data.names import natural

NAME = some.text("a1/0-. 2", min_size=1, max_size=9).map(
    lambda text: re.sub("/+", "/", text).strip("/") or "a"
)


def by_parts(text: str) -> list[tuple[int, str]]:
    """The order as one says it: runs of digits by length and digits, what is between by its letters."""
    found = re.split(r"([0-9]+)", text)
    found[1::2] = [digits.lstrip("0") for digits in found[1::2]]
    return [*((len(w) if i % 2 else -1, w) for i, w in enumerate(found)), (-2, text)]


@given(some.lists(some.text("a10-/\u00e9\udc80 ", max_size=8), max_size=9))
def test_numbers_count_as_numbers(texts: list[str]) -> None:
    assert sorted(texts, key=natural) == sorted(texts, key=by_parts)


@given(some.lists(NAME, unique=True, max_size=12))
def test_files_of_all_folders_are_sorted_together(names: list[str]) -> None:
    found, inside = Tree(Path("d")), dict[str, list[str]]()
    for name in names:
        folder, _, own = name.rpartition("/")
        inside.setdefault(folder, []).append(own)
    found.folders = {folder: "/".join(sorted(own, key=natural)) for folder, own in inside.items()}
    ordered = in_order(found)
    assert [*ordered.names] == sorted(names, key=by_parts)
    folders = [ordered.folders[number] for number in ordered.where.tolist()]
    assert folders == [name.rpartition("/")[0] for name in ordered.names]
