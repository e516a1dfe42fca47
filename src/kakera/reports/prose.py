"""Sentences made of parts."""

from __future__ import annotations


def listed(words: list[str]) -> str:
    """a, b and c."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def capital(text: str) -> str:
    """With a capital letter in front."""
    return text[:1].upper() + text[1:]
