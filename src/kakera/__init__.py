"""kakera (かけら, fragment): Vision Transformers and masked autoencoders for pictures and sounds.

Every subcommand of the command line is also a function: `demo`, `inspect`, `pretrain`, `finetune`, `fit`,
`probe`, `predict`, `embed`, `build_index`, `search`, `curate`, `label`, `explain_files`, `pack`, `serve`,
`study_mask_ratio`, `study_data_size`, `study_encoders`, `convert`, `convert_int8`. `load` loads a model.
`explain` contains the functions that show how a model works. `ViT`, `MAE`, `Classifier` and `ResNet` are
PyTorch modules for your own training loop. `masking` contains the ways to hide patches. Each name is imported
when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kakera import explain, masking
    from kakera.commands.build_index import build_index
    from kakera.commands.convert_int8 import convert_int8
    from kakera.commands.curate import curate
    from kakera.commands.demo import demo
    from kakera.commands.embed import embed
    from kakera.commands.explain import explain_files
    from kakera.commands.finetune import finetune
    from kakera.commands.fit import fit
    from kakera.commands.predict import predict
    from kakera.commands.pretrain import pretrain
    from kakera.commands.probe import probe
    from kakera.commands.search import search
    from kakera.data.checks.inspect import inspect_dataset as inspect
    from kakera.data.dataset import Dataset
    from kakera.data.packing.pack import pack
    from kakera.data.sources.open import open_dataset as open_data
    from kakera.errors import KakeraError
    from kakera.formats.convert import convert
    from kakera.formats.load import load
    from kakera.inputs import InputSpec
    from kakera.model.classifier import Classifier
    from kakera.model.configs import ViTConfig
    from kakera.model.mae import MAE
    from kakera.model.resnet import ResNet
    from kakera.model.token_index import MaskIndex
    from kakera.model.vit import ViT
    from kakera.study.data_size.study import study_data_size
    from kakera.study.encoders.study import study_encoders
    from kakera.study.mask_ratio.study import study_mask_ratio
    from kakera.web.labelling.server import label
    from kakera.web.server import serve

__version__ = "0.2.0.dev0"
__all__ = [
    "MAE",
    "Classifier",
    "Dataset",
    "InputSpec",
    "KakeraError",
    "MaskIndex",
    "ResNet",
    "ViT",
    "ViTConfig",
    "build_index",
    "convert",
    "convert_int8",
    "curate",
    "demo",
    "embed",
    "explain",
    "explain_files",
    "finetune",
    "fit",
    "inspect",
    "label",
    "load",
    "masking",
    "open_data",
    "pack",
    "predict",
    "pretrain",
    "probe",
    "search",
    "serve",
    "study_data_size",
    "study_encoders",
    "study_mask_ratio",
]

_PLACES = {
    "MAE": "model.mae.MAE",
    "Classifier": "model.classifier.Classifier",
    "Dataset": "data.dataset.Dataset",
    "InputSpec": "inputs.InputSpec",
    "KakeraError": "errors.KakeraError",
    "MaskIndex": "model.token_index.MaskIndex",
    "ResNet": "model.resnet.ResNet",
    "ViT": "model.vit.ViT",
    "ViTConfig": "model.configs.ViTConfig",
    "build_index": "commands.build_index.build_index",
    "convert": "formats.convert.convert",
    "convert_int8": "commands.convert_int8.convert_int8",
    "curate": "commands.curate.curate",
    "demo": "commands.demo.demo",
    "embed": "commands.embed.embed",
    "explain": "explain",
    "explain_files": "commands.explain.explain_files",
    "finetune": "commands.finetune.finetune",
    "fit": "commands.fit.fit",
    "inspect": "data.checks.inspect.inspect_dataset",
    "label": "web.labelling.server.label",
    "load": "formats.load.load",
    "masking": "masking",
    "open_data": "data.sources.open.open_dataset",
    "pack": "data.packing.pack.pack",
    "predict": "commands.predict.predict",
    "pretrain": "commands.pretrain.pretrain",
    "probe": "commands.probe.probe",
    "search": "commands.search.search",
    "serve": "web.server.serve",
    "study_data_size": "study.data_size.study.study_data_size",
    "study_encoders": "study.encoders.study.study_encoders",
    "study_mask_ratio": "study.mask_ratio.study.study_mask_ratio",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'kakera' has no attribute {name!r}; it has {', '.join(__all__)}")
    module, _, member = f"kakera.{_PLACES[name]}".rpartition(".")
    if name in ("explain", "masking"):
        return importlib.import_module(f"{module}.{member}")
    return getattr(importlib.import_module(module), member)


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
