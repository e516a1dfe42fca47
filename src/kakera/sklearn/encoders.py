"""The frozen encoder of an estimator: opened once in a process, and shared by its clones."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from kakera.commands.prediction import readers
from kakera.data.dataset import Dataset
from kakera.data.images.value_range import Ranges
from kakera.data.sources.measured_range import measured
from kakera.errors import OptionError, UnreadableFileError
from kakera.formats.tokens.encoder import FrozenEncoder, open_encoder
from kakera.formats.tokens.store import Kind, PoolName
from kakera.option_fields import AUTO, Auto
from kakera.sklearn.samples import open_samples, require_readable

if TYPE_CHECKING:
    from kakera.model.classifier import Pooling

_LOCK = threading.Lock()  # threads of joblib share the network, which may move to a GPU and back


@dataclass(frozen=True, eq=False)
class SharedEncoder:
    """An encoder and its digest. See `shared_encoder`."""

    encoder: FrozenEncoder
    digest: str

    def require_pool(self, pool: str) -> PoolName:
        """Return a pooling that this encoder has; "auto" is that of `kakera.embed`. Raises OptionError.

        See `shared_encoder`.
        """
        own, encoder = self.encoder.default_pool, self.encoder
        known = dict.fromkeys((*encoder.pools, "normed mean", own))
        if pool != AUTO and pool not in known:
            expected = ", ".join((AUTO, *known))
            raise OptionError("pool", got=pool, expected=expected, do="choose one of these")
        return own if pool == AUTO else pool

    def opened(self, samples: Sequence[Any], ranges: Ranges | None = None) -> Dataset:
        """Return samples as a data set. Raises DataError.

        `ranges` are the values of black and white in deep pictures; None measures those that the encoder
        does not have. See `shared_encoder`.
        """
        inputs = self.encoder.inputs
        if inputs.sound is not None:
            return open_samples(samples, inputs)
        if ranges is None:
            dataset = open_samples(samples, inputs)
            known = {kind for kind, *_ in inputs.values}
            more = (one for one in measured(dataset) if one[0] not in known)
            ranges = (*inputs.values, *more)
        return open_samples(samples, replace(inputs, values=ranges)).with_ranges(ranges)

    def tokens(
        self,
        dataset: Dataset,
        pools: Sequence[PoolName],
        *,
        cache: bool,
        device: str,
        workers: int | Auto,
    ) -> dict[PoolName, NDArray[np.float32]]:
        """Return tokens (n, d) of the last layer for each pooling. Raises DataError for unreadable files.

        With `cache` they are read from the token cache as far as it has them. See `shared_encoder`.
        """
        kinds: list[Kind] = [(-1, pool) for pool in pools]
        broken, count = list[UnreadableFileError](), readers(dataset, workers)
        with _LOCK:
            found = _tokens(self.encoder, dataset, kinds, count, device, broken, cache=cache)
        require_readable(broken)
        return {pool: found[-1, pool] for pool in pools}


def _tokens(
    encoder: FrozenEncoder,
    dataset: Dataset,
    kinds: Sequence[Kind],
    workers: int,
    device: str,
    broken: list[UnreadableFileError],
    *,
    cache: bool,
) -> dict[Any, NDArray[np.float32]]:
    if cache:
        from kakera.training.stored_features import stored_features

        return stored_features(
            encoder, dataset, kinds, workers=workers, progress="", device=device, unreadable=broken
        )[0]
    from kakera.formats.features import features
    from kakera.training.device import moved_to_device

    saved = encoder.load()
    with moved_to_device(saved, device):
        pools: list[Pooling] = [pool for _, pool in kinds if pool != "patches"]  # which no pool here names
        return features(saved, dataset, [-1], pools, workers=workers, unreadable=broken)[0]


def shared_encoder(init_from: str | Path) -> SharedEncoder:
    """Return the encoder of a run, or of weights of another library, once in a process.

    It is opened again if its files change. Raises OptionError without a name, and RunError.

    Example:

        >>> from kakera import InputSpec, ViT
        >>> from kakera.formats.bundle import Pretrained
        >>> saved = Pretrained(ViT("nano", channels=1, image_size=8), InputSpec(1, 8, 8, (0.5,), (0.5,)))
        >>> saved.save("run")
        >>> shared_encoder("run") is shared_encoder("run")
        True
    """
    if not isinstance(cast(object, init_from), str | Path) or not str(init_from):
        got = f"a {type(init_from).__name__}" if init_from else "nothing"
        expected = "the folder of a run, or the name of weights"
        raise OptionError("init_from", got=got, expected=expected, do="pass one of these")
    path = Path(init_from)
    files = sorted(path.iterdir()) if path.is_dir() else [path] if path.exists() else []
    states = [(file.name, file.stat()) for file in files if file.is_file()]
    stamp = tuple((name, state.st_mtime_ns, state.st_size) for name, state in states)
    return _opened(str(init_from), str(path.resolve()), stamp)


@lru_cache(maxsize=2)
def _opened(source: str, place: str, stamp: tuple[tuple[str, int, int], ...]) -> SharedEncoder:
    from kakera.formats.bundle import Pretrained

    def loaded() -> Pretrained:
        from kakera.formats.load import load
        from kakera.training.notes import noted

        return noted(load(source), source)

    encoder = open_encoder(source, loaded)
    return SharedEncoder(encoder, encoder.digest())
