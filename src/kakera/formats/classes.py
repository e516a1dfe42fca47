"""Names of classes: a class is a position, so two positions may not share a name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence


def unique_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names with a number after each that occurred before: "crane", "crane (2)"."""
    seen, taken = Counter[str](), set(names)
    found: list[str] = []
    for name in names:
        seen[name] += 1
        new = name
        while seen[name] > 1 and (new == name or new in taken):
            new = f"{name} ({seen[name]})"
            seen[name] += new in taken
        taken.add(new)
        found.append(new)
    return tuple(found)


def note_on_duplicates(names: Sequence[str]) -> tuple[str, ...]:
    """Return a note on names that occur more than once, or none."""
    multi_label = [name for name, count in Counter(names).items() if count > 1]
    if not multi_label:
        return ()
    shown = ", ".join(f'"{name}" as "{name} (2)"' for name in multi_label[:3])
    more = ", …" if len(multi_label) > 3 else ""
    what = "1 name stands" if len(multi_label) == 1 else f"{len(multi_label)} names stand"
    return (f"{what} for more than one class, the later ones shown with a number: {shown}{more}",)
