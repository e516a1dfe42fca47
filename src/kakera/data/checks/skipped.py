"""Files that are skipped, in words: those that cannot be read, and those that have too many pixels."""

from __future__ import annotations

from collections.abc import Sequence

from kakera.data.images.picture_file import MOST_PIXELS, TOO_MANY

TOO_LARGE = f"too large, above {MOST_PIXELS // 10**6} megapixels"


def is_too_large(reason: str) -> bool:
    """Return whether the reason of an unreadable file is that it has too many pixels."""
    return TOO_MANY in reason


def skipped_words(reasons: Sequence[str]) -> str:
    """Return such as "2 unreadable files and 1 too large, above 100 megapixels"; "" where there are none."""
    large = sum(map(is_too_large, reasons))
    broken = len(reasons) - large
    parts = [f"{broken} unreadable file{'' if broken == 1 else 's'}"] if broken else []
    if large:
        noun = "" if broken else f" file{'' if large == 1 else 's'}"
        parts.append(f"{large}{noun} {TOO_LARGE}")
    return " and ".join(parts)
