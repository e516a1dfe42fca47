"""Tests of unreadable recordings: each has one line with its name, and the others are trained on."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from kakera.cli.main import main
from tests.data.recordings import float_wav, record
from tests.training.songs import RATE, songs, tone

WORDS = ["--sound", "speech,rate=8000,bins=32", "--seconds", "0.8", "--epochs", "1", "--batch-size", "8"]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:2000])


def nan(path: Path) -> None:
    values = tone(300, 0.5)
    values[200] = np.nan
    float_wav(path, values)


WAYS: dict[str, tuple[Callable[[Path], object], str]] = {
    "truncated": (lambda p: (record(p, tone(300, 1.0), RATE), cut(p)), "expected a complete recording"),
    "misnamed": (lambda p: p.write_bytes(b"this is a text"), "got a text file"),
    "empty": (lambda p: p.write_bytes(b""), "got an empty file"),
    "no-samples": (lambda p: record(p, np.zeros(0, np.float32), RATE), "got no samples"),
    "one-sample": (lambda p: record(p, np.zeros(1, np.float32), RATE), "expected at least a frame"),
    "too-short": (lambda p: record(p, tone(300, 0.02), RATE), "got 20 ms, expected at least a frame"),
    "nan": (nan, "got a NaN or infinite value"),
    "1-hz": (lambda p: float_wav(p, tone(300, 0.5), 1), "got a rate of 1 Hz"),
}
FINE: dict[str, Callable[[Path], object]] = {
    "silence": lambda p: record(p, np.zeros(RATE, np.float32), RATE),
    "384-khz": lambda p: float_wav(p, np.repeat(tone(300, 0.5), 48), 384_000),
    "32-channels": lambda p: record(p, np.tile(tone(300, 0.5)[:, None], (1, 32)), RATE),
}


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    root = songs(tmp_path / "songs", count=8)
    for name, (make, _) in WAYS.items():
        make(root / "low" / f"{name}.wav")
    for name, well in FINE.items():
        well(root / "high" / f"{name}.wav")
    return root


def test_pretraining_skips_and_names_them_and_prediction_says_why(
    mixed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, tuned = str(tmp_path / "run"), str(tmp_path / "tuned")
    small = [*WORDS, "--patch", "8", "8", "--recipe", "audio-micro"]
    assert main(["pretrain", str(mixed), "--model", "nano", *small, "--out", run]) == 0
    assert f"{len(WAYS)} unreadable files skipped" in capsys.readouterr().out
    with (tmp_path / "run" / "unreadable.csv").open(newline="") as file:
        reasons = {Path(row["file"]).stem: row["reason"] for row in csv.DictReader(file)}
    assert set(reasons) == set(WAYS)
    assert all(part in reasons[name] for name, (_, part) in WAYS.items())

    few = ["--epochs", "1", "--min-steps", "1", "--batch-size", "8"]
    assert main(["finetune", str(mixed), "--init-from", run, *few, "--out", tuned]) == 0
    capsys.readouterr()
    assert main(["predict", tuned, str(mixed)]) == 2
    trained, *said = capsys.readouterr().err.splitlines()
    assert "in the training part of" in trained
    assert len(said) == len(WAYS)
    for name, (_, part) in WAYS.items():
        assert any(f"{name}.wav: " in line and part in line for line in said), name

    some = [str(mixed / "low" / f"{name}.wav") for name in WAYS] + [str(mixed / "high" / "silence.wav")]
    assert main(["explain", tuned, *some, "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == len(WAYS)
    assert all(part in "\n".join(said) for _, part in WAYS.values())
    assert (tmp_path / "out" / f"{1:02d}-silence-summary.png").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--sound", "whale"], "sound: got whale, expected one of ast, speech, music"),
        (["--sound", "ast,bins=many"], "sound's bins: got many, expected a number"),
        (["--sound", "ast,colour=red"], "sound's changes: got colour=red, expected some of rate="),
        (["--seconds", "0.01"], "seconds: got 0.01, expected 0.1 to 120"),
        (["--image-size", "64"], "image_size: got 64, expected auto for recordings"),
        (["--channels", "3"], "got recordings and 3 channels, expected 1"),
        (["--patch", "7", "8"], "patch: got 7 x 8 for a picture of 80 x 96"),
        (["--patch", "8", "8", "8"], "patch: got (8, 8, 8), expected one or two whole numbers"),
        (["--mask-ratio", "0.999"], "mask ratio: got 0.999, which leaves 0 of"),
    ],
)
def test_an_option_that_does_not_fit_is_one_line(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = songs(tmp_path / "songs", count=2)
    assert main(["pretrain", str(root), *words, "--out", str(tmp_path / "run")]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
