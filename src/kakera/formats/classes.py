"""Names and thresholds of classes: a class is an index of the logits, so two may not share a name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kakera.errors import OptionError

HALF = 0.5  # the threshold of a multi-label model that has no thresholds of its own


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


def exceeds_threshold(
    probabilities: NDArray[np.floating[Any]], thresholds: Sequence[float] = ()
) -> NDArray[np.bool_]:
    """Return True for each class that a multi-label model predicts, of the shape of `probabilities`.

    A class is predicted if its probability is at least its threshold. `probabilities` is (…, classes);
    `thresholds` has one number for each class, or is empty: then each is 0.5.

    Example:

        >>> exceeds_threshold(np.array([0.5, 0.4, 0.3]), thresholds=(0.6, 0.4, 0.2))
        array([False,  True,  True])
    """
    return probabilities >= (np.array(thresholds, np.float64) if len(thresholds) else HALF)


def require_thresholds(thresholds: Sequence[float], classes: int, *, multi_label: bool) -> None:
    """Raise OptionError unless there is one threshold from 0 to 1 for each class, or none.

    Example:

        >>> require_thresholds((0.5, 0.3), classes=2, multi_label=True)
    """
    if not len(thresholds):
        return
    wrong = [each for each in thresholds if not 0 <= each <= 1]
    if not multi_label or len(thresholds) != classes or wrong:
        got = f"{wrong[0]:g}" if wrong else f"{len(thresholds)} for {classes} classes"
        got = got if multi_label else "some for a model of one label"
        expected = "one number from 0 to 1 for each class of a multi-label model"
        raise OptionError("thresholds", got=got, expected=expected, do="correct them, or leave them out")


def describe_thresholds(thresholds: Sequence[float]) -> dict[str, Any]:
    """Return the entry of a description for thresholds; an empty dictionary if there are none.

    Example:

        >>> describe_thresholds((0.5, 0.25)), describe_thresholds(())
        ({'thresholds': [0.5, 0.25]}, {})
    """
    return {"thresholds": list(thresholds)} if len(thresholds) else {}
