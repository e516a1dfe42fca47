"""The models that are shown: finished runs, and runs in training as their newest checkpoint has them."""

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
from kakera.explain.reconstruct import describe_kind
from kakera.formats.bundle import Pretrained
from kakera.formats.native import WEIGHTS
from kakera.sound.spec import SoundSpec
from kakera.web.errors import UnknownError
from kakera.web.schemas import ModelAnswer

LOOK_AGAIN = 1.0  # seconds between looks for a newer checkpoint


@dataclass(frozen=True)
class State:
    """A model as it is now: its weights belong to `step`, None at the end of a run."""

    id: str
    name: str
    saved: Pretrained
    step: int | None

    @property
    def key(self) -> tuple[str, int | None]:
        """Answers of this state stay true as long as this is the same."""
        return self.id, self.step

    def describe(self) -> ModelAnswer:
        """What the page needs to know."""
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
        }
        return ModelAnswer(**common, has_attention=True, rows=grid.rows, cols=grid.cols, **layers)


def _about(saved: Pretrained) -> str:
    if not saved.model.has_attention:
        return f"CNN for {len(saved.classes)} classes: no tokens, no attention."
    kind = describe_kind(saved.model)
    knows = f"Knows {len(saved.classes)} classes" if saved.classes else "Knows no classes"
    return f"{kind[0].upper()}{kind[1:]}. {knows}."


class Opened:
    """One run. Safe to be asked from several threads."""

    def __init__(self, folder: Path, name: str, identity: str) -> None:
        """Raises RunError where there is neither a finished model nor a checkpoint."""
        self.folder = folder
        self._lock = threading.Lock()
        saved, step = open_run(folder)
        self._state = State(identity, name, saved, step)
        self._looked = time.monotonic()

    def state(self) -> State:
        """The newest weights there are; the ones from before where newer ones cannot be read yet."""
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
            saved, step = open_run(self.folder)
        except RunError:  # being replaced at this moment: at the next look
            return
        self._state = State(self._state.id, self._state.name, saved, step)


class Models:
    """All that are open, by id."""

    def __init__(self, folders: Sequence[str | Path]) -> None:
        """Raises RunError where one cannot be opened, or some take pictures and some recordings."""
        self._opened: dict[str, Opened] = {}
        for folder in map(Path, folders):
            name = folder.name or folder.resolve().name
            identity = _free(re.sub(r"[^A-Za-z0-9._-]+", "-", name) or "model", self._opened)
            if identity != name and name in {each.state().name for each in self._opened.values()}:
                name = str(folder)  # two runs of one name: told apart by their places
            self._opened[identity] = Opened(folder, name, identity)
        kinds = {state.saved.inputs.sound is not None for state in self.states()}
        if len(kinds) > 1:
            raise RunError(
                "models",
                got="some of pictures, some of recordings",
                expected="one kind",
                do="serve them apart",
            )

    @property
    def sound(self) -> SoundSpec | None:
        """How the first model hears recordings; None where they are models of pictures."""
        return next((state.saved.inputs.sound for state in self.states()), None)

    @property
    def channels(self) -> int:
        """Of the pictures to offer: those of the first model that takes neither 1 nor 3, else 3."""
        found = (state.saved.inputs.channels for state in self.states())
        return next((one for one in found if one not in GREY_OR_COLOUR), GREY_OR_COLOUR[1])

    def states(self) -> list[State]:
        """In the order they were named."""
        return [opened.state() for opened in self._opened.values()]

    def state(self, identity: str) -> State:
        """Raises UnknownError."""
        if identity not in self._opened:
            known = ", ".join(self._opened)
            raise UnknownError(sentence("model", got=identity[:80], expected=known, do="choose one of these"))
        return self._opened[identity].state()


def _free(wanted: str, taken: dict[str, Opened]) -> str:
    names = [wanted, *(f"{wanted}-{number}" for number in range(2, len(taken) + 2))]
    return next(name for name in names if name not in taken)
