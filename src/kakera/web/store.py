"""The samples and uploads of the explorer. Uploads stay in memory and are never written to disk."""

from __future__ import annotations

import hashlib
import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from jaxtyping import Num
from torch import Tensor

from kakera.errors import sentence
from kakera.inputs import InputSpec
from kakera.web.errors import UnknownError
from kakera.web.schemas import PictureAnswer

MOST_BYTES = 20 << 20  # bytes of an upload
KEPT_BYTES = 96 << 20  # bytes of all uploads together; the least recently used are removed first


@dataclass(frozen=True, eq=False)
class ModelInput:
    """The input of a model: stored values (c, H, W), and the position of the window of a recording.

    Example:

        >>> import torch
        >>> looked = ModelInput(torch.zeros(1, 28, 28))
        >>> looked.values.shape, looked.windows
        (torch.Size([1, 28, 28]), 1)
    """

    values: Num[Tensor, "c H W"]
    width: int | None = None
    """Pixels before the padding; None without padding."""
    start: float = 0.0
    """Start of the window, in seconds."""
    window: int = 1
    windows: int = 1
    """Number of the window, from 1, and number of windows."""
    wave: Num[Tensor, " samples"] | None = None
    """The waveform of the window, at the sample rate of the model."""


class Item(Protocol):
    """A picture or a recording of the explorer.

    Example:

        >>> from types import SimpleNamespace
        >>> item = SimpleNamespace(id="0", name="cat.png", model_input=lambda inputs: None)
        >>> answer(item).name
        'cat.png'
    """

    @property
    def id(self) -> str:
        """The id for requests."""
        ...

    @property
    def name(self) -> str:
        """The name that the page shows."""
        ...

    def model_input(self, inputs: InputSpec) -> ModelInput:
        """Return the item as input of a model. Raises UnreadableFileError."""
        ...


class Store(ABC):
    """Samples that everyone can list, and uploads. The id of an upload is the hash of its content.

    Example:

        >>> from types import SimpleNamespace
        >>> class Texts(Store):
        ...     def opened(self, content, identity):
        ...         return SimpleNamespace(id=identity, name=content.decode())
        >>> store = Texts([])
        >>> store.picture(store.add(b"hello").id).name
        'hello'
    """

    kind: str

    def __init__(self, samples: Sequence[Item]) -> None:
        self.samples = samples
        self._known = {subject.id: subject for subject in samples}
        self._lock = threading.Lock()
        self._uploads: OrderedDict[str, tuple[Item, int]] = OrderedDict()
        self._bytes = 0

    @abstractmethod
    def opened(self, content: bytes, identity: str) -> Item:
        """Check an upload and return it as an item. Raises UnreadableFileError."""

    def add(self, content: bytes) -> Item:
        """Store an upload in memory and return it as an item. Raises UnreadableFileError."""
        identity = hashlib.blake2b(content, digest_size=12).hexdigest()
        subject = self.opened(content, identity)
        with self._lock:
            _, before = self._uploads.pop(identity, (None, 0))
            self._uploads[identity] = (subject, len(content))
            self._bytes += len(content) - before
            while self._bytes > KEPT_BYTES:
                self._bytes -= self._uploads.popitem(last=False)[1][1]
        return subject

    def picture(self, identity: str) -> Item:
        """Return the sample or upload with an id. Raises UnknownError if it is missing."""
        if identity in self._known:
            return self._known[identity]
        with self._lock:
            if identity in self._uploads:
                self._uploads.move_to_end(identity)
                return self._uploads[identity][0]
        raise UnknownError(
            sentence(self.kind, got=identity[:80], expected="a sample or an upload", do="upload it again")
        )


def answer(subject: Item) -> PictureAnswer:
    """Return the id and the name of an item as an answer of the server.

    Example:

        >>> from types import SimpleNamespace
        >>> answer(SimpleNamespace(id="0", name="cat.png"))
        PictureAnswer(id='0', name='cat.png')
    """
    return PictureAnswer(id=subject.id, name=subject.name)
