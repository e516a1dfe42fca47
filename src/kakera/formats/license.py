"""The licence of weights: read from a model card, shown in plain words, and passed on with the model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CARD = "README.md"
NO_COMMERCE = re.compile(r"\bnc\b|non-?commercial|research-only|amlr")
PASSED_ON = "Its licence is the licence of the data and weights that it was made from."


def read_license(folder: Path, config: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """Return the licence of the weights in `folder`, or an empty string, and notes on its reading.

    It is in the header of the model card (README.md), or in timm's `pretrained_cfg` of the configuration. If
    the card says `other`, the result is its name and link there. If card and configuration differ, a note
    tells so, and the result has both.

    Example:

        >>> _ = Path("README.md").write_text("---\\nlicense: cc-by-nc-4.0\\n---\\n")
        >>> read_license(Path("."), {})
        ('cc-by-nc-4.0', ())
    """
    card, notes = _of_card(folder / CARD)
    stored = config.get("pretrained_cfg")
    own = _text(stored.get("license")) if isinstance(stored, Mapping) else ""
    if card and own and card.lower() != own.lower():
        card, notes = f"{card} or {own}", (*notes, "warning: model card and config.json name two licences")
    return card or own, notes


def license_words(name: str) -> str:
    """Return a licence in plain words, for a note.

    Example:

        >>> license_words("apache-2.0")
        'licence apache-2.0'
        >>> license_words("cc-by-nc-4.0")
        'licence cc-by-nc-4.0: no commercial use'
    """
    return f"licence {name}" + (": no commercial use" if NO_COMMERCE.search(name.lower()) else "")


def card_license(name: str) -> tuple[list[str], str]:
    """Return the lines of a model card's header and the sentence for a converted model.

    Example:

        >>> card_license("mit")
        (['license: mit'], 'Its weights were made from weights with the licence mit.')
        >>> card_license("")
        ([], 'Its licence is the licence of the data and weights that it was made from.')
    """
    if not name:
        return [], PASSED_ON
    known = re.fullmatch(r"[a-z0-9][a-z0-9.-]*", name)
    head = [f"license: {name}"] if known else ["license: other"]
    words = license_words(name).removeprefix("licence ")
    return head, f"Its weights were made from weights with the licence {words}."


def _of_card(card: Path) -> tuple[str, tuple[str, ...]]:
    if not card.is_file():
        return "", ()
    from huggingface_hub import metadata_load

    try:
        values = metadata_load(card) or {}
    except Exception as error:  # of YAML, of text encodings, and of the file itself
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return "", (f"the header of {CARD} is unreadable ({reason}), so the licence is unknown",)
    name = _text(values.get("license"))
    if name.lower() == "other":
        parts = [_text(values.get(key)) for key in ("license_name", "license_link")]
        name = ", ".join(part for part in parts if part) or name
    return name, ()


def _text(value: object) -> str:
    """Return a licence as text on one line; several of a list are joined."""
    several = value if isinstance(value, list) else [] if value is None else [value]
    return " ".join(" and ".join(str(each) for each in several).split())[:300]
