import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient
from PIL import Image

from kakera.commands.predict import predict
from kakera.data.sources.files import open_pictures
from kakera.explain import encode
from kakera.explain.activations import Activations
from kakera.formats.native import load_model
from kakera.formats.rejection import rejection_of
from tests.web.runs import CLASSES, client, png, three_runs


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return three_runs(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def web(runs: list[Path]) -> TestClient:
    return client(runs)


@pytest.fixture(scope="module")
def sample() -> torch.Tensor:
    """The first sample, as the library reads it."""
    return torch.from_numpy(open_pictures(["demo"], 1).pictures.read(0).transpose(2, 0, 1).copy())


@pytest.fixture(scope="module")
def seen(runs: list[Path], sample: torch.Tensor) -> Activations:
    saved = load_model(runs[0])
    return encode(saved.encoder, saved.inputs, sample)


ASK = {"model": "mae", "picture": "sample-1"}


def test_the_models_say_what_can_be_asked_of_them(web: TestClient) -> None:
    mae, classifier, cnn = web.get("/api/models").json()
    assert [mae[can] for can in ("has_attention", "reconstructs", "predicts")] == [True, True, False]
    assert [classifier[can] for can in ("has_attention", "reconstructs", "predicts")] == [True, False, True]
    assert [cnn[can] for can in ("has_attention", "reconstructs", "predicts")] == [False, False, True]
    assert (mae["rows"], mae["cols"], mae["patch"], mae["layers"], mae["heads"]) == (7, 7, [4, 4], 3, 2)
    assert "raw pixels" in mae["about"]


def test_the_samples_are_one_of_each_class(web: TestClient) -> None:
    samples = web.get("/api/samples").json()
    assert len(samples) == 10
    assert samples[9] == {"id": "sample-10", "name": "Ankle boot"}


def test_a_picture_comes_in_the_models_size(web: TestClient, sample: torch.Tensor) -> None:
    answer = web.get("/api/pictures/sample-1", params={"model": "mae"})
    assert answer.headers["content-type"] == "image/png"
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(answer.content))), sample[0].numpy())


@pytest.mark.parametrize("layer", [1, 3, -1])
@pytest.mark.parametrize("head", [1, 2])
def test_attention_is_that_of_the_library(web: TestClient, seen: Activations, layer: int, head: int) -> None:
    rows = web.get("/api/attention", params={**ASK, "layer": layer, "head": head}).json()["attention"]
    wanted = seen.attention_of(layer)[head - 1, :, 1:]
    np.testing.assert_array_equal(np.array(rows, dtype=np.float32), wanted)


def test_head_0_is_the_mean_and_a_token_one_row(web: TestClient, seen: Activations) -> None:
    rows = web.get("/api/attention", params={**ASK, "token": 25}).json()["attention"]
    np.testing.assert_allclose(rows, [seen.attention_of(-1).mean(axis=0)[25, 1:]], rtol=1e-6)


def test_rollout_rows_are_shares(web: TestClient) -> None:
    rows = np.array(web.get("/api/rollout", params=ASK).json()["attention"])
    assert rows.shape == (50, 49)
    assert (rows.sum(axis=1) < 1).all()


@pytest.mark.parametrize("layer", ["raw", 0, 3])
def test_a_patch_is_like_itself(web: TestClient, layer: str | int) -> None:
    matrix = np.array(web.get("/api/similarity", params={**ASK, "layer": layer}).json()["similarity"])
    own = np.diagonal(matrix)
    assert set(np.round(own, 6)) <= {0.0, 1.0}  # 0: a raw patch all black
    assert np.abs(matrix).max() <= 1
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-12)


def test_predictions_are_those_of_predict(web: TestClient, runs: list[Path]) -> None:
    for name in ("classifier", "cnn"):
        rows = web.get("/api/predict", params={"model": name, "picture": "sample-3"}).json()["probabilities"]
        wanted = predict(next(run for run in runs if run.name == name), ["demo"])[2].probabilities
        assert [row["name"] for row in rows] == list(wanted)
        np.testing.assert_allclose([row["probability"] for row in rows], list(wanted.values()), rtol=1e-5)


def test_a_run_with_distances_tells_how_typical_a_picture_is(
    web: TestClient, runs: list[Path], tmp_path: Path
) -> None:
    saved = load_model(runs[1])
    seen = saved.embed("demo", pool="class and mean")
    around = np.repeat(seen, 6, axis=0) + 0.5 * np.random.default_rng(0).normal(size=(60, seen.shape[1]))
    replace(saved, rejection=rejection_of(around[:30], around[30:])).save(tmp_path / "classifier")
    place = {"model": "classifier", "picture": "sample-3"}
    found = client([tmp_path / "classifier"]).get("/api/predict", params=place).json()["typical"]
    assert found == predict(tmp_path / "classifier", ["demo"], reject=0.5)[2].typical
    assert web.get("/api/predict", params=place).json()["typical"] is None


def test_the_labels_are_the_likeliest_class_or_all_above_their_thresholds(
    runs: list[Path], tmp_path: Path
) -> None:
    place = {"model": "classifier", "picture": "sample-3"}
    first = client(runs[1:2]).get("/api/predict", params=place).json()
    assert first["labels"] == [first["probabilities"][0]["name"]]
    saved = load_model(runs[1])
    several = replace(saved, multi_label=True)
    found = predict(several, ["demo"])[2].probabilities
    middle = sorted(found.values())[4]
    high = [middle if name in list(found)[:3] else 1.0 for name in saved.classes]
    replace(several, thresholds=tuple(high)).save(tmp_path / "classifier")
    second = client([tmp_path / "classifier"]).get("/api/predict", params=place).json()
    assert second["labels"] == list(found)[:3]


def test_relevance_is_of_the_likeliest_class_or_of_the_one_that_is_named(web: TestClient) -> None:
    ask = {"model": "classifier", "picture": "sample-1"}
    likeliest = web.get("/api/predict", params=ask).json()["probabilities"][0]["name"]
    assert web.get("/api/relevance", params=ask).json()["target"] == likeliest
    other = next(name for name in CLASSES if name != likeliest)
    answer = web.get("/api/relevance", params={**ask, "target": other}).json()
    assert answer["target"] == other
    assert len(answer["relevance"]) == 49


def test_named_patches_are_hidden_and_the_others_shown_as_they_are(web: TestClient) -> None:
    original = np.asarray(
        Image.open(io.BytesIO(web.get("/api/pictures/sample-1", params={"model": "mae"}).content))
    )
    answer = web.post("/api/reconstruct", json={**ASK, "hidden": [1, 49]}).json()
    assert answer["hidden"] == [1, 49]
    guess = _picture(answer["prediction"])
    untouched = np.ones((28, 28), dtype=bool)
    untouched[:4, :4] = untouched[-4:, -4:] = False
    np.testing.assert_array_equal(guess[untouched], original[untouched])
    assert (_picture(answer["masked"])[~untouched] == 128).all()
    assert np.flatnonzero(answer["errors"]).tolist() == [0, 48]
    assert answer["error"] == pytest.approx((answer["errors"][0] + answer["errors"][48]) / 2, rel=1e-5)


def test_a_drawn_mask_follows_from_its_seed(web: TestClient) -> None:
    def hidden(seed: int) -> list[int]:
        return web.post("/api/reconstruct", json={**ASK, "ratio": 0.5, "seed": seed}).json()["hidden"]

    assert hidden(3) == hidden(3) != hidden(4)
    assert len(hidden(3)) == 25


def test_an_upload_is_predicted_as_its_file_is(web: TestClient, runs: list[Path], tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
    (tmp_path / "some.png").write_bytes(png(values))
    sent = web.post("/api/pictures", content=png(values)).json()["id"]
    rows = web.get("/api/predict", params={"model": "classifier", "picture": sent}).json()["probabilities"]
    wanted = predict(runs[1], [tmp_path / "some.png"])[0].probabilities
    np.testing.assert_allclose([row["probability"] for row in rows], list(wanted.values()), rtol=1e-5)


def test_an_embedding_is_one_vector(web: TestClient, seen: Activations) -> None:
    vector = web.get("/api/embed", params={**ASK, "pool": "class"}).json()["embedding"]
    token = torch.from_numpy(seen.tokens_of(-1)[0].copy())
    wanted = torch.nn.functional.layer_norm(token, (64,), eps=1e-6)
    np.testing.assert_allclose(vector, wanted.numpy(), atol=1e-5)


def test_the_page_is_served(web: TestClient) -> None:
    answer = web.get("/")
    assert "kakera explorer" in answer.text
    assert "default-src 'self'" in answer.headers["content-security-policy"]


def test_nothing_outside_the_page_is_served(web: TestClient) -> None:
    for path in ("/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static//etc/passwd"):
        assert web.get(path).status_code == 404


@pytest.mark.parametrize(
    ("path", "changes", "status"),
    [
        ("attention", {"layer": 0}, 422),
        ("attention", {"layer": 4}, 422),
        ("attention", {"layer": 10**30}, 422),
        ("attention", {"layer": "last"}, 422),
        ("attention", {"head": 3}, 422),
        ("attention", {"head": -1}, 422),
        ("attention", {"token": 50}, 422),
        ("attention", {"token": -1}, 422),
        ("attention", {"model": "cnn"}, 422),
        ("attention", {"model": "../mae"}, 404),
        ("attention", {"picture": "/etc/passwd"}, 404),
        ("similarity", {"layer": -2}, 422),
        ("predict", {}, 422),
        ("relevance", {}, 422),
        ("relevance", {"model": "classifier", "target": "nothing"}, 422),
        ("embed", {"pool": "all"}, 422),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_sentence(
    web: TestClient, path: str, changes: dict[str, object], status: int
) -> None:
    answer = web.get(f"/api/{path}", params={**ASK, **changes})
    assert answer.status_code == status
    said = answer.json()["detail"]
    assert isinstance(said, str)
    assert "got" in said
    assert "expected" in said
    assert "\n" not in said


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden": []},
        {"hidden": list(range(1, 50))},
        {"hidden": [0]},
        {"hidden": [50]},
        {"hidden": [-1]},
        {"hidden": [10**30]},
        {"hidden": [[1]]},
        {"hidden": "all"},
        {"hidden": [1] * 70_000},
        {"ratio": 1},
        {"ratio": 0},
        {"ratio": -0.5},
        {"ratio": "much"},
        {"seed": -1},
        {"seed": 1 << 64},
        {"masking": "spiral"},
        {"model": "classifier"},
        {"colour": 1},
    ],
)
def test_masks_that_make_no_sense_are_refused(web: TestClient, changes: dict[str, object]) -> None:
    answer = web.post("/api/reconstruct", json={**ASK, **changes})
    assert answer.status_code == 422
    assert "\n" not in answer.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [
        '{"model": "mae", "picture": "sample-1", "ratio": NaN}',
        "[" * 100_000,
        "[" * 100_000 + "]" * 100_000,
        b"\xff\x00",
        "",
        "null",
        '{"model": "mae", "picture": "sample-1", "seed": ' + "9" * 10_000 + "}",
    ],
)
def test_bodies_that_are_no_question_are_refused(web: TestClient, body: str | bytes) -> None:
    answer = web.post("/api/reconstruct", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422


def _picture(url: str) -> np.ndarray:
    import base64

    head, _, data = url.partition(",")
    assert head == "data:image/png;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))))
