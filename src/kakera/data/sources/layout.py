"""The folders that are parts of a data set and the folders that are classes, from the file names alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from kakera.data.folders.part_names import part_of, parts_of
from kakera.errors import DataError

SHOWN = 3  # examples in a message


@dataclass
class Layout:
    """The part and the label of each used file (or of its folder).

    `rows` are (number, part, label); the label is "" if there is none. See `arrange`.
    """

    rows: list[tuple[int, str, str]] = field(default_factory=list)
    divided: bool = False
    """True if the folders are a split into parts."""
    left: list[tuple[str, str]] = field(default_factory=list)
    """Names of skipped files, and the reason."""
    notes: list[str] = field(default_factory=list)
    """Decisions that a user may want to check."""
    above: list[tuple[str, ...]] = field(default_factory=list)
    """The folders whose subfolders are classes or parts."""


def arrange(
    name: str, files: Sequence[Sequence[str]], kind: str, inside: Callable[[int], Sequence[str]] | None = None
) -> Layout:
    """Lay out files from their paths. Raises DataError if the layout is ambiguous.

    Each of the `files` is the list of its folders and its own name. `name` is the data set and `kind` is
    "pictures" or "recordings"; both are for messages. Because folders decide, one file can represent its
    folder: `inside` then returns the names of all files in the folder of file number n.

    Example:

        >>> files = [["train", "cat", "1.png"], ["train", "dog", "2.png"], ["test", "cat", "3.png"]]
        >>> layout = arrange("pets", files, "pictures")
        >>> layout.rows, layout.divided
        ([(0, 'train', 'cat'), (1, 'train', 'dog'), (2, 'test', 'cat')], True)
    """
    found = Layout()
    inside = inside or (lambda number: files[number][-1:])

    def all_of(number: int) -> list[str]:
        return ["/".join((*files[number][outer:-1], own)) for own in inside(number)]

    outer = _shared(files)
    if outer:
        found.notes.append(
            f"all {kind} are in {'/'.join(files[0][:outer])}/; classes and parts are read there"
        )
    inner = [path[outer:] for path in files]
    start = tuple(files[0][:outer])
    folders = dict.fromkeys(path[0] for path in inner if len(path) > 1)
    parts = _parts(name, folders, inner, found)
    found.above.append(start)
    if parts:
        _by_parts(inner, parts, found, start, all_of)
    else:
        _by_classes(name, inner, found, start, all_of)
    _tell_unlabelled(kind, found, all_of)
    return found


def _shared(files: Sequence[Sequence[str]]) -> int:
    """Return how many nested folders contain all files and, apart from the last, only folders."""
    depth = 0
    while files:
        first = files[0][depth]
        if part_of(first) or any(len(path) < depth + 3 or path[depth] != first for path in files):
            break
        depth += 1
    return depth


def _parts(
    name: str, folders: dict[str, None], files: Sequence[Sequence[str]], found: Layout
) -> dict[str, str]:
    """Return the folders that are parts; empty if their names are the names of classes.

    A name is no proof: either all folders are parts, or at least two are, and one of them is train.
    """
    named = {folder: part for folder in folders if (part := part_of(folder))} or parts_of(folders)
    others = [folder for folder in folders if folder not in named]
    if not named:
        return {}
    if others and ("train" not in named.values() or len(set(named.values())) < 2):
        _require_classes(name, named, others, files)
        found.notes.append(
            f"{_list(list(named))} treated as a class, next to {_list(others)}; "
            "to train on that folder only, pass it as the data"
        )
        return {}
    for part, count in Counter(named.values()).items():
        if count > 1:
            twice = " and ".join(folder for folder in named if named[folder] == part)
            do = "rename one of them, or merge them"
            raise DataError(name, got=f"folders {twice}", expected=f"one {part} folder", do=do)
    return named


def _require_classes(
    name: str, named: dict[str, str], others: list[str], files: Sequence[Sequence[str]]
) -> None:
    """Raise DataError if one folder next to train has the same classes: it is unclear which part it is."""
    if list(named.values()) != ["train"] or len(others) != 1:
        return
    inside: dict[str, set[str]] = {folder: set() for folder in (*named, *others)}
    for path in files:
        if len(path) > 1:
            inside[path[0]].add(path[1] if len(path) > 2 else "")
    (train,), (other,) = named, others
    if len(inside[train]) > 1 and inside[train] == inside[other] and "" not in inside[train]:
        got = f"the same classes in {train} and in {other}"
        do = f"rename {other} to val or test, or pass {train} alone"
        raise DataError(name, got=got, expected="parts named train, val and test", do=do)


def _by_parts(
    files: Sequence[Sequence[str]],
    parts: dict[str, str],
    found: Layout,
    start: tuple[str, ...],
    all_of: Callable[[int], list[str]],
) -> None:
    inside = {folder: [path[1:] for path in files if len(path) > 1 and path[0] == folder] for folder in parts}
    shared = _shared([path for paths in inside.values() for path in paths])
    depths = {folder: 1 + (shared or _twice(folder, paths)) for folder, paths in inside.items()}
    found.above += [(*start, folder, *inside[folder][0][: depths[folder] - 1]) for folder in parts]
    found.divided = set(parts.values()) != {"train"}
    beside: dict[str, list[str]] = {}
    for number, path in enumerate(files):
        if len(path) > 1 and path[0] in parts:
            depth = depths[path[0]]
            found.rows.append((number, parts[path[0]], path[depth] if len(path) > depth + 1 else ""))
        else:
            beside.setdefault(path[0] if len(path) > 1 else "", []).extend(all_of(number))
    for folder, names in beside.items():
        where = f"in {folder}/" if folder else "at the top level"
        why = f"{where}, outside the parts {_list(list(parts))}"
        found.left += [("/".join((*start, name)), why) for name in names]


def _twice(folder: str, files: Sequence[Sequence[str]]) -> bool:
    """Return True if all files are in a subfolder with the same name again, as some archives unpack."""
    return all(len(path) > 2 and path[0] == folder for path in files)


def _by_classes(
    name: str,
    files: Sequence[Sequence[str]],
    found: Layout,
    start: tuple[str, ...],
    all_of: Callable[[int], list[str]],
) -> None:
    """Read each folder as a class; parts below the classes are used if all classes have them."""
    below = [part_of(path[1]) if len(path) > 2 else None for path in files]
    known = {part for part in below if part}
    if "train" in known and len(known) > 1:
        deep = [path for path, part in zip(files, below, strict=True) if part is None and len(path) > 1]
        if deep:
            got = f"{_list(sorted(known))} inside some classes, but not for {'/'.join(deep[0])}"
            do = "put the parts above the classes: train/CLASS, test/CLASS"
            raise DataError(name, got=got, expected="the parts inside every class", do=do)
        found.divided = True
        above = [name for number, path in enumerate(files) if len(path) == 1 for name in all_of(number)]
        found.left += [("/".join((*start, name)), "outside the parts") for name in above]
        found.rows = [(n, part, files[n][0]) for n, part in enumerate(below) if part]
        return
    found.rows = [(n, "train", path[0] if len(path) > 1 else "") for n, path in enumerate(files)]


def _tell_unlabelled(kind: str, found: Layout, all_of: Callable[[int], list[str]]) -> None:
    """Add a note about files that are in no class folder while others are."""
    if not any(label for *_, label in found.rows):
        return
    for part in ("train", "val", "test"):
        names = [name for n, own, label in found.rows if own == part and not label for name in all_of(n)]
        if names:
            shown = ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
            found.notes.append(
                f"{len(names):,} {kind} of {part} are in no class folder and have no label: {shown}"
            )


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(names[:SHOWN])
    return shown + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
