"""A model from anywhere: a run, a folder of another library, a file of weights, a name on the hub."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from kakera.errors import RunError
from kakera.formats import hub
from kakera.formats.adapt import Classes, Size, adapt
from kakera.formats.bundle import Pretrained
from kakera.formats.detect import read_file
from kakera.formats.doubts import alike
from kakera.formats.foreign import jax, timm, transformers
from kakera.formats.foreign.image_processors import cropped
from kakera.formats.native import DESCRIPTION, WEIGHTS, load_model
from kakera.formats.weights import INDEX, PICKLE, PICKLES, read_weights
from kakera.option_fields import renamed

PART = re.compile(r"-\d+-of-\d+\.")  # of the weights of a folder
FILES = (WEIGHTS, f"{WEIGHTS}{INDEX}", PICKLE, f"{PICKLE}{INDEX}")
CONFIG, PREPROCESSING, CARD = "config.json", "preprocessor_config.json", "README.md"


@renamed(size="image_size")
def load(
    source: str | Path,
    *,
    image_size: Size | None = None,
    channels: int | None = None,
    classes: Classes | None = None,
    revision: str | None = None,
    token: str | None = None,
    dtype: torch.dtype = torch.float32,
) -> Pretrained:
    """Open the model of a run, a folder of transformers or timm, a file of weights, or a name on the hub.

    The format is detected from the contents. The model comes on the CPU, in `dtype` (float64 is for
    comparisons), ready to predict; `notes` say what was found and assumed. `image_size` (pixels, or
    height and width), `channels` and `classes` (a number, or names) change what it takes in and tells apart:
    see `adapt`; None leaves them as they are. `revision` and `token` are for the hub. Raises OptionError,
    RunError.
    """
    saved = _load(source, revision, token, whole=image_size is None)
    kept = next(saved.model.parameters()).dtype
    if kept != dtype:
        saved.model.to(dtype)
        note = f"weights in {str(kept).removeprefix('torch.')} made {str(dtype).removeprefix('torch.')}"
        saved = replace(saved, notes=(*saved.notes, note))
    saved.model.eval()
    saved = replace(saved, notes=(*saved.notes, *alike(saved.model)))
    return adapt(saved, size=image_size, channels=channels, classes=classes)


def _load(source: str | Path, revision: str | None, token: str | None, *, whole: bool) -> Pretrained:
    name, place = str(source), Path(source)
    if hub.is_name(name):
        place = hub.fetch(name, revision=revision, token=token)
    elif not place.exists():
        raise _missing(place)
    if place.suffix == ".onnx" or (place / "model.onnx").exists():
        raise RunError(
            str(place),
            got="a graph of ONNX (model.onnx), for `kakera predict` alone",
            expected="weights",
            do="name the model that it was made from",
        )
    if place.is_file():
        return _file(place)
    if not (place / CONFIG).exists() or (place / DESCRIPTION).exists():
        return load_model(place)
    saved = _folder(place, name, whole=whole)
    return replace(saved, notes=(*saved.notes, *_licence(place / CARD)))


def _folder(place: Path, name: str, *, whole: bool) -> Pretrained:
    """Of a configuration of timm's or transformers', and the weights beside it."""
    config = _json(place / CONFIG)
    preprocessing = _json(place / PREPROCESSING) if (place / PREPROCESSING).exists() else {}
    files = [place / file for file in FILES]
    weights = next((file for file in files if file.exists()), files[0])
    if "architecture" in config and "model_type" not in config:
        found = read_weights(weights)
        saved = timm.read(found.tensors, name, config)
        return replace(saved, notes=(*saved.notes, *found.notes))
    kind = str(config.get("model_type"))
    if kind not in transformers.KINDS:
        raise RunError(
            name,
            got=f"a model of type {kind}",
            expected=", ".join(transformers.KINDS),
            do="name another model",
        )
    found = read_weights(weights)
    saved = transformers.read(config, preprocessing, found.tensors, name)
    saved = replace(saved, notes=(*saved.notes, *found.notes))
    size = cropped(preprocessing) if whole and kind in transformers.DINOV2 else None
    return adapt(saved, size=size)


def _file(path: Path) -> Pretrained:
    """Of a file alone; one that lies beside its description belongs to it."""
    described = any((path.parent / name).exists() for name in (DESCRIPTION, CONFIG))
    if described and (path.name in FILES or PART.search(path.name)):
        return _load(path.parent, None, None, whole=True)
    if path.suffix == ".npz":
        return jax.read(path)
    if path.suffix in PICKLES or path.suffix == ".safetensors" or path.name.endswith(INDEX):
        return read_file(path)
    raise RunError(
        str(path),
        got=f"a file of type {path.suffix or 'unknown'}",
        expected=f"weights: .safetensors, .npz, {', '.join(sorted(PICKLES))}",
        do="name a run, a folder or a file of weights",
    )


def _missing(path: Path) -> RunError:
    got, expected = "no such file or folder", "a run, a folder or file of weights, or owner/model on the hub"
    return RunError(str(path), got=got, expected=expected, do=f"check the path{hub.meant(path)}")


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(
            str(path), got=error, expected="a JSON file", do="copy or download it again"
        ) from error
    if not isinstance(content, dict):
        got = f"a {type(content).__name__}"
        raise RunError(str(path), got=got, expected="a JSON object", do="copy it again")
    return content


def _licence(card: Path) -> tuple[str, ...]:
    """What a model card says first thing about its licence."""
    head = card.read_text(errors="replace")[:4000] if card.exists() else ""
    found = re.search(r"\A---\n(?:.*\n)*?license: *(\S+)", head)
    return (f"licence {found[1]}",) if found else ()
