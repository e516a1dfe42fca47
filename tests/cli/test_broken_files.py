"""Tests of a folder of 200 files, 40 of them broken in ten ways: it trains, and lists the 40 files."""

import csv
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kakera.cli.main import main


def jpeg(quality: int = 90) -> bytes:
    file = io.BytesIO()
    values = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(values).save(file, "JPEG", quality=quality)
    return file.getvalue()


def png() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.full((40, 40, 3), 9, np.uint8)).save(file, "PNG")
    return file.getvalue()


def bomb() -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", 200_000, 200_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


WAYS: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "zeros": lambda: bytes(3000),
    "text": lambda: b"this is not a picture\n",
    "page": lambda: b"<!doctype html><html></html>",
    "archive": lambda: b"PK\x03\x04" + bytes(100),
    "document": lambda: b"%PDF-1.7\n%\xe2\xe3",
    "cut-jpeg": lambda: jpeg()[: len(jpeg()) // 3],
    "cut-png": lambda: png()[:60],
    "noise-png": lambda: png()[:33] + np.random.default_rng(1).bytes(400),
    "bomb": bomb,
}


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    root, random = tmp_path / "mixed", np.random.default_rng(0)
    for label, name in enumerate(("left", "right")):
        (root / name).mkdir(parents=True)
        for number in range(80):
            values = random.integers(0, 100, (28, 28)) + 100 * label
            Image.fromarray(values.astype(np.uint8)).save(root / name / f"{number}.png")
        for way, content in WAYS.items():
            for copy in range(2):
                (root / name / f"broken-{way}-{copy}.jpg").write_bytes(content())
    return root


def named(run: Path) -> set[str]:
    with (run / "unreadable.csv").open(newline="") as file:
        return {Path(row["file"]).name + row["file"].split("/")[-2] for row in csv.DictReader(file)}


@pytest.mark.parametrize("verb", ["pretrain", "finetune"])
def test_it_trains_and_names_the_forty(
    verb: str, mixed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(list(mixed.rglob("*.*"))) == 200
    words = [verb, str(mixed), "--recipe", "demo", "--epochs", "1", "--min-steps", "1", "--batch-size", "16"]
    assert main([*words, "--out", str(tmp_path / "run")]) == 0
    assert "40 unreadable files skipped" in capsys.readouterr().out
    assert len(named(tmp_path / "run")) == 40
    assert all(name.startswith("broken") for name in named(tmp_path / "run"))
    assert (tmp_path / "run" / "model.safetensors").exists()


def test_inspect_names_the_forty(mixed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(mixed)]) == 0
    assert "unreadable: 40" in capsys.readouterr().out


def test_nothing_but_broken_files_is_one_line(
    mixed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in mixed.rglob("*.png"):
        path.unlink()
    assert main(["pretrain", str(mixed), "--out", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    plan, last = error.splitlines()[:-1], error.splitlines()[-1]
    assert "got 40 unreadable files" in last
    assert all(line.startswith(("plan: ", "  ")) for line in plan)  # headers alone look well
    assert not (tmp_path / "run").exists()
