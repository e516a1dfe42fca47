"""The recordings of the explorer, window by window: "sample-1@3" is the third window of the first sample."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import numpy as np

from kakera.data.audio.batches import starts
from kakera.data.audio.decode import header
from kakera.data.audio.recordings import FileSounds
from kakera.data.dataset import Dataset
from kakera.data.sounds import Sounds
from kakera.errors import UnreadableFileError, sentence
from kakera.frontend import FrontEnd
from kakera.inputs import InputSpec
from kakera.sound.spec import SoundSpec
from kakera.training.preview import preview
from kakera.web.errors import UnknownError
from kakera.web.store import Item, ModelInput, Store

MOST_VALUES = 48_000 * 32  # values a second of an upload: a decoded piece stays below 100 MB
DIGITS = 9  # the longest window number


@dataclass(frozen=True)
class Recording:
    """One window of a recording: number `index` of `sounds`, and the window number, which counts from 1."""

    id: str
    name: str
    sounds: Sounds
    index: int
    window: int = 1

    def model_input(self, inputs: InputSpec) -> ModelInput:
        """Return the spectrogram of the window.

        Raises UnreadableFileError, and UnknownError if the recording has no such window.
        """
        spec = inputs.sound
        assert spec is not None
        sounds = self.sounds.with_spec(spec).take(np.array([self.index]))
        first = starts(sounds.length(0), spec.samples(inputs.width))
        if self.window > len(first):
            raise UnknownError(
                sentence("window", got=self.window, expected=f"1 to {len(first)}", do="choose another")
            )
        start = spec.seconds(first[self.window - 1])
        looked = preview(Dataset("recording", sounds, 1, np.array(["test"])), FrontEnd(inputs), start)
        if not len(looked):
            raise looked.batch.unreadable[0]
        assert looked.batch.lengths is not None
        wave = looked.batch.pictures[0, : int(looked.batch.lengths[0])]
        return ModelInput(looked.pictures[0], looked.widths[0], start, self.window, len(first), wave)


class RecordingStore(Store):
    """The sample recordings of a data set, and uploaded recordings."""

    kind = "recording"

    def __init__(self, samples: Dataset) -> None:
        sounds = samples.sounds
        assert sounds is not None
        super().__init__([_sample(sounds, number) for number in range(len(sounds))])

    def picture(self, identity: str) -> Item:
        """Return the recording `identity`, or its window after "@". Raises UnknownError if it is missing."""
        name, at, number = identity.partition("@")
        subject = super().picture(name)
        assert isinstance(subject, Recording)
        if not at:
            return subject
        if not re.fullmatch(f"[1-9][0-9]{{0,{DIGITS - 1}}}", number, re.ASCII):
            raise UnknownError(
                sentence(
                    "window", got=number[:80] or "none", expected="a whole number from 1", do="correct it"
                )
            )
        return replace(subject, id=f"{name}@{number}", window=int(number))

    def opened(self, content: bytes, identity: str) -> Recording:
        """Check the header and the first second of an upload. Raises UnreadableFileError.

        Errors further on in the file are reported when that window is requested.
        """
        head = header(content)
        if head.rate * head.channels > MOST_VALUES:
            got = f"got {head.channels} channels of {head.rate} Hz"
            raise UnreadableFileError(
                "recording", f"{got}, expected at most {MOST_VALUES:,} values a second; make it mono"
            )
        sounds = FileSounds([content], SoundSpec())
        sounds.piece(0, 0, sounds.length(0) and sounds.spec.rate)
        return Recording(identity, "uploaded recording", sounds, 0)


def _sample(sounds: Sounds, number: int) -> Recording:
    return Recording(f"sample-{number + 1}", sounds.title(number), sounds, number)
