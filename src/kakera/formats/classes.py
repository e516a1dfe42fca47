"""Unique class names: a class is an index of the logits, so two indices may not share a name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


def unique_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names, with a number after each repeated one.

    Example:

        >>> unique_names(["crane", "heron", "crane"])
        ('crane', 'heron', 'crane (2)')
    """
    seen, taken = Counter[str](), set(names)
    unique: list[str] = []
    for name in names:
        seen[name] += 1
        new = name
        while seen[name] > 1 and (new == name or new in taken):
            new = f"{name} ({seen[name]})"
            seen[name] += new in taken
        taken.add(new)
        unique.append(new)
    return tuple(unique)


def note_on_duplicates(names: Sequence[str]) -> tuple[str, ...]:
    """Return a note on names that occur more than once, or an empty tuple.

    Example:

        >>> note_on_duplicates(["crane", "crane"])
        ('1 name is used for more than one class; the later ones get a number: "crane" as "crane (2)"',)
        >>> note_on_duplicates(["crane", "heron"])
        ()
    """
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if not repeated:
        return ()
    shown = ", ".join(f'"{name}" as "{name} (2)"' for name in repeated[:3])
    more = ", …" if len(repeated) > 3 else ""
    what = "1 name is" if len(repeated) == 1 else f"{len(repeated)} names are"
    return (f"{what} used for more than one class; the later ones get a number: {shown}{more}",)
