"""The members of a tar file: each picture or recording with its labels and texts."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kakera.data.audio import decode
from kakera.data.images import decode as images
from kakera.data.shards.index import PICTURES, RECORDINGS
from kakera.errors import DataError, printable

MOST_TEXT = 1 << 20  # bytes of a .json, .cls or .txt member up to which it is read
_TEXTS = (".cls", ".txt", ".json")


@dataclass
class Sample:
    """One picture or recording, with the facts from the other members of its key.

    `offset` and `length` are in bytes, `shape` is (H, W, C) of raw pixels or zeros.

    See `members_of`.
    """

    key: str
    offset: int
    length: int
    kind: str
    """PICTURES or RECORDINGS."""
    shape: tuple[int, int, int] = (0, 0, 0)
    labels: tuple[str, ...] | None = None
    text: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass
class Members:
    """The samples of a tar file, and its other members.

    See `members_of`.
    """

    samples: list[Sample]
    left: list[tuple[str, str]]
    """Names of skipped members, and the reason."""


def members_of(tar: tarfile.TarFile, name: str) -> Members:
    """Read all headers, and the texts that belong to the samples. Raises DataError, TarError.

    A key is as in webdataset: folder and name up to the first dot. The order of the members does not matter.
    A second picture of a key (img.0.png, img.1.png) is a sample of its own. But if all keys have the same
    ones (img.jpg, img.mask.png), only the one with the shortest name is read. See
    `kakera.data.shards.tar.index_tar`.

    Example:

        >>> with tarfile.open("birds.tar", "w") as tar:
        ...     tar.addfile(tarfile.TarInfo("owl.png"))
        >>> with tarfile.open("birds.tar") as tar:
        ...     [sample.key for sample in members_of(tar, "birds.tar").samples]
        ['owl']
    """
    media: dict[str, list[tarfile.TarInfo]] = {}
    texts: dict[str, list[tarfile.TarInfo]] = {}
    aside: list[tuple[str, str]] = []
    known: set[str] = set()
    for member in tar:
        folder, _, base = member.name.rpartition("/")
        suffix = os.path.splitext(base)[1].lower()  # noqa: PTH122  # a Path costs several times the call
        if member.isdir():
            continue
        if base.startswith("."):
            aside.append((member.name, "a hidden file"))
        elif not member.isreg() or member.issparse():
            aside.append((member.name, "a link or a device, not a file"))
        elif member.name in known:
            got = f"{member.name} twice"
            raise DataError(name, got=got, expected="each name once", do="pack the shard again")
        elif _is_media(suffix):
            media.setdefault(_key(folder, base), []).append(member)
        elif suffix in _TEXTS and member.size <= MOST_TEXT:
            texts.setdefault(_key(folder, base), []).append(member)
        else:
            aside.append((member.name, ""))
        known.add(member.name)
    samples: list[Sample] = []
    common = _common(list(media.values()))
    unused = {text.name for found in texts.values() for text in found}
    for key, found in media.items():
        own, others = _own(found, common)
        aside += [(member.name, "another picture or recording of the key is read") for member in others]
        samples += _samples(tar, key, own, texts.get(key, []), unused)
    aside += [(name, "no picture or recording of its key") for name in sorted(unused)]
    left = [(printable(member), why) for member, why in aside]
    return Members(sorted(samples, key=lambda sample: sample.offset), left)


def _key(folder: str, base: str) -> str:
    start = base.partition(".")[0]
    return f"{folder}/{start}" if folder else start


def _is_media(suffix: str) -> bool:
    return suffix == ".npy" or suffix in decode.SUFFIXES or suffix in images.SUFFIXES


def _field(member: tarfile.TarInfo) -> str:
    """Return the rest of the name after the key: png, or mask.png."""
    return member.name.rpartition("/")[2].partition(".")[2].lower()


def _common(keys: list[list[tarfile.TarInfo]]) -> set[str]:
    """Return the rests of names that all keys have, if there are several keys."""
    fields = [{_field(member) for member in found} for found in keys]
    return set.intersection(*fields) if len(fields) > 1 else set()


def _own(
    found: list[tarfile.TarInfo], common: set[str]
) -> tuple[list[tarfile.TarInfo], list[tarfile.TarInfo]]:
    """Return the members of one key that are samples, and the others; separately for each kind."""
    own: list[tarfile.TarInfo] = []
    others: list[tarfile.TarInfo] = []
    for sound in (False, True):
        of_kind = [member for member in found if _is_sound(member) == sound]
        plain = [member for member in of_kind if "." not in _field(member)]
        for member in of_kind:
            beside = plain and member is not plain[0] and _field(member) in common
            (others if beside and not _field(member)[0].isdecimal() else own).append(member)
    return own, others


def _is_sound(member: tarfile.TarInfo) -> bool:
    return "." + member.name.lower().rpartition(".")[2] in decode.SUFFIXES


def _samples(
    tar: tarfile.TarFile,
    key: str,
    media: list[tarfile.TarInfo],
    texts: list[tarfile.TarInfo],
    unused: set[str],
) -> list[Sample]:
    """Return the samples of a key; if several, each with the texts of its own name, else those of the key."""
    found: list[Sample] = []
    stems = Counter(_stem(member) for member in media)
    for member in media:
        stem = _stem(member)
        kind = RECORDINGS if _is_sound(member) else PICTURES
        name = key if len(media) == 1 else stem if stems[stem] == 1 else member.name
        sample = Sample(printable(name), member.offset_data, member.size, kind)
        if member.name.lower().endswith(".npy"):
            sample.shape = _pixels(tar, member)
        found.append(sample)
        own_texts = texts
        if len(media) > 1:
            own_texts = [text for text in texts if _stem(text) == stem]
            own_texts = own_texts or [text for text in texts if _stem(text) == key]
        for text in own_texts:
            _take(sample, tar, text)
            unused.discard(text.name)
    return found


def _stem(member: tarfile.TarInfo) -> str:
    return member.name.rpartition(".")[0]


def _take(sample: Sample, tar: tarfile.TarFile, member: tarfile.TarInfo) -> None:
    suffix = member.name.lower().rpartition(".")[2]
    file = tar.extractfile(member)
    text = file.read().decode(errors="replace").strip() if file else ""
    if suffix == "cls":
        sample.labels = sample.labels or ((text,) if text else ())
    elif suffix == "txt":
        sample.text = text
    else:
        _facts(sample, text)


def _facts(sample: Sample, text: str) -> None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return
    if not isinstance(found, dict):
        return
    sample.facts = found
    for name in ("labels", "label", "class", "cls"):
        given = found.get(name)
        if isinstance(given, str | int):
            sample.labels = (printable(given),)
            return
        if isinstance(given, list):
            sample.labels = tuple(map(printable, given))
            return


def _pixels(tar: tarfile.TarFile, member: tarfile.TarInfo) -> tuple[int, int, int]:
    """Return the shape of an .npy array that can be read without conversion; zeros for others."""
    file = tar.extractfile(member)
    try:
        assert file is not None
        start = io.BytesIO(file.read(1024))
        version = np.lib.format.read_magic(start)
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, fortran, dtype = read(start)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return 0, 0, 0
    shape = (*shape, 1) if len(shape) == 2 else shape
    whole = len(shape) == 3 and start.tell() + int(np.prod(shape, dtype=object)) == member.size
    if fortran or dtype != np.uint8 or not whole or shape[2] not in (1, 3):
        return 0, 0, 0
    height, width, depth = shape
    return height, width, depth
