"""kakera (かけら, fragment): learn from pictures and sounds by guessing what a few fragments leave out.

The verbs of the command are functions here: `demo`, `inspect`, `pretrain`, `finetune`, `probe`, `predict`,
`embed`, `explain_files`, `pack`, `serve`, `study_mask_ratio`, `study_data_size`, `convert`, `convert_int8`;
`load` opens a model, `explain` is the room of what a model sees. They are imported when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kakera import explain
    from kakera.commands.convert_int8 import convert_int8
    from kakera.commands.demo import demo
    from kakera.commands.embed import embed
    from kakera.commands.explain import explain_files
    from kakera.commands.finetune import finetune
    from kakera.commands.predict import predict
    from kakera.commands.pretrain import pretrain
    from kakera.commands.probe import probe
    from kakera.data.checks.inspect import inspect_dataset as inspect
    from kakera.data.shards.pack import pack
    from kakera.data.sources.open import open_dataset as open_data
    from kakera.errors import KakeraError
    from kakera.formats.convert import convert
    from kakera.formats.load import load
    from kakera.study.data_size.study import study_data_size
    from kakera.study.mask_ratio.study import study_mask_ratio
    from kakera.web.server import serve

__version__ = "0.1.0"
__all__ = [
    "KakeraError",
    "convert",
    "convert_int8",
    "demo",
    "embed",
    "explain",
    "explain_files",
    "finetune",
    "inspect",
    "load",
    "open_data",
    "pack",
    "predict",
    "pretrain",
    "probe",
    "serve",
    "study_data_size",
    "study_mask_ratio",
]

_PLACES = {
    "KakeraError": "errors.KakeraError",
    "convert": "formats.convert.convert",
    "convert_int8": "commands.convert_int8.convert_int8",
    "demo": "commands.demo.demo",
    "embed": "commands.embed.embed",
    "explain": "explain",
    "explain_files": "commands.explain.explain_files",
    "finetune": "commands.finetune.finetune",
    "inspect": "data.checks.inspect.inspect_dataset",
    "load": "formats.load.load",
    "open_data": "data.sources.open.open_dataset",
    "pack": "data.shards.pack.pack",
    "predict": "commands.predict.predict",
    "pretrain": "commands.pretrain.pretrain",
    "probe": "commands.probe.probe",
    "serve": "web.server.serve",
    "study_data_size": "study.data_size.study.study_data_size",
    "study_mask_ratio": "study.mask_ratio.study.study_mask_ratio",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'kakera' has no attribute {name!r}; it has {', '.join(__all__)}")
    module, _, member = f"kakera.{_PLACES[name]}".rpartition(".")
    if name == "explain":
        return importlib.import_module(f"{module}.{member}")  # a room, not a function
    return getattr(importlib.import_module(module), member)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
