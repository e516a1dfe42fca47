"""How a number of labels is named: 100, 5%, all."""

from __future__ import annotations

from kakera.errors import OptionError


def count_of(size: str, most: int, classes: int) -> int:
    """Labels that "5%", "100" or "all" of `most` mean; 0 for a share of less than one a class.

    Raises OptionError for other words, and for a number of less than one a class.
    """
    if size == "all":
        return most
    share = size.removesuffix("%")
    try:
        number = float(share) / 100 if share != size else int(size)
    except ValueError:
        number = 0
    if number <= 0 or (share != size and number > 1) or (share == size and number < classes):
        raise OptionError(
            "sizes",
            got=repr(size),
            expected=f"a number of labels from {classes}, one a class, a share such as 10%, or all",
            do="correct it",
        )
    if share == size:
        return min(int(number), most)
    count = round(number * most)
    return count if count >= classes else 0
