"""Tests of `kakera explain` on recordings: the same page, with axes in seconds and hertz."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kakera.cli.main import main
from kakera.commands.explain import explain_files
from kakera.commands.predict import predict
from kakera.data.audio.decode import read
from kakera.formats.native import load_model
from kakera.sound.logmel import log_mel
from tests.data.recordings import record
from tests.training.listeners import INPUTS, SPEC, WINDOW, three_listeners
from tests.training.songs import RATE, songs, tone

SHOWN = {"summary", "heads", "heads-patch", "similarity"}
MODEL = {
    "across",
    "colours",
    "distances-time",
    "distances-frequency",
    "fields",
    "positions",
    "filters",
    "lines",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("world")
    three_listeners(root)
    songs(root / "songs", count=1)  # 0.3 seconds each
    record(root / "long.wav", tone(600, 2.0), RATE)
    record(root / "short.wav", tone(600, 0.3), RATE)
    return root


@pytest.mark.parametrize("kind", ["mae", "classifier"])
def test_it_writes_the_page_of_pictures(
    kind: str, world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(world / name) for name in ("long.wav", "short.wav")]
    assert main(["explain", str(world / kind), *files, "--out", str(tmp_path / "out"), "--samples", "2"]) == 0
    shown = SHOWN | ({"reconstruction"} if kind == "mae" else set())
    wanted = {f"{n:02d}-{name}-{plate}.png" for n, name in ((1, "long"), (2, "short")) for plate in shown}
    wanted |= {f"model-{name}.png" for name in MODEL}
    assert {path.name for path in (tmp_path / "out").iterdir()} == wanted | {"index.html", "numbers.npz"}
    page = (tmp_path / "out" / "index.html").read_text()
    assert "long.wav, 0.01 to 0.81 s" in page
    assert "pixels from" not in page
    with np.load(tmp_path / "out" / "numbers.npz") as numbers:
        assert numbers["01-long-attention"].shape == (3, 2, 41, 41)
        assert numbers["02-short-attention"].shape == (3, 2, 17, 17)  # 28 frames: four columns of patches
        assert numbers["model-attention_distances_time"].max() < WINDOW
        assert numbers["model-fields_0"].shape == (4, 32, 32)


def test_probabilities_are_those_of_the_window(world: Path, tmp_path: Path) -> None:
    found = explain_files(world / "classifier", [world / "short.wav"], out=str(tmp_path / "out"))
    (wanted,) = predict(world / "classifier", [world / "short.wav"])
    assert found.files[0]["probabilities"] == pytest.approx(wanted.probabilities, abs=1e-5)


def test_a_window_may_begin_later(world: Path, tmp_path: Path) -> None:
    saved = load_model(world / "mae")
    options = {"out": str(tmp_path / "out"), "masking": "cols", "mask_ratio": 0.5, "samples": 1}
    explain_files(saved, [world / "long.wav"], at=1.5, **options)
    with np.load(tmp_path / "out" / "numbers.npz") as numbers:
        hidden = numbers["01-long-hidden"][0]
        assert hidden.shape == (4, 6)  # half a second is left: 48 frames
        assert set(hidden.sum(axis=0)) == {0, 4}  # whole columns
    assert "long.wav, 1.51 to 1.99 s" in (tmp_path / "out" / "index.html").read_text()


def test_a_spectrogram_stands_upright_and_scales_beside_it(world: Path) -> None:
    import torch

    from kakera.explain import plots
    from kakera.explain.activations import encode

    wave = read(world / "long.wav", RATE, count=SPEC.samples(80))
    values = log_mel(torch.from_numpy(wave)[None], SPEC)[0]
    seen = encode(load_model(world / "mae").encoder, INPUTS, values)
    loudest = int(seen.picture[..., 0].mean(axis=1).argmax())
    assert seen.axes.down.edges[loudest] <= 600 <= seen.axes.down.edges[loudest + 1]
    drawn = np.asarray(plots.summary(seen).convert("L")).astype(float)
    tile = drawn[19 : 19 + 128, -3 * (240 + 6) + 6 + 6 :][:, :200]  # the picture, four pixels a band
    assert drawn.shape[0] > 19 + 128 + 10  # below it the seconds
    below, above = tile[: 128 - 4 * (loudest + 2)], tile[128 - 4 * (loudest + 1) : 128 - 4 * loudest]
    assert above.mean() > below.mean() + 20


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["short.wav", "--at", "0.5"],
            "short.wav: got 0.3 s, expected a frame after 0.5 s; start earlier",
        ),
        (["short.wav", "--at", "-1"], "at: got -1.0, expected a number from 0"),
        (["short.wav", "--at", "nan"], "at: got nan, expected a number from"),
        (["short.wav", "--patch-index", "17"], "patch_index: got 17, expected 1 to 16"),
        (["short.wav", "--patch-index", "41"], "patch_index: got 41, expected 1 to 40"),
        (["nowhere.wav"], "nowhere.wav: got no file of this name"),
        (["demo"], "demo: got pictures, expected recordings, which the model reads"),
    ],
)
def test_bad_input_is_one_line(
    words: list[str], said: str, world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = words[0] if words[0] == "demo" else str(world / words[0])
    assert main(["explain", str(world / "mae"), file, *words[1:], "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_json_says_the_distances_in_seconds(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [
        "explain",
        str(world / "classifier"),
        str(world / "songs"),
        "--json",
        "--out",
        str(tmp_path / "o"),
    ]
    assert main([*words, "--cnn", str(world / "cnn")]) == 0
    for each in json.loads(capsys.readouterr().out)["files"]:
        assert np.max(each["attention_distances"]) < 0.3
        with Image.open(tmp_path / "o" / each["pictures"][0]) as image:
            assert image.mode == "RGB"
