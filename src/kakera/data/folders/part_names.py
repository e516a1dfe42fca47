"""Names of the parts of a data set, in the spellings that people use: training, Valid, test_set, eval."""

from __future__ import annotations

import re
from collections.abc import Iterable

_WORDS = {  # as in Hugging Face's datasets, where eval means test
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev"), "val"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}
_BESIDE = {"set", "split", "data", "images", "imgs", "pictures", "audio", "recordings", "files"}


def part_of(name: str) -> str | None:
    """Return train, val or test for a name that means one of them, else None.

    Case is ignored, and so are words such as set, data and images: Training, test-set, train_images.

    Example:

        >>> [part_of(name) for name in ("Training", "valid", "test_images", "cats")]
        ['train', 'val', 'test', None]
    """
    words = [word for word in re.split(r"[\W_]+", name.casefold()) if word and word not in _BESIDE]
    if len(words) != 1:
        return None
    word = words[0]
    return _WORDS.get(word) or (_WORDS.get(word.removesuffix("set")) if word.endswith("set") else None)


def parts_of(names: Iterable[str]) -> dict[str, str]:
    """Return the parts of names that share one more word: seg_train, seg_test; train2017, val2017.

    Return an empty dict if train is not among them, or if train is the only part.

    Example:

        >>> parts_of(["seg_train", "seg_test", "docs"])
        {'seg_train': 'train', 'seg_test': 'test'}
        >>> parts_of(["seg_train"])
        {}
    """
    found: dict[tuple[str, ...], dict[str, str]] = {}
    for name in names:
        words = re.findall(r"[^\W\d_]+|\d+", name.casefold())
        parts = [word for word in words if word in _WORDS]
        if len(parts) == 1:
            rest = tuple(word for word in words if word not in _WORDS)
            found.setdefault(rest, {})[name] = _WORDS[parts[0]]
    whole = [group for group in found.values() if "train" in group.values() and len({*group.values()}) > 1]
    return whole[0] if len(whole) == 1 else {}
