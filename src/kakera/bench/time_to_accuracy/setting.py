"""The setting of a comparison: data, network, input and draws of labels, the same for all contenders."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kakera.commands.labelled import held_out, labelled_part, require_classes
from kakera.commands.prepare import require_patches, resolve
from kakera.data.dataset import Dataset
from kakera.errors import OptionError
from kakera.inputs import InputSpec
from kakera.model.configs import ViTConfig, vit_config
from kakera.training.options import PretrainOptions, ProbeOptions
from kakera.training.prepared import Prepared
from kakera.training.probes.draws import Draw, draws_of

RECIPES = {"fillets": "audio-micro", "fillets-language": "audio-micro"}
RECIPE = "micro"


@dataclass(frozen=True, eq=False)
class Setting:
    """The data, the shape of the network and the labels. `shared` are options of all contenders.

    Example:

        >>> setting = Setting.of("demo", {"model": "nano"}, labels=(20,), draws=2)
        >>> setting.shape.width, setting.inputs.size, len(setting.draws)
        (64, (28, 28), 2)
    """

    data: str
    recipe: str
    shared: dict[str, Any]
    options: PretrainOptions
    prepared: Prepared
    shape: ViTConfig
    inputs: InputSpec
    labels: tuple[int, ...]
    count: int
    """Number of draws of each number of labels."""
    reading: float
    """Processor seconds in which the files were read and decoded here."""

    @classmethod
    def of(
        cls, data: str, shared: dict[str, Any], *, labels: tuple[int, ...], draws: int, recipe: str = ""
    ) -> Setting:
        """Open the data, and choose the options of kakera's recipe. Raises DataError, OptionError."""
        began, recipe = time.process_time(), recipe or RECIPES.get(data, RECIPE)
        options, prepared = resolve(PretrainOptions, data, recipe, shared)
        require_classes(prepared.dataset)
        shape = require_patches(vit_config(options.model), options.patch)
        size = prepared.size(options.image_size, shape.patch, options.seconds)
        prepared = prepared.preloaded(size, options.crop_min_scale, quiet=True)
        inputs = prepared.inputs(options.image_size, shape.patch, options.seconds)
        train = len(labelled_part(prepared.dataset, "train"))
        if max(labels) > train or min(labels) < 1:
            raise OptionError("labels", got=labels, expected=f"1 to {train}", do="choose other numbers")
        return cls(
            data, recipe, shared, options, prepared, shape, inputs, labels, draws, time.process_time() - began
        )

    @property
    def train(self) -> Dataset:
        """The labelled training files."""
        return labelled_part(self.prepared.dataset, "train")

    @property
    def test(self) -> Dataset:
        """The labelled test files."""
        return held_out(self.prepared.dataset)[1]

    @cached_property
    def draws(self) -> list[Draw]:
        """The draws of labelled training files, the same for all contenders."""
        options = ProbeOptions(self.data, labels=self.labels, seeds=self.count)
        return draws_of(self.train, options)

    @property
    def words(self) -> list[str]:
        """The shared options as words of `kakera pretrain`."""
        words = ["--recipe", self.recipe]
        for name, value in self.shared.items():
            listed = value if isinstance(value, tuple) else (value,)
            words += [f"--{name.replace('_', '-')}", *map(str, listed)]
        return words

    def to_json(self) -> dict[str, Any]:
        """Return everything that a result depends on, except the contender."""
        return {
            "data": self.data,
            "recipe": self.recipe,
            "shared": {name: list(v) if isinstance(v, tuple) else v for name, v in self.shared.items()},
            "draws": self.count,
        }

    def description(self) -> dict[str, Any]:
        """Return numbers of the data and the network, for the reader."""
        shape, decoder, dataset = self.shape, self.shape.decoder, self.prepared.dataset
        return {
            "kind": dataset.kind,
            "train": len(dataset.part("train")),
            "test": len(self.test),
            "classes": len(dataset.classes),
            "input": list(self.inputs.size),
            "channels": self.inputs.channels,
            "patch": list(shape.patch),
            "width": shape.width,
            "depth": shape.depth,
            "heads": shape.heads,
            "reading_seconds": round(self.reading, 1),
            "decoder": [decoder.width, decoder.depth, decoder.heads],
        }
