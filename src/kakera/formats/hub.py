"""Download of models from the Hugging Face hub into its cache."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from kakera.errors import RunError

NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
# File patterns of weights, best first: one file, or an index with its files.
KINDS = (
    ("model.safetensors",),
    ("model.safetensors.index.json", "model-*-of-*.safetensors"),
    ("pytorch_model.bin",),
    ("pytorch_model.bin.index.json", "pytorch_model-*-of-*.bin"),
)
TEXTS = ["config.json", "preprocessor_config.json", "kakera.json", "README.md"]


def is_name(source: str) -> bool:
    """Return True if `source` has the form `owner/model`, and no file or folder has this path.

    Example:

        >>> is_name("facebook/vit-mae-base"), is_name("runs/first/model.pth")
        (True, False)
    """
    return NAME.fullmatch(source) is not None and not Path(source).exists()


def fetch(name: str, *, revision: str | None = None, token: str | None = None) -> Path:
    """Return the folder of a model, after downloading it unless it is in the cache.

    If the hub has the weights in several formats, .safetensors files are used. With HF_HUB_OFFLINE=1 only
    the cache is used. Raises RunError if the model cannot be downloaded.
    """
    from huggingface_hub import snapshot_download

    def folder(kind: tuple[str, ...]) -> Path:
        return Path(snapshot_download(name, revision=revision, token=token, allow_patterns=[*TEXTS, *kind]))

    try:
        downloaded = Path()
        for kind in KINDS:
            downloaded = folder(kind)
            if any((downloaded / name).exists() for name in kind):
                break
        return downloaded
    except Exception as error:  # errors of the hub, of httpx and of the system all mean: no download
        raise RunError(
            name,
            got=f"no such file or folder, and from the hub {_reason(error)}",
            expected="a run, a folder or file of weights, or owner/model on the hub",
            do=f"check the path or the name, the network and the token{suggestion(Path(name))}",
        ) from error


def suggestion(path: Path) -> str:
    """Return "; did you mean …?" with the most similar name beside `path`, or an empty string.

    Example:

        >>> Path("model.pth").touch()
        >>> suggestion(Path("modle.pth"))
        '; did you mean model.pth?'
    """
    near = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
    alike = difflib.get_close_matches(path.name, near, n=1)
    return f"; did you mean {path.parent / alike[0]}?" if alike else ""


def _reason(error: Exception) -> str:
    kind = type(error).__name__
    known = {
        "RepositoryNotFoundError": "no model of this name",
        "GatedRepoError": "a model whose terms must be accepted first",
        "RevisionNotFoundError": "no such revision",
        "LocalEntryNotFoundError": "nothing: the hub cannot be reached, and the model is not in the cache",
        "OfflineModeIsEnabled": "nothing: offline mode is on, and the model is not in the cache",
    }
    return known.get(kind, f"{kind} {(str(error).splitlines() or [''])[0]}")
