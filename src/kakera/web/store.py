"""What can be asked about: samples, and what visitors sent, which never reaches the disk."""

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

MOST_BYTES = 20 << 20  # of an upload
KEPT_BYTES = 96 << 20  # of all uploads together; the longest unused go first


@dataclass(frozen=True, eq=False)
class ModelInput:
    """What a model takes in: stored values (c, H, W), and of a recording where its window lies."""

    values: Num[Tensor, "c H W"]
    width: int | None = None
    """After how many pixels it ends; None where it fills the picture."""
    start: float = 0.0
    """Where the window begins, in seconds."""
    window: int = 1
    windows: int = 1
    """Which window it is, and how many there are."""
    wave: Num[Tensor, " samples"] | None = None
    """What is heard, at the model's rate."""


class Item(Protocol):
    """Something that can be asked about."""

    @property
    def id(self) -> str:
        """By which it is asked for."""
        ...

    @property
    def name(self) -> str:
        """For people."""
        ...

    def model_input(self, inputs: InputSpec) -> ModelInput:
        """As a model takes it in. Raises UnreadableFileError."""
        ...


class Store(ABC):
    """Samples for all, uploads for those who know their id: the hash of their content."""

    kind: str

    def __init__(self, samples: Sequence[Item]) -> None:
        self.samples = samples
        self._known = {subject.id: subject for subject in samples}
        self._lock = threading.Lock()
        self._uploads: OrderedDict[str, tuple[Item, int]] = OrderedDict()
        self._bytes = 0

    @abstractmethod
    def opened(self, content: bytes, identity: str) -> Item:
        """What a visitor sent, once it is known to be whole. Raises UnreadableFileError."""

    def add(self, content: bytes) -> Item:
        """Keeps what a visitor sent. Raises UnreadableFileError."""
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
        """Raises UnknownError."""
        if identity in self._known:
            return self._known[identity]
        with self._lock:
            if identity in self._uploads:
                self._uploads.move_to_end(identity)
                return self._uploads[identity][0]
        raise UnknownError(
            sentence(self.kind, got=identity[:80], expected="a sample or an upload", do="send it again")
        )


def answer(subject: Item) -> PictureAnswer:
    """Its id and name."""
    return PictureAnswer(id=subject.id, name=subject.name)
