import json
import os
from pathlib import Path

import numpy as np
import pytest

from kakera.formats.tokens import store as module
from kakera.formats.tokens.store import MAGIC, Kind, TokenStore, make_room

MEAN: Kind = (-1, "mean")
CLASS: Kind = (-1, "class")
KEYS = [bytes([number]) * 16 for number in range(5)]
VALUES = np.arange(20, dtype=np.float32).reshape(5, 4)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KAKERA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tokens"


def filled(encoder: str = "e") -> TokenStore:
    found = TokenStore(encoder)
    found.add(KEYS, {MEAN: VALUES, CLASS: -VALUES})
    return found


def the_file(cache: Path) -> Path:
    (path,) = cache.rglob("*.tokens")
    return path


def test_tokens_come_back_bit_for_bit_in_any_order_and_as_often_as_they_are_asked_for() -> None:
    found, known = filled().find([KEYS[3], KEYS[0], KEYS[3]], [MEAN, CLASS])
    assert known.all()
    assert np.array_equal(found[MEAN], VALUES[[3, 0, 3]])
    assert np.array_equal(found[CLASS], -VALUES[[3, 0, 3]])


def test_a_row_is_known_only_if_all_kinds_of_its_tokens_are() -> None:
    found = filled()
    assert not found.find(KEYS, [MEAN, (2, "mean")])[1].any()
    found.add(KEYS[:2], {(2, "mean"): VALUES[:2]})
    assert found.find(KEYS, [MEAN, (2, "mean")])[1].tolist() == [True, True, False, False, False]


def test_a_file_without_a_key_is_never_stored() -> None:
    found = TokenStore("e")
    found.add([b"", KEYS[0]], {MEAN: VALUES[:2]})
    assert found.find([b"", KEYS[0]], [MEAN])[1].tolist() == [False, True]


def test_tokens_of_another_encoder_are_not_found() -> None:
    filled("one")
    assert not TokenStore("other").find(KEYS, [MEAN])[1].any()


def damage(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    if how == "truncated":
        path.write_bytes(content[:-3])
    elif how == "a changed token":
        content[-5] ^= 1
        path.write_bytes(content)
    elif how == "a changed key":
        size = int.from_bytes(content[len(MAGIC) : len(MAGIC) + 8], "little")
        content[len(MAGIC) + 8 + size] ^= 1
        path.write_bytes(content)
    elif how == "a very long header":
        content[len(MAGIC) : len(MAGIC) + 8] = b"\xff" * 8
        path.write_bytes(content)
    elif how == "a header that is no text":
        content[len(MAGIC) + 8 : len(MAGIC) + 12] = b"\xff" * 4
        path.write_bytes(content)
    elif how in ("very many rows", "very wide tokens"):
        start = len(MAGIC) + 8
        size = int.from_bytes(content[start - 8 : start], "little")
        head = json.loads(content[start : start + size])
        if how == "very many rows":
            head["rows"] = 10**30
        else:
            head["arrays"] = [[layer, pool, at, 10**15, crc] for layer, pool, at, _, crc in head["arrays"]]
        text = json.dumps(head).encode()
        path.write_bytes(MAGIC + len(text).to_bytes(8, "little") + text + content[start + size :])
    elif how == "another version":
        path.write_bytes(bytes(content).replace(b'"version": 1', b'"version": 0'))
    elif how == "another encoder":
        path.write_bytes(bytes(content).replace(b'"encoder": "e"', b'"encoder": "f"'))
    elif how == "another format":
        path.write_bytes(json.dumps({"tokens": []}).encode())
    else:
        path.write_bytes(b"")


@pytest.mark.parametrize(
    "how",
    [
        *("truncated", "a changed token", "a changed key", "another version"),
        *("another encoder", "another format", "empty"),
        *("a very long header", "a header that is no text", "very many rows", "very wide tokens"),
    ],
)
def test_a_damaged_file_is_named_in_one_line_and_not_believed(
    cache: Path, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = filled()
    damage(the_file(cache), how)
    _, known = found.find(KEYS, [CLASS])
    assert not known.any()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("cache: ")
    assert "its tokens are computed again" in line
    assert not [*cache.rglob("*.tokens")]  # so it is not named again
    filled()
    assert TokenStore("e").find(KEYS, [CLASS])[1].all()


def test_a_folder_that_cannot_be_written_costs_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KAKERA_CACHE", str(tmp_path / "file"))  # a file, so no folder can be made in it
    found = filled()
    found.add(KEYS, {MEAN: VALUES})
    (line,) = capsys.readouterr().err.splitlines()
    assert "tokens are not stored" in line
    assert not found.find(KEYS, [MEAN])[1].any()


def test_a_full_disk_costs_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    filled()
    (line,) = capsys.readouterr().err.splitlines()
    assert "No space left on device" in line


def test_the_files_unused_for_longest_are_deleted_first(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = 0
    for number, encoder in enumerate("abc"):
        filled(encoder)
        (path,) = (cache / encoder).glob("*.tokens")
        os.utime(path, (1000 + number, 1000 + number))
        size = path.stat().st_size
    TokenStore("a").find(KEYS, [MEAN])  # used now, so b is the oldest
    monkeypatch.setattr(module, "MOST", 3 * size)
    assert make_room(size)
    assert sorted(path.parent.name for path in cache.rglob("*.tokens")) == ["a", "c"]


def test_two_processes_that_store_the_same_rows_do_not_disturb_each_other(cache: Path) -> None:
    filled()
    filled()
    assert len([*cache.rglob("*.tokens")]) == 2
    assert np.array_equal(TokenStore("e").find(KEYS, [MEAN])[0][MEAN], VALUES)
