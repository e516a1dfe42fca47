"""The pictures that can be asked about: samples, and what visitors sent, which never reaches the disk."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kakera.data.channels import with_channels
from kakera.data.dataset import Dataset, FilePictures
from kakera.data.images import decode
from kakera.errors import sentence
from kakera.web.answers import PictureAnswer
from kakera.web.refusals import UnknownError

MOST_BYTES = 20 << 20  # of an upload
MOST_PIXELS = 40_000_000  # of an upload
KEPT_BYTES = 256 << 20  # of all uploads together; the longest unused go first


@dataclass(frozen=True)
class Picture:
    """`values` gives (H, W, c) in 0 … 255 for a number of channels. Raises UnreadableFileError."""

    id: str
    name: str
    values: Callable[[int], NDArray[np.uint8]]

    def answer(self) -> PictureAnswer:
        """Its id and name."""
        return PictureAnswer(id=self.id, name=self.name)


class Pictures:
    """Samples for all, uploads for those who know their id: the hash of their content."""

    def __init__(self, samples: Dataset) -> None:
        self.samples = [_sample(samples, number) for number in range(len(samples))]
        self._known = {picture.id: picture for picture in self.samples}
        self._lock = threading.Lock()
        self._uploads: OrderedDict[str, tuple[Picture, int]] = OrderedDict()

    def add(self, content: bytes) -> Picture:
        """A picture that a visitor sent. Raises UnreadableFileError."""

        def values(channels: int) -> NDArray[np.uint8]:
            return decode(content, channels, most_pixels=MOST_PIXELS)

        values(1)  # only whole pictures are kept
        identity = hashlib.blake2b(content, digest_size=12).hexdigest()
        picture = Picture(identity, "uploaded picture", values)
        with self._lock:
            self._uploads[identity] = (picture, len(content))
            self._uploads.move_to_end(identity)
            while sum(size for _, size in self._uploads.values()) > KEPT_BYTES:
                self._uploads.popitem(last=False)
        return picture

    def picture(self, identity: str) -> Picture:
        """Raises UnknownError."""
        if identity in self._known:
            return self._known[identity]
        with self._lock:
            if identity in self._uploads:
                self._uploads.move_to_end(identity)
                return self._uploads[identity][0]
        raise UnknownError(
            sentence("picture", got=identity[:80], expected="a sample or an upload", do="send it again")
        )


def _sample(samples: Dataset, number: int) -> Picture:
    def values(channels: int) -> NDArray[np.uint8]:
        return with_channels(samples, channels).pictures.read(number)

    name = samples.pictures.name(number)
    if isinstance(samples.pictures, FilePictures):
        name = Path(name).name  # where it lies is nobody's business
    return Picture(f"sample-{number + 1}", name, values)
