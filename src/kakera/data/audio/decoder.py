"""The interface of all decoders of recordings, whichever library decodes the file."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from typing import Any

from numpy.typing import NDArray

from kakera.data.sounds import Header
from kakera.errors import MissingExtraError


class FaultError(Exception):
    """An error for a file that is not a readable recording; its text is the reason without the file name.

    Example:

        >>> from kakera.data.audio.open_decoder import open_decoder
        >>> open_decoder(b"<html>")
        Traceback (most recent call last):
        kakera.data.audio.decoder.FaultError: got an HTML or XML file, expected a WAV, FLAC, Ogg, ...
    """


class Decoder(ABC):
    """An open recording.

    See `open_decoder`.
    """

    header: Header
    subtype: str
    """The sample format, with libsndfile's name if there is one: PCM_16, VORBIS."""

    @abstractmethod
    def read(self, first: int, last: int, dtype: str = "float32") -> NDArray[Any]:
        """Read samples `first` … `last` − 1, (last − first, channels), fewer if the file ends earlier.

        The samples are the same as after decoding from the beginning. With an integer `dtype`, they use the
        full range of that type. Raises FaultError, and the errors of the library for a broken file.
        """

    @abstractmethod
    def close(self) -> None:
        """Close the file."""


def extra(module: str, name: str) -> Any:
    """Import a module that the extra `name` installs. Raises MissingExtraError if it is not installed.

    Example:

        >>> extra("soundfile", "audio").__name__
        'soundfile'
    """
    try:
        return importlib.import_module(module)
    except (ImportError, OSError) as error:  # OSError: the C library of the module is not installed
        raise MissingExtraError(
            "recordings",
            got=f"no {module}",
            expected=f"the extra kakera[{name}]",
            do=f"pip install 'kakera[{name}]'",
        ) from error
