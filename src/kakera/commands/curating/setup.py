"""The setup of `kakera curate`: options, encoder, opened data, and the tokens of all readable files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kakera.commands.reading import require_same_kind
from kakera.data.dataset import Dataset
from kakera.data.folders.media import Kind as MediaKind
from kakera.data.shards.open import is_shards
from kakera.data.sources.open import open_dataset
from kakera.errors import DataError, OptionError, RunError, UnreadableFileError, printable
from kakera.formats.rejection import rejection_pool
from kakera.formats.tokens.encoder import FrozenEncoder, open_encoder
from kakera.formats.tokens.keys import Key, file_keys
from kakera.formats.tokens.store import Kind, PoolName
from kakera.machine import usable_cores
from kakera.option_fields import AUTO, Auto
from kakera.training.stored_features import stored_features

FEW = 256  # up to this number of files, reading them takes less time than starting processes
FINDINGS, REPORT = "findings.csv", "report.html"
LEAST = 2  # files


@dataclass(frozen=True, eq=False)
class CurateSetup:
    """The encoder and the files of a curation. See `open_curate_setup`."""

    encoder: FrozenEncoder
    dataset: Dataset
    keys: tuple[Key, ...]
    pool: PoolName
    mirrored: bool
    """True if the mirrored pictures are embedded too."""


def open_curate_setup(
    data: str | Path | Dataset,
    init_from: str | Path,
    *,
    pool: str = AUTO,
    mirrored: bool = True,
    kind: MediaKind = "any",
) -> CurateSetup:
    """Open encoder and data, and read all files once for their keys. The options are as in `curate`.

    Raises DataError, OptionError and RunError.
    """
    encoder = open_encoder(init_from)
    allowed = encoder.pools
    if pool != AUTO and pool not in allowed:
        do = "choose one of these, or leave it out"
        raise OptionError("pool", got=pool, expected=f"auto, {', '.join(allowed)}", do=do)
    chosen = rejection_pool(encoder.class_tokens) if pool == AUTO else pool
    inputs = encoder.inputs
    if isinstance(data, Dataset):
        dataset = data.with_ranges(inputs.values) if inputs.values else data
    else:
        own: MediaKind = "recordings" if inputs.sound else "pictures"
        read = own if kind == "any" and Path(data).exists() and not is_shards(data) else kind
        channels = None if inputs.sound else inputs.channels
        dataset = open_dataset(data, channels=channels, kind=read, ranges=inputs.values)
    require_same_kind(dataset, inputs)
    if dataset.sounds is not None and inputs.sound is not None:
        dataset = replace(dataset, pictures=dataset.sounds.with_spec(inputs.sound))
    else:
        dataset = dataset.with_channels(inputs.channels)
    turned = mirrored and inputs.sound is None
    return CurateSetup(encoder, dataset, tuple(file_keys(dataset)), chosen, turned)


@dataclass(frozen=True, eq=False)
class CurateTokens:
    """The readable files of a setup with their tokens (n, d), and those of the mirrored pictures or None."""

    setup: CurateSetup
    tokens: NDArray[np.float32]
    mirrored: NDArray[np.float32] | None
    unreadable: tuple[UnreadableFileError, ...]


def tokens_of(setup: CurateSetup, *, workers: int | Auto = AUTO, device: str = AUTO) -> CurateTokens:
    """Return the tokens of all readable files. Raises DataError for fewer than two readable files."""
    kind: Kind = (-1, setup.pool)
    dataset, broken = setup.dataset, list[UnreadableFileError]()
    held = dataset.pictures.in_memory or len(dataset) <= FEW
    readers = workers if workers != AUTO else 0 if held else usable_cores()

    def computed(files: Dataset, keys: Sequence[Key], *, mirrored: bool, errors: list[UnreadableFileError]):
        found, rows = stored_features(
            setup.encoder,
            files,
            [kind],
            keys=keys,
            workers=readers,
            progress="mirrored" if mirrored else "tokens",
            device=device,
            unreadable=errors,
            mirrored=mirrored,
        )
        return found[kind], rows

    tokens, rows = computed(dataset, setup.keys, mirrored=False, errors=broken)
    errors = (*dataset.unreadable, *_each_file(setup, rows, broken))
    if len(rows) < LEAST:
        more = f", {len(errors)} unreadable, such as {errors[0].path}" if errors else ""
        got, do = f"{len(rows)} readable file{'s' * (len(rows) != 1)}{more}", "check the files"
        raise DataError(dataset.name, got=got, expected=f"at least {LEAST}", do=do)
    files, keys = dataset.take(rows), tuple(setup.keys[row] for row in rows.tolist())
    turned = None
    if setup.mirrored:
        found, kept = computed(files, keys, mirrored=True, errors=[])
        turned = found if len(kept) == len(files) else None
    return CurateTokens(replace(setup, dataset=files, keys=keys), tokens, turned, errors)


def _each_file(
    setup: CurateSetup, rows: NDArray[np.int64], broken: Sequence[UnreadableFileError]
) -> list[UnreadableFileError]:
    """Return an error for each file that has no tokens: of equal files, only the first one was read."""
    pictures, reasons = setup.dataset.pictures, {error.path: error.reason for error in broken}
    missing = np.setdiff1d(np.arange(len(setup.dataset)), rows).tolist()
    names = {row: printable(pictures.name(row)) for row in missing}
    of_content = {setup.keys[row]: reasons[names[row]] for row in missing if names[row] in reasons}
    found = {name: of_content.get(setup.keys[row], "it cannot be read") for row, name in names.items()}
    return [UnreadableFileError(name, why) for name, why in {**found, **reasons}.items()]


def require_folder(out: str | Path) -> Path:
    """Return the path of the output folder. Raises RunError if it has other files, or is a file.

    Example:

        >>> require_folder("curated").name
        'curated'
    """
    path = Path(out)
    if path.is_dir() and not {each.name for each in path.iterdir()} <= {FINDINGS, REPORT}:
        raise RunError(str(out), got="other files", expected="a new folder", do="choose another --out")
    if path.exists() and not path.is_dir():
        raise RunError(str(out), got="a file", expected="a folder", do="choose another --out")
    return path
