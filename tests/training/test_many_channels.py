"""The whole way of pictures with five channels: autoencoder, classifier, ONNX graph, explorer."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient
from PIL import Image

import kakera
from kakera.training.batch_augment import distort
from kakera.training.options import FinetuneOptions
from tests.data.test_many_channels import tiff, values
from tests.small import QUICK
from tests.web.runs import client

CHANNELS = 5


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The second class is brighter in the fourth channel alone."""
    root = tmp_path_factory.mktemp("data")
    for number in range(40):
        picture = np.roll(values(CHANNELS) // 2, number, axis=0)
        picture[..., 3] += np.uint8(120 * (number % 2))
        (root / f"{number % 2}").mkdir(exist_ok=True)
        (root / f"{number % 2}" / f"{number}.tif").write_bytes(tiff(picture))
    return root


@pytest.fixture(scope="module")
def runs(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    quick = {name: value for name, value in QUICK.items() if name != "min_steps"}
    quick |= {"image_size": 28}
    kakera.pretrain(str(data), out=root / "mae", **quick)
    given = QUICK | {"init_from": str(root / "mae"), "randaugment": 9.0}
    kakera.finetune(str(data), out=root / "named", **given)
    return root


def test_a_model_of_five_channels_predicts_files_and_arrays_alike(runs: Path, data: Path) -> None:
    path = data / "1" / "1.tif"
    picture = np.roll(values(CHANNELS) // 2, 1, axis=0)
    picture[..., 3] += np.uint8(120)
    of_file, of_array = (kakera.predict(runs / "named", [one])[0] for one in (path, picture))
    assert of_file.probabilities == pytest.approx(of_array.probabilities, abs=1e-6)


def test_its_graph_predicts_as_the_model_does(runs: Path, data: Path) -> None:
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install 'kakera[onnx]'")
    kakera.convert(runs / "named", runs / "graph", to="onnx")
    path = data / "0" / "0.tif"
    found, expected = (kakera.predict(runs / name, [path])[0] for name in ("graph", "named"))
    assert found.probabilities == pytest.approx(expected.probabilities, abs=1e-4)


def test_files_of_fewer_channels_are_refused_one_by_one(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "x.tif").write_bytes(tiff(values(4)))
    found = kakera.predict(runs / "named", tmp_path)
    assert "got 4 channels, expected 5" in found[0].unreadable


@pytest.fixture(scope="module")
def web(runs: Path, data: Path) -> TestClient:
    return client([runs / "mae"], pictures=str(data))


def png(web: TestClient, *shown: int) -> np.ndarray:
    sample = web.get("/api/samples").json()[0]["id"]
    words = {"model": "mae", "shown": shown}
    answer = web.get(f"/api/pictures/{sample}", params=words)
    assert answer.status_code == 200
    return np.asarray(Image.open(io.BytesIO(answer.content)))


def test_the_explorer_shows_three_channels_the_first_unless_others_are_chosen(web: TestClient) -> None:
    first, chosen = png(web), png(web, 4, 2, 1)
    np.testing.assert_array_equal(first, png(web, 1, 2, 3))
    np.testing.assert_array_equal(chosen[..., 1:], first[..., [1, 0]])
    assert (chosen[..., 0] != first[..., 0]).any()


def test_a_guess_is_shown_in_the_channels_that_were_chosen(web: TestClient) -> None:
    sample = web.get("/api/samples").json()[0]["id"]
    answers = [
        web.post("/api/reconstruct", json={"model": "mae", "picture": sample, "shown": shown})
        for shown in ([], [1, 2, 3], [5, 4, 1])
    ]
    assert [one.status_code for one in answers] == [200] * 3
    first, same, other = (one.json()["masked"] for one in answers)
    assert first == same != other


def test_an_upload_of_as_many_channels_is_taken(web: TestClient) -> None:
    answer = web.post("/api/pictures", content=tiff(values(CHANNELS)))
    assert answer.status_code == 200
    assert web.get(f"/api/pictures/{answer.json()['id']}", params={"model": "mae"}).status_code == 200


def test_randaugment_moves_them_and_leaves_each_channel_its_values() -> None:
    pictures = torch.rand(8, CHANNELS, 16, 16)
    pictures[:, 1] = pictures[:, 0]
    found = distort(pictures, FinetuneOptions(data="x", out="y", randaugment=9.0, random_erasing=0.0), 3)
    assert found.shape == pictures.shape
    torch.testing.assert_close(found[:, 1], found[:, 0])
    assert (found != pictures).any()
