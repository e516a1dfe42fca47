"""Download of data sets in Parquet from the Hugging Face hub into its cache."""

from __future__ import annotations

import re
from pathlib import Path

from kakera.data.arrow.tables import PARQUET
from kakera.errors import DataError

PREFIX = "hf://datasets/"
CONVERTED = "refs/convert/parquet"  # the branch in which the hub keeps other formats as Parquet
PART = re.compile(r"[A-Za-z0-9][\w.-]*")


def is_hub_name(source: str | Path) -> bool:
    """Return True for the name of a data set on the hub, such as hf://datasets/ylecun/mnist.

    Example:

        >>> is_hub_name("hf://datasets/ylecun/mnist"), is_hub_name("datasets/mnist")
        (True, False)
    """
    return str(source).startswith(PREFIX)


def fetch_tables(name: str) -> Path:
    """Return the folder with the Parquet files of a data set, after downloading those not in the cache.

    `name` is hf://datasets/OWNER/NAME, or with /FOLDER for one of several sets. With HF_HUB_OFFLINE=1 only
    the cache is used. Raises DataError if nothing can be downloaded.
    """
    words = name.removeprefix(PREFIX).strip("/").split("/")
    if len(words) < 2 or not all(map(PART.fullmatch, words)):
        expected = f"{PREFIX}OWNER/NAME or {PREFIX}OWNER/NAME/FOLDER"
        raise DataError(name, got="another form of name", expected=expected, do="correct it")
    repository, folder = "/".join(words[:2]), "/".join(words[2:])
    for revision in (None, CONVERTED):
        place = _downloaded(name, repository, f"{folder}/" if folder else "", revision) / folder
        if any(one.suffix.lower() in PARQUET for one in place.rglob("*")):
            return place
    do = "check the name, or download its files and pass their folder"
    raise DataError(name, got="a data set without Parquet files", expected="at least one", do=do)


def _downloaded(name: str, repository: str, inside: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import RevisionNotFoundError

    patterns = [f"{inside}*{suffix}" for suffix in PARQUET]
    try:
        found = snapshot_download(repository, repo_type="dataset", revision=revision, allow_patterns=patterns)
        return Path(found)
    except RevisionNotFoundError:
        return Path("no such revision")
    except Exception as error:  # errors of the hub, of httpx and of the system all mean: no download
        raise DataError(
            name,
            got=f"from the hub {_reason(error)}",
            expected="a data set on the hub",
            do="check the name, the network and the token",
        ) from error


def _reason(error: Exception) -> str:
    kind = type(error).__name__
    known = {
        "RepositoryNotFoundError": "no data set of this name",
        "GatedRepoError": "a data set whose terms must be accepted first",
        "LocalEntryNotFoundError": "nothing: it cannot be reached, and the data set is not in the cache",
        "OfflineModeIsEnabled": "nothing: offline mode is on, and the data set is not in the cache",
    }
    return known.get(kind, f"{kind} {(str(error).splitlines() or [''])[0]}")
