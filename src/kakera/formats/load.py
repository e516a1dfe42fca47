"""A model from anywhere: a run, a folder of another library, a file of weights, a name on the hub."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from kakera.errors import RunError, sentence
from kakera.formats import hub, mae, transformers
from kakera.formats.native import DESCRIPTION, WEIGHTS, Saved, load_model
from kakera.formats.weights import PICKLES, read_tensors

CONFIG, PREPROCESSING, CARD = "config.json", "preprocessor_config.json", "README.md"


def load(source: str | Path, *, revision: str | None = None, token: str | None = None) -> Saved:
    """The model of a run folder, a folder of transformers, a `.pth` of MAE's code, or a name on the hub.

    What it is is told by what is in it. It comes on the CPU, in float32, ready to predict; `notes` say what
    was found and assumed. `revision` and `token` are for the hub. Raises RunError.
    """
    name = str(source)
    folder = hub.fetch(name, revision=revision, token=token) if hub.is_name(name) else Path(source)
    if folder.suffix in PICKLES and not folder.is_dir():
        return mae.read(folder)
    if not (folder / CONFIG).exists() or (folder / DESCRIPTION).exists():
        return load_model(folder)
    config = _json(folder / CONFIG)
    kind = str(config.get("model_type"))
    if kind not in transformers.KINDS:
        raise RunError(
            sentence(
                name,
                got=f"a model of type {kind}",
                expected=", ".join(transformers.KINDS),
                do="name another model",
            )
        )
    preprocessing = _json(folder / PREPROCESSING) if (folder / PREPROCESSING).exists() else {}
    files = [folder / name for name in (WEIGHTS, "pytorch_model.bin")]
    weights = next((file for file in files if file.exists()), files[0])
    saved = transformers.read(config, preprocessing, read_tensors(weights), name)
    saved.model.eval()
    return replace(saved, notes=(*saved.notes, *_licence(folder / CARD)))


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise RunError(
            sentence(str(path), got=error, expected="a JSON file", do="copy or download it again")
        ) from error
    if not isinstance(content, dict):
        got = f"a {type(content).__name__}"
        raise RunError(sentence(str(path), got=got, expected="a JSON object", do="copy it again"))
    return content


def _licence(card: Path) -> tuple[str, ...]:
    """What a model card says first thing about its licence."""
    head = card.read_text(errors="replace")[:4000] if card.exists() else ""
    found = re.search(r"\A---\n(?:.*\n)*?license: *(\S+)", head)
    return (f"licence {found[1]}",) if found else ()
