"""Load a model from a run, a folder of another library, a weights file or a name on the hub."""

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
from kakera.formats.doubts import position_warning
from kakera.formats.foreign import dasheng, eat, jax, timm, transformers, vision
from kakera.formats.foreign.image_processors import cropped
from kakera.formats.license import license_words, read_license
from kakera.formats.native import DESCRIPTION, WEIGHTS, load_model
from kakera.formats.weights import INDEX, PICKLE, PICKLES, read_weights
from kakera.option_fields import renamed

PART = re.compile(r"-\d+-of-\d+\.")  # one of several weights files, such as model-00001-of-00003.safetensors
FILES = (WEIGHTS, f"{WEIGHTS}{INDEX}", PICKLE, f"{PICKLE}{INDEX}")
CONFIG, PREPROCESSING = "config.json", "preprocessor_config.json"
PROCESSOR = "processor_config.json"


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
    """Load the model of a run, a folder of transformers or timm, a weights file, or a name on the hub.

    The format is detected from the contents. The model is on the CPU, in `dtype` (float64 is useful for
    comparisons) and in evaluation mode; its `notes` list what was detected and assumed. `image_size`
    (pixels, or (height, width)), `channels` and `classes` (a number, or names) change the inputs and the
    classes, see `adapt`; None leaves them unchanged. `revision` (branch, tag or commit) and `token` (access
    token) apply to the Hugging Face hub. Raises RunError for a source that is no readable model, and
    OptionError for inputs or classes that the model cannot have.

    Example:

        >>> import kakera
        >>> encoder = kakera.ViT("nano", channels=1, image_size=8, seed=0)
        >>> Pretrained(encoder, kakera.InputSpec(1, 8, 8, (0.5,), (0.5,))).save("run")
        >>> load("run").inputs.size
        (8, 8)
        >>> load("run", image_size=16).inputs.size
        (16, 16)
    """
    saved = _load(source, revision, token, whole=image_size is None)
    stored = next(saved.model.parameters()).dtype
    if stored != dtype:
        saved.model.to(dtype)
        before, after = (str(each).removeprefix("torch.") for each in (stored, dtype))
        note = f"weights converted from {before} to {after}"
        saved = replace(saved, notes=(*saved.notes, note))
    saved.model.eval()
    license = (license_words(saved.license),) if saved.license else ()
    saved = replace(saved, notes=(*saved.notes, *license, *position_warning(saved.model)))
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
            got="an ONNX graph (model.onnx), which only `kakera predict` reads",
            expected="weights",
            do="name the model from which the graph was converted",
        )
    if place.is_file():
        return _file(place)
    if not (place / CONFIG).exists() or (place / DESCRIPTION).exists():
        _require_described(place)
        return load_model(place)
    config = _json(place / CONFIG)
    saved = _folder(place, name, config, whole=whole)
    license, notes = read_license(place, config)
    return replace(saved, license=license or saved.license, notes=(*saved.notes, *notes))


def _require_described(place: Path) -> None:
    """Raise RunError for a folder with a pickle of weights and no description: the pickle can be read."""
    pickles = sorted(each for each in place.glob("*") if each.suffix in PICKLES)
    if pickles and not (place / DESCRIPTION).exists():
        got, expected = f"no {DESCRIPTION} and no {CONFIG}", "a run, or a folder with a description"
        raise RunError(str(place), got=got, expected=expected, do=f"name the file of weights: {pickles[0]}")


def _folder(place: Path, name: str, config: dict[str, Any], *, whole: bool) -> Pretrained:
    """Read a folder with a `config.json` of timm or transformers and the weights beside it."""
    preprocessing = _preprocessing(place)
    files = [place / file for file in FILES]
    weights = next((file for file in files if file.exists()), files[0])
    if "architecture" in config and "model_type" not in config:
        content = read_weights(weights)
        saved = timm.read(content.tensors, name, config)
        return replace(saved, notes=(*saved.notes, *content.notes))
    kind = str(config.get("model_type"))
    known = (*transformers.KINDS, *vision.TYPES, eat.TYPE, dasheng.TYPE)
    if kind not in known:
        got, do = f"a model of type {kind}", "name another model"
        raise RunError(name, got=got, expected=", ".join(known), do=do)
    content = read_weights(weights)
    if kind in (eat.TYPE, dasheng.TYPE):
        inner = config.get("encoder_kwargs")
        options = inner if kind == dasheng.TYPE and isinstance(inner, dict) else config
        saved = (eat if kind == eat.TYPE else dasheng).read(content.tensors, name, options)
        return replace(saved, notes=(*saved.notes, *content.notes))
    read = vision.read if kind in vision.TYPES else transformers.read
    saved = read(config, preprocessing, content.tensors, name)
    saved = replace(saved, notes=(*saved.notes, *content.notes))
    size = cropped(preprocessing) if whole and kind in transformers.DINOV2 else None
    return adapt(saved, size=size)


def _preprocessing(place: Path) -> dict[str, Any]:
    """Return the description of the image processor; transformers 5 may write it inside another one."""
    if (place / PREPROCESSING).exists():
        return _json(place / PREPROCESSING)
    inside = _json(place / PROCESSOR).get("image_processor") if (place / PROCESSOR).exists() else None
    return inside if isinstance(inside, dict) else {}


def _file(path: Path) -> Pretrained:
    """Read one weights file; if its description is beside it, read the folder."""
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
        expected=f"a weights file: .safetensors, .npz, {', '.join(sorted(PICKLES))}",
        do="name a run, a folder or a weights file",
    )


def _missing(path: Path) -> RunError:
    got, expected = "no such file or folder", "a run, a folder or file of weights, or owner/model on the hub"
    return RunError(str(path), got=got, expected=expected, do=f"check the path{hub.suggestion(path)}")


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
