"""Recorded speech: the dialogues of the game Fish Fillets, with two actors in each of two languages.

Debian's packages fillets-ng-data-cs and fillets-ng-data-nl (GPL-2+) contain the recordings, which are read
where the packages are installed. A file is called `level/language/scene-speaker-words.ogg`. The speaker is
m, the small fish, or v, the big fish. Other voices have other letters and no label.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np

from kakera import seeding
from kakera.data.audio.recordings import FileSounds
from kakera.data.dataset import Dataset
from kakera.data.folders.media import files_below
from kakera.errors import DataError
from kakera.sound.spec import SoundSpec

INSTALLED = Path("/usr/share/games/fillets-ng/sound")
FOLDER_VARIABLE = "KAKERA_FILLETS"
PACKAGES = "fillets-ng-data-cs fillets-ng-data-nl"
LANGUAGES = {"cs": "Czech", "nl": "Dutch"}
FISH = {"m": "small fish", "v": "big fish"}
UNSEEN = 0.2  # share of the levels in the test part

_SPEAKER = re.compile(r"[^-_]+[-_]([mv])(?:[-_]|$)")


def open_fillets(name: str) -> Dataset:
    """Open `fillets`, with the four speakers as classes, or `fillets-language`, with the two languages.

    The split is by level, so that no scene is in both train and test, in either language. Raises DataError.

    Example:

        >>> from unittest.mock import patch
        >>> Path("cave/cs").mkdir(parents=True)
        >>> Path("cave/cs/cave-m-ahoj.ogg").touch()
        >>> with patch.dict(os.environ, KAKERA_FILLETS="."):
        ...     open_fillets("fillets").classes
        ('Czech small fish',)
    """
    root = _folder()
    paths = [path for path in files_below(root, {".ogg"}) if path.parent.name in LANGUAGES]
    if not paths:
        raise _missing(f"no recordings in {root}")
    given = [_language(path) if name == "fillets-language" else _speaker(path) for path in paths]
    classes = tuple(sorted({label for label in given if label}))
    levels = sorted({path.parents[1].name for path in paths})
    turn = seeding.permutation(0, 0, len(levels), "fillets")
    unseen = {levels[number] for number in turn[: round(UNSEEN * len(levels))]}
    return Dataset(
        name,
        FileSounds(paths, SoundSpec()),
        channels=1,
        split=np.array(["test" if path.parents[1].name in unseen else "train" for path in paths]),
        classes=classes,
        labels=np.array([classes.index(label) if label else -1 for label in given]),
    )


def _language(path: Path) -> str:
    return LANGUAGES[path.parent.name]


def _speaker(path: Path) -> str:
    found = _SPEAKER.match(path.stem)
    return f"{_language(path)} {FISH[found[1]]}" if found else ""


def _folder() -> Path:
    root = Path(os.environ.get(FOLDER_VARIABLE) or INSTALLED)
    if not root.is_dir():
        raise _missing(f"no folder {root}")
    return root


def _missing(got: str) -> DataError:
    return DataError(
        "fillets",
        got=got,
        expected="the recordings of the game's levels",
        do=f"apt install {PACKAGES}, or set {FOLDER_VARIABLE} to the folder named sound",
    )
