"""Helpers for sentences."""

from __future__ import annotations


def listed(words: list[str]) -> str:
    """Join words with commas and "and".

    Example:

        >>> listed(["a", "b", "c"])
        'a, b and c'
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def capital(text: str) -> str:
    """Return the text with a capital first letter.

    Example:

        >>> capital("no file")
        'No file'
    """
    return text[:1].upper() + text[1:]
