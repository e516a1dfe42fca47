"""The notation of a number of labels: 100, 5% or all."""

from __future__ import annotations

from kakera.errors import OptionError


def count_of(size: str, most: int, classes: int) -> int:
    """Return the number of labels for a size such as "5%", "100" or "all", out of `most` labels.

    A share with fewer than one label per class gives 0. Raises OptionError for other text, and for a number
    below `classes`.

    Example:

        >>> count_of("5%", 1000, 10), count_of("100", 1000, 10), count_of("all", 1000, 10)
        (50, 100, 1000)
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
            expected=f"at least {classes} labels (one per class), a share such as 10%, or all",
            do="correct it",
        )
    if share == size:
        return min(int(number), most)
    count = round(number * most)
    return count if count >= classes else 0
