"""Models by their names on the Hugging Face hub, kept in its cache."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from kakera.errors import RunError

NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
# Weights, best first: one file, or an index and the parts it names.
KINDS = (
    ("model.safetensors",),
    ("model.safetensors.index.json", "model-*-of-*.safetensors"),
    ("pytorch_model.bin",),
    ("pytorch_model.bin.index.json", "pytorch_model-*-of-*.bin"),
)
TEXTS = ["config.json", "preprocessor_config.json", "kakera.json", "README.md"]


def is_name(source: str) -> bool:
    """Whether this could be `owner/model`, and no file or folder is in its place."""
    return NAME.fullmatch(source) is not None and not Path(source).exists()


def fetch(name: str, *, revision: str | None = None, token: str | None = None) -> Path:
    """The folder of a model, downloaded if it is not there yet. Raises RunError.

    Of weights that lie there twice the .safetensors are taken. HF_HUB_OFFLINE=1 asks nobody.
    """
    from huggingface_hub import snapshot_download

    def folder(kind: tuple[str, ...]) -> Path:
        return Path(snapshot_download(name, revision=revision, token=token, allow_patterns=[*TEXTS, *kind]))

    try:
        found = Path()
        for kind in KINDS:
            found = folder(kind)
            if any((found / name).exists() for name in kind):
                break
        return found
    except Exception as error:  # the hub's, httpx's and the system's, all of one meaning here
        raise RunError(
            name,
            got=f"no such folder here, and from the hub {_reason(error)}",
            expected="a run, a folder or file of weights, or owner/model on the hub",
            do=f"check the path or the name, the network and the token{meant(Path(name))}",
        ) from error


def meant(path: Path) -> str:
    """A question after what is there and called almost like it; nothing where nothing is."""
    near = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
    alike = difflib.get_close_matches(path.name, near, n=1)
    return f"; did you mean {path.parent / alike[0]}?" if alike else ""


def _reason(error: Exception) -> str:
    kind = type(error).__name__
    known = {
        "RepositoryNotFoundError": "no model of this name",
        "GatedRepoError": "a model whose terms must be accepted first",
        "RevisionNotFoundError": "no such revision",
        "LocalEntryNotFoundError": "nothing: it is out of reach, and not in the cache",
        "OfflineModeIsEnabled": "nothing: offline mode is on, and it is not in the cache",
    }
    return known.get(kind, f"{kind} {(str(error).splitlines() or [''])[0]}")
