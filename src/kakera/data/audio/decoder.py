"""What reads the samples of one recording, whichever library decodes it."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from typing import Any

from numpy.typing import NDArray

from kakera.data.sounds import Header
from kakera.errors import MissingExtraError


class FaultError(Exception):
    """The file cannot be read as a recording; the text is the reason, without its name."""


class Decoder(ABC):
    """An open recording."""

    header: Header
    subtype: str
    """How its samples are stored, in libsndfile's words where it has one: PCM_16, VORBIS."""

    @abstractmethod
    def read(self, first: int, last: int, dtype: str = "float32") -> NDArray[Any]:
        """(last − first, channels), fewer where the file ends early; integers at their full scale.

        These are the samples that decoding from the beginning gives there. Raises FaultError, and what the
        library raises on a broken file.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of the file."""


def extra(module: str, name: str) -> Any:
    """A module that the extra `name` brings. Raises MissingExtraError."""
    try:
        return importlib.import_module(module)
    except (ImportError, OSError) as error:  # OSError: the library that it wraps is not there
        raise MissingExtraError(
            "recordings",
            got=f"no {module}",
            expected=f"the extra kakera[{name}]",
            do=f"pip install 'kakera[{name}]'",
        ) from error
