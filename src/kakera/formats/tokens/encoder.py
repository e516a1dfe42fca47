"""A frozen encoder as arrays: its description, its tensors, and its key in the token cache.

A run folder of kakera is read without torch, which takes a second to import. Every other source is loaded
with torch first.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kakera.data.dataset import Dataset
from kakera.formats.tokens.arrays import Arrays, checksum, checksum_of, read_arrays
from kakera.formats.tokens.store import PoolName
from kakera.inputs import InputSpec

if TYPE_CHECKING:
    from kakera.formats.bundle import Pretrained

FORMAT = 2  # the current format of kakera.json
PARTS = {"mae": "encoder.", "classifier": "encoder.", "encoder": ""}


@dataclass(frozen=True, eq=False)
class FrozenEncoder:
    """An encoder whose weights do not change. See `open_encoder`."""

    config: Mapping[str, Any]
    """The entries of `kakera.json` about the encoder."""
    inputs: InputSpec
    tensors: Arrays
    """The weights by their names in a Vision Transformer."""
    load: Callable[[], Pretrained]
    """Function that returns the model, with torch."""
    license: str = ""
    """Licence of the weights, if known; see `Pretrained.license`."""
    resampling: str = "bicubic"
    """The method that resizes its position embeddings; see `Pretrained.resampling`."""
    pool: PoolName | None = None
    """The tokens that the head of its classifier reads; None without a head."""

    @property
    def width(self) -> int:
        """The length of a token."""
        return int(self.config["config"]["width"])

    @property
    def depth(self) -> int:
        """The number of layers."""
        return int(self.config["config"]["depth"])

    @property
    def class_tokens(self) -> int:
        """The number of class tokens; 0 for an encoder without."""
        return int(self.config["config"].get("class_tokens", 1))

    @property
    def pools(self) -> tuple[PoolName, ...]:
        """The poolings that a head on these tokens may read, without those of distilled networks."""
        if self.class_tokens:
            return ("class", "mean", "class and mean")
        return ("mean", "attention") if self.config["config"].get("attention_pool") else ("mean",)

    @property
    def default_pool(self) -> PoolName:
        """The pooling of `kakera.embed`: that of the classifier, or of an encoder without a head."""
        return self.pool or ("class" if self.class_tokens else self.pools[-1])

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        height, width = self.config["config"]["patch"]
        down, across = self.config["config"].get("stride") or (height, width)
        return (self.inputs.height - height) // down + 1, (self.inputs.width - width) // across + 1

    @property
    def patches(self) -> int:
        """The number of patch tokens."""
        return self.grid[0] * self.grid[1]

    def key(self, dataset: Dataset) -> str:
        """Return the key of its tokens for files that are read as those of `dataset`, 32 hex digits.

        It covers weights, configuration, input specification, channels, value ranges and the decoder.
        """
        import PIL

        digest = hashlib.blake2b(digest_size=16)
        reading = [dataset.channels, dataset.ranges, PIL.__version__, "float32"]
        for values in (dict(self.config), self.inputs.to_json(), reading):
            digest.update(json.dumps(values, sort_keys=True).encode())
        digest.update(checksum(self.tensors, {}).encode())
        return digest.hexdigest()

    def digest(self) -> str:
        """Return a digest of weights, configuration and input specification, 32 hex digits.

        Value ranges of deep pictures are not in it: they belong to the data.
        """
        found = hashlib.blake2b(digest_size=16)
        inputs = {name: value for name, value in self.inputs.to_json().items() if name != "values"}
        for values in (dict(self.config), inputs):
            found.update(json.dumps(values, sort_keys=True).encode())
        found.update(checksum(self.tensors, {}).encode())
        return found.hexdigest()


def open_encoder(source: str | Path, loaded: Callable[[], Pretrained] | None = None) -> FrozenEncoder:
    """Return the encoder of a run, or of weights of another library.

    `loaded` returns the model of another source than a run; by default it is `kakera.load`. Raises RunError
    for a source that is no readable model, and for a CNN, which has no tokens.

    Example:

        >>> from kakera import InputSpec, ViT
        >>> from kakera.formats.bundle import Pretrained
        >>> Pretrained(ViT("nano", channels=1, image_size=8), InputSpec(1, 8, 8, (0.5,), (0.5,))).save("run")
        >>> open_encoder("run").width
        64
    """
    found = _native(Path(source))
    if found is not None:
        return found
    from kakera.formats.load import load

    return encoder_of(loaded() if loaded is not None else load(source))


def encoder_of(saved: Pretrained) -> FrozenEncoder:
    """Return the encoder of a loaded model. Raises RunError for a CNN.

    Example:

        >>> from kakera import InputSpec, ViT
        >>> from kakera.formats.bundle import Pretrained
        >>> saved = Pretrained(ViT("nano", channels=1, image_size=8), InputSpec(1, 8, 8, (0.5,), (0.5,)))
        >>> encoder_of(saved).depth
        3
    """
    described, state = saved.encoder.describe(), saved.encoder.state_dict()
    tensors = {name: values.detach().float().cpu().numpy() for name, values in state.items()}
    config = {name: value for name, value in described.items() if name != "kind"}
    more = saved.license, saved.resampling, saved.model.pool
    return FrozenEncoder(json.loads(json.dumps(config)), saved.inputs, tensors, lambda: saved, *more)


def _native(folder: Path) -> FrozenEncoder | None:
    """Return the encoder of a run folder of the current format; None for everything else or unusual."""
    try:
        content = json.loads((folder / "kakera.json").read_text())
        if content["format"] != FORMAT or content["kind"] not in PARTS:
            return None
        if not checksum_of(folder / "model.safetensors"):
            return None
        tensors, _ = read_arrays(folder / "model.safetensors")
        part = PARTS[content["kind"]]
        own = {name.removeprefix(part): each for name, each in tensors.items() if name.startswith(part)}
        if not all(each.dtype == np.float32 and np.isfinite(each).all() for each in own.values()):
            return None
        config = {name: content[name] for name in ("config", "learned_positions")}
        inputs = InputSpec.from_json(content["inputs"])
    except Exception:  # `load` reads it again, and names what is wrong
        return None

    @cache
    def loaded() -> Pretrained:
        from kakera.formats.load import load

        return load(folder)

    pool = content.get("pool") if content["kind"] == "classifier" else None
    more = str(content.get("license", "")), str(content.get("resampling", "bicubic")), pool
    return FrozenEncoder(config, inputs, own, loaded, *more)
