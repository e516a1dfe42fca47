"""Natural order: picture2 before picture10."""

from __future__ import annotations

import re

_DIGITS = re.compile(r"[0-9]+")
_MOST = 0x10FFFE


def natural(text: str) -> tuple[str, str]:
    """Sort picture2 before picture10; no two texts are equal, so the order depends on nothing else.

    Each run of digits becomes a sign below all others, then how many digits there are without zeros in
    front, then these: texts with such numbers inside compare as one text, letter by letter.
    """
    return _DIGITS.sub(_number, text), text


def _number(found: re.Match[str]) -> str:
    digits = found[0].lstrip("0")
    return f"\0{chr(min(len(digits), _MOST) + 1)}{digits}"
