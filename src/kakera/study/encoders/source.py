"""The encoders of a study, opened and checked before anything is computed."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kakera.commands.fitting.files import read_for
from kakera.data.dataset import RECORDINGS, Dataset
from kakera.errors import InputError, MissingExtraError, OptionError
from kakera.formats.load import load
from kakera.formats.tokens.arrays import checksum
from kakera.formats.tokens.encoder import FrozenEncoder, open_encoder
from kakera.inputs import InputSpec
from kakera.training.notes import noted

PIXELS, SPECTRUM, MAE = "pixels", "spectrum", "mae"
BASELINES = (PIXELS, SPECTRUM)
OPTION = "encoders"


@dataclass(frozen=True)
class EncoderSource:
    """An encoder of a study: where it is from, and its names. See `open_encoders`.

    Example:

        >>> EncoderSource("runs/mae", "mae-2").is_baseline, EncoderSource("pixels", "pixels-1").is_baseline
        (False, True)
    """

    name: str
    """The name that the user gave: a path, a name on the hub, mae, pixels or spectrum."""
    unit: str
    """The name for folders."""
    title: str = ""
    """The short name for tables."""
    weights: str = ""
    """Checksum of weights and input; empty for the baseline, and for mae, which is not trained yet."""

    @property
    def is_baseline(self) -> bool:
        """True for small pictures or mean spectra, which are no encoder."""
        return self.name in BASELINES

    def open(self, run: Path) -> FrozenEncoder:
        """Return the encoder; `run` is the folder of the pretraining, for mae. Raises RunError."""
        return open_encoder(run if self.name == MAE else self.name, lambda: noted(load(self.name), self.name))


def baseline_name(dataset: Dataset) -> str:
    """Return the name of the baseline: pixels for pictures, spectrum for recordings.

    Example:

        >>> from kakera.data.sources.open import open_dataset
        >>> baseline_name(open_dataset("demo"))
        'pixels'
    """
    return SPECTRUM if dataset.kind == RECORDINGS else PIXELS


def require_names(names: Sequence[str]) -> None:
    """Raise OptionError without an encoder beside the baseline, or if one is named twice.

    Example:

        >>> require_names(["runs/mae", "runs/mae"])
        Traceback (most recent call last):
        kakera.errors.OptionError: encoders: got runs/mae twice, expected different encoders; name each once
    """
    seen = set[str]()
    for name in names:
        place = str(Path(name).resolve()) if Path(name).exists() and name not in (MAE, *BASELINES) else name
        if place in seen:
            do = "name each once"
            raise OptionError(OPTION, got=f"{name} twice", expected="different encoders", do=do)
        seen.add(place)
    if not set(names) - set(BASELINES):
        expected, do = "at least one encoder", "add the name of a run, or of weights"
        raise OptionError(OPTION, got=" ".join(names) or "nothing", expected=expected, do=do)


def open_first(names: Sequence[str]) -> InputSpec | None:
    """Return the input of the first named encoder that exists already; None if only mae is named.

    Raises OptionError for an encoder that cannot be read.
    """
    first = next((name for name in names if name not in (MAE, *BASELINES)), None)
    return None if first is None else _opened(first).inputs


def open_encoders(names: Sequence[str], dataset: Dataset) -> tuple[EncoderSource, ...]:
    """Return the encoders of a study, the baseline always among them.

    Each is opened once to check that it can read the files; only its checksum is kept in memory. Raises
    OptionError for one that cannot be read, that is for another kind of files, or that is there twice.

    Example:

        >>> from kakera import InputSpec, ViT
        >>> from kakera.data.sources.open import open_dataset
        >>> from kakera.formats.bundle import Pretrained
        >>> encoder = ViT("nano", channels=1, image_size=28)
        >>> Pretrained(encoder, InputSpec(1, 28, 28, (0.5,), (0.5,))).save("run")
        >>> [source.unit for source in open_encoders(["run"], open_dataset("demo"))]
        ['1-run', '2-pixels']
    """
    base = baseline_name(dataset)
    names = [*names, *([base] if base not in names else [])]
    short = [Path(name).name or name for name in names]
    owners, found = dict[str, str](), list[EncoderSource]()
    for number, name in enumerate(names, start=1):
        title = name if short.count(short[number - 1]) > 1 else short[number - 1]
        unit = f"{number}-{re.sub('[^A-Za-z0-9_-]+', '-', title).strip('-')[-60:]}"
        weights = ""
        if name in BASELINES and name != base:
            _refuse_kind(name, dataset)
        if name not in (MAE, *BASELINES):
            encoder = _opened(name)
            _require_readable(name, encoder, dataset)
            weights = checksum(encoder.tensors, {"inputs": json.dumps(encoder.inputs.to_json())})[:12]
            if weights in owners:
                got, do = f"{owners[weights]} and {name}, which are equal", "name one of them"
                raise OptionError(OPTION, got=got, expected="different encoders", do=do)
            owners[weights] = name
        found.append(EncoderSource(name, unit, title, weights))
    return tuple(found)


def _opened(name: str) -> FrozenEncoder:
    try:
        return EncoderSource(name, "").open(Path())
    except (InputError, MissingExtraError) as error:
        text = str(error)
        raise OptionError(f"{OPTION}: {text if name in text else f'{name}: {text}'}") from error


def _require_readable(name: str, encoder: FrozenEncoder, dataset: Dataset) -> None:
    if (encoder.inputs.sound is not None) != (dataset.kind == RECORDINGS):
        _refuse_kind(name, dataset)
    try:
        read_for(dataset, encoder.inputs)
    except InputError as error:
        raise OptionError(f"{OPTION}: {name} cannot read these files: {error}") from error


def _refuse_kind(name: str, dataset: Dataset) -> None:
    other = "recordings" if dataset.kind != RECORDINGS else "pictures"
    got = f"{name}, which is for {other}"
    raise OptionError(OPTION, got=got, expected=f"encoders of {dataset.kind}", do="leave it out")
