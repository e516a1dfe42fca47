"""The models of the explorer: finished runs, and the newest checkpoint of runs in training."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kakera.commands.opened_run import open_run, step_reached
from kakera.data.images.decode import GREY_OR_COLOUR
from kakera.errors import RunError, sentence
from kakera.explain.activations import token_zero
from kakera.explain.reconstruct import describe_kind
from kakera.formats.adapt import with_one_shape
from kakera.formats.bundle import Pretrained
from kakera.formats.native import WEIGHTS
from kakera.formats.regression import encoder_of
from kakera.sound.spec import SoundSpec
from kakera.web.errors import UnknownError
from kakera.web.schemas import ModelAnswer

LOOK_AGAIN = 1.0  # seconds between checks for a newer checkpoint


@dataclass(frozen=True)
class State:
    """A model and the step of its weights; `step` is None if the run is finished."""

    id: str
    name: str
    saved: Pretrained
    step: int | None

    @property
    def key(self) -> tuple[str, int | None]:
        """The id and the step: cached answers are valid while this key is the same."""
        return self.id, self.step

    def describe(self) -> ModelAnswer:
        """Return the facts about the model that the page shows."""
        model, inputs, encoder = self.saved.model, self.saved.inputs, self.saved.model.backbone
        common: dict[str, Any] = {
            "id": self.id,
            "name": self.name,
            "about": _about(self.saved),
            "finished": self.step is None,
            "step": self.step,
            "size": inputs.size,
            "channels": inputs.channels,
            "sound": inputs.sound is not None,
            "classes": self.saved.classes,
            "predicts": bool(self.saved.classes),
            "reconstructs": model.reconstructs,
        }
        if encoder is None:
            return ModelAnswer(**common, has_attention=False, rows=1, cols=1)
        shape, grid = encoder.config, encoder.grid
        layers: dict[str, Any] = {
            "patch": shape.patch,
            "layers": shape.depth,
            "heads": shape.heads,
            "width": shape.width,
            "token_zero": token_zero(shape.class_tokens),
        }
        return ModelAnswer(**common, has_attention=True, rows=grid.rows, cols=grid.cols, **layers)


def _opened(folder: Path) -> tuple[Pretrained, int | None]:
    """Return the model of a run, of one picture size, and its step; without a head that predicts numbers."""
    saved, step = open_run(folder)
    return with_one_shape(encoder_of(saved) if saved.regression else saved), step


def _about(saved: Pretrained) -> str:
    if not saved.model.has_attention:
        return f"CNN for {len(saved.classes)} classes: no tokens, no attention."
    kind = describe_kind(saved.model)
    classes = f"Predicts {len(saved.classes)} classes" if saved.classes else "Predicts no classes"
    return f"{kind[0].upper()}{kind[1:]}. {classes}."


class Opened:
    """An open run folder. Thread-safe."""

    def __init__(self, folder: Path, name: str, identity: str) -> None:
        """Open the run `folder`. Raises RunError if it has neither a finished model nor a checkpoint."""
        self.folder = folder
        self._lock = threading.Lock()
        saved, step = _opened(folder)
        self._state = State(identity, name, saved, step)
        self._looked = time.monotonic()

    def state(self) -> State:
        """Return the model with its newest weights; with the previous ones if the new file is unreadable."""
        with self._lock:
            now = time.monotonic()
            if self._state.step is not None and now - self._looked > LOOK_AGAIN:
                self._looked = now
                ended = (self.folder / WEIGHTS).exists()
                if ended or step_reached(self.folder) not in (None, self._state.step):
                    self._renew()
            return self._state

    def _renew(self) -> None:
        try:
            saved, step = _opened(self.folder)
        except RunError:  # the file is being replaced: try at the next check
            return
        self._state = State(self._state.id, self._state.name, saved, step)


class Models:
    """The open models, by id."""

    def __init__(self, folders: Sequence[str | Path]) -> None:
        """Open all run folders.

        Raises RunError if a run cannot be opened, or if some models take pictures and some recordings.
        """
        self._opened: dict[str, Opened] = {}
        for folder in map(Path, folders):
            name = folder.name or folder.resolve().name
            identity = _free(re.sub(r"[^A-Za-z0-9._-]+", "-", name) or "model", self._opened)
            if identity != name and name in {each.state().name for each in self._opened.values()}:
                name = str(folder)  # two runs with the same name: show their paths
            self._opened[identity] = Opened(folder, name, identity)
        kinds = {state.saved.inputs.sound is not None for state in self.states()}
        if len(kinds) > 1:
            raise RunError(
                "models",
                got="models of pictures and models of recordings",
                expected="models of one kind",
                do="start one server for each kind",
            )

    @property
    def sound(self) -> SoundSpec | None:
        """The spectrogram settings of the first model; None for models of pictures."""
        return next((state.saved.inputs.sound for state in self.states()), None)

    @property
    def channels(self) -> int:
        """The number of channels of the sample pictures: 3, unless a model takes neither 1 nor 3."""
        counts = (state.saved.inputs.channels for state in self.states())
        return next((count for count in counts if count not in GREY_OR_COLOUR), GREY_OR_COLOUR[1])

    def states(self) -> list[State]:
        """Return the states of all models, in the order of their folders."""
        return [opened.state() for opened in self._opened.values()]

    def state(self, identity: str) -> State:
        """Return the model with the id `identity`. Raises UnknownError if no model has it."""
        if identity not in self._opened:
            known = ", ".join(self._opened)
            raise UnknownError(sentence("model", got=identity[:80], expected=known, do="choose one of them"))
        return self._opened[identity].state()


def _free(requested: str, taken: dict[str, Opened]) -> str:
    names = [requested, *(f"{requested}-{number}" for number in range(2, len(taken) + 2))]
    return next(name for name in names if name not in taken)
