"""The explorer of models of recordings, asked as its page asks: windows, scenes, what is heard, uploads."""

import base64
import io
import json
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from fastapi.testclient import TestClient
from PIL import Image

from kakera.cli.main import main
from kakera.commands.predict import predict, predict_windows
from kakera.data.audio.decode import read
from kakera.explain.activations import encode
from kakera.explain.axes import axes_of
from kakera.explain.reconstruct import reconstruct
from kakera.formats.native import load_model
from kakera.model.mae import MAE
from kakera.sound.griffin_lim import waveform
from kakera.sound.logmel import log_mel
from tests.data.recordings import float_wav, record
from tests.training.listeners import INPUTS, SPEC, WINDOW, three_listeners
from tests.training.songs import RATE, tone
from tests.web.runs import client, three_runs

LONG, SHORT = "sample-1", "sample-2"
ASK = {"model": "mae", "picture": LONG}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("world")
    three_listeners(root)
    record(root / "clips" / "1-long.wav", tone(600, 2.0), RATE)
    record(root / "clips" / "2-short.wav", tone(1500, 0.3), RATE)
    return root


@pytest.fixture(scope="module")
def web(world: Path) -> TestClient:
    return client([world / name for name in ("mae", "classifier", "cnn")], str(world / "clips"))


def spectrogram(world: Path, start: int = 0) -> torch.Tensor:
    wave = read(world / "clips" / "1-long.wav", RATE, start=start, count=SPEC.samples(80))
    return log_mel(torch.from_numpy(wave)[None], SPEC)[0]


def heard(content: bytes) -> tuple[np.ndarray, int]:
    return soundfile.read(io.BytesIO(content), dtype="float32")


def test_models_say_that_they_hear(web: TestClient) -> None:
    assert [model["sound"] for model in web.get("/api/models").json()] == [True] * 3
    assert [each["name"] for each in web.get("/api/samples").json()] == ["1-long.wav", "2-short.wav"]


def test_a_scene_says_what_is_there_and_what_rows_and_columns_mean(web: TestClient) -> None:
    scene = web.get("/api/scene", params={"model": "mae", "picture": SHORT}).json()
    assert (scene["size"], scene["rows"], scene["cols"], scene["upwards"]) == ([32, 32], 4, 4, True)
    axes = axes_of(INPUTS, 32)
    np.testing.assert_allclose(scene["across"]["edges"], axes.across.edges[::8])
    np.testing.assert_allclose(scene["down"]["edges"], axes.down.edges[::8])
    assert (scene["across"]["unit"], scene["down"]["unit"]) == ("s", "Hz")
    assert [(tick["at"], tick["text"]) for tick in scene["down"]["ticks"]] == axes.down.ticks()
    assert (scene["start"], scene["end"], scene["windows"]) == (0, pytest.approx(0.3), 1)


def test_long_recordings_have_windows_and_each_its_own_answers(web: TestClient, world: Path) -> None:
    wanted = list(predict_windows(world / "classifier", [world / "clips" / "1-long.wav"]))
    assert web.get("/api/scene", params=ASK).json()["windows"] == len(wanted) == 3
    for number, window in enumerate(wanted, 1):
        ask = {"model": "classifier", "picture": f"{LONG}@{number}"}
        scene = web.get("/api/scene", params=ask).json()
        assert (scene["start"], scene["end"]) == pytest.approx(window.window)
        rows = web.get("/api/predict", params=ask).json()["probabilities"]
        assert {row["name"]: row["probability"] for row in rows} == pytest.approx(
            window.probabilities, abs=1e-6
        )


@pytest.mark.parametrize("name", ["classifier", "cnn"])
def test_a_short_recording_is_predicted_as_its_file_is(web: TestClient, world: Path, name: str) -> None:
    rows = web.get("/api/predict", params={"model": name, "picture": SHORT}).json()["probabilities"]
    (wanted,) = predict(world / name, [world / "clips" / "2-short.wav"])
    found = {row["name"]: row["probability"] for row in rows}
    assert found == pytest.approx(wanted.probabilities, abs=1e-5)


def test_a_picture_is_the_spectrogram_lowest_band_first(web: TestClient, world: Path) -> None:
    content = web.get(f"/api/pictures/{LONG}", params={"model": "mae"}).content
    seen = encode(load_model(world / "mae").encoder, INPUTS, spectrogram(world))
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(content))), seen.picture[..., 0])


def test_attention_is_the_librarys_over_what_is_there(web: TestClient, world: Path) -> None:
    rows = web.get("/api/attention", params={"model": "mae", "picture": SHORT, "head": 1}).json()["attention"]
    wave = read(world / "clips" / "2-short.wav", RATE)
    values = torch.full((1, 32, 80), -6.0)
    values[..., :28] = log_mel(torch.from_numpy(wave)[None], SPEC)[0]
    seen = encode(load_model(world / "mae").encoder, INPUTS, values, 28)
    np.testing.assert_allclose(rows, seen.attention_of(-1)[0, :, 1:], atol=1e-6)


def test_a_reconstruction_is_the_librarys_and_can_be_masked_by_time(web: TestClient, world: Path) -> None:
    mask = {**ASK, "masking": "cols", "ratio": 0.5, "seed": 1}
    found = web.post("/api/reconstruct", json=mask).json()
    hidden = np.zeros(40, bool)
    hidden[np.array(found["hidden"]) - 1] = True
    assert set(hidden.reshape(4, 10).sum(axis=0)) == {0, 4}
    model = load_model(world / "mae").model
    assert isinstance(model, MAE)
    wanted = reconstruct(model, INPUTS, spectrogram(world), hidden[None])
    png = base64.b64decode(found["prediction"].partition(",")[2])
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(png))), wanted.prediction[0, ..., 0])
    assert found["error"] == pytest.approx(wanted.mean_errors()[0], rel=1e-5)


def test_a_window_is_heard_as_the_model_hears_it(web: TestClient, world: Path) -> None:
    samples, rate = heard(web.get("/api/sound", params={"model": "mae", "picture": f"{LONG}@2"}).content)
    wanted = read(world / "clips" / "1-long.wav", RATE, start=SPEC.samples(80), count=SPEC.samples(80))
    assert rate == RATE
    np.testing.assert_allclose(samples, wanted, atol=1 / 32_000)


def test_a_guess_is_heard_by_griffin_lim(web: TestClient, world: Path) -> None:
    mask = {**ASK, "hidden": [5, 6, 7]}
    samples, rate = heard(web.post("/api/sound", json=mask).content)
    model = load_model(world / "mae").model
    assert isinstance(model, MAE)
    hidden = np.zeros((1, 40), bool)
    hidden[0, 4:7] = True
    values = reconstruct(model, INPUTS, spectrogram(world), hidden).values[0, 0]
    assert rate == RATE
    np.testing.assert_allclose(samples, waveform(values, SPEC), atol=2e-3)
    original, _ = heard(web.post("/api/sound", json={**mask, "of": "original"}).content)
    np.testing.assert_allclose(original, waveform(spectrogram(world)[0], SPEC), atol=2e-3)
    assert np.abs(original - samples).max() > 0.01


def test_a_classifier_sounds_its_spectrogram_but_guesses_nothing(web: TestClient) -> None:
    mask = {"model": "classifier", "picture": SHORT, "of": "original"}
    samples, _ = heard(web.post("/api/sound", json=mask).content)
    assert len(samples) == SPEC.samples(28)  # without the padding
    refused = web.post("/api/sound", json={**mask, "of": "guess"})
    assert (refused.status_code, "an encoder only" in refused.json()["detail"]) == (422, True)


@pytest.mark.parametrize("kind", ["wav", "flac", "ogg", "mp3", "aiff"])
def test_every_kind_of_recording_is_taken(web: TestClient, world: Path, tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"some.{kind}"
    soundfile.write(path, np.stack([tone(700, 1.0), tone(900, 1.0)], axis=1), 22_050)
    sent = web.post("/api/pictures", content=path.read_bytes())
    assert sent.status_code == 200, sent.text
    rows = web.get("/api/predict", params={"model": "classifier", "picture": sent.json()["id"]}).json()
    (wanted,) = predict(world / "classifier", [path])
    found = {row["name"]: row["probability"] for row in rows["probabilities"]}
    assert found == pytest.approx(wanted.probabilities, abs=1e-5)


def hostile(root: Path) -> dict[str, bytes]:
    whole = record(root / "whole.wav", tone(300, 0.5), RATE).read_bytes()
    ogg = record(root / "whole.ogg", tone(300, 0.5), RATE).read_bytes()
    values = tone(300, 0.5)
    values[200] = np.nan
    return {
        "nothing": b"",
        "text": b"hello",
        "picture": b"\x89PNG\r\n\x1a\n" + bytes(100),
        "truncated wav": whole[: len(whole) // 2],
        "truncated ogg": ogg[: len(ogg) // 2],
        "half a header": whole[:20],
        "no samples": record(root / "none.wav", np.zeros(0, np.float32), RATE).read_bytes(),
        "one sample": record(root / "one.wav", np.zeros(1, np.float32), RATE).read_bytes(),
        "nan": float_wav(root / "nan.wav", values).read_bytes(),
        "1 Hz": float_wav(root / "slow.wav", tone(300, 0.5), 1).read_bytes(),
        "too many values": record(root / "wide.wav", np.zeros((9000, 33)), 48_000).read_bytes(),
        "noise": bytes(np.random.default_rng(0).integers(0, 256, 5000, dtype=np.uint8)),
        "endless": whole[:40] + struct.pack("<I", 0x10000000) + whole[44:],
    }


def test_hostile_uploads_are_refused_in_one_sentence(web: TestClient, tmp_path: Path) -> None:
    for name, content in hostile(tmp_path).items():
        answer = web.post("/api/pictures", content=content)
        assert answer.status_code == 422, f"{name}: {answer.text}"
        said = answer.json()["detail"]
        assert said.startswith("recording"), name
        assert "\n" not in said
        assert str(tmp_path) not in said


@pytest.mark.parametrize("window", ["4", "0", "-1", "x", "", "9" * 30, "1@1", "²"])
def test_a_window_that_does_not_exist_is_refused(web: TestClient, window: str) -> None:
    answer = web.get("/api/scene", params={"model": "mae", "picture": f"{LONG}@{window}"})
    assert (answer.status_code, "window: got" in answer.json()["detail"]) == (404, True)


def test_models_of_pictures_make_no_sound(tmp_path: Path) -> None:
    other = client(three_runs(tmp_path))
    ask = {"model": "mae", "picture": "sample-1"}
    for answer in (other.get("/api/sound", params=ask), other.post("/api/sound", json=ask)):
        assert (answer.status_code, "expected a model of recordings" in answer.json()["detail"]) == (
            422,
            True,
        )
    scene = other.get("/api/scene", params=ask).json()
    assert (scene["size"], scene["rows"], scene["upwards"]) == ([28, 28], 7, False)


def test_pictures_and_recordings_are_not_mixed(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = three_runs(tmp_path)[0]
    assert main(["serve", str(world / "mae"), str(pictures), "--port", "0"]) == 2
    said = capsys.readouterr().err
    assert "models: got models of pictures and models of recordings, expected models of one kind" in said
    assert said.count("\n") == 1


def test_without_any_recording_the_strip_is_empty(world: Path) -> None:
    bare = client([world / "mae"])
    assert bare.get("/api/samples").json() == []


def test_the_clips_that_a_model_learned_from_are_offered(world: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(world / "mae", tmp_path / "mae")
    (tmp_path / "mae" / "config.json").write_text(json.dumps({"data": str(world / "clips")}))
    assert len(client([tmp_path / "mae"]).get("/api/samples").json()) == 2


def test_the_length_of_a_window() -> None:
    assert pytest.approx(0.815) == WINDOW
