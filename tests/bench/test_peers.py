import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from kakera.bench import foreign
from kakera.bench.networks import _mae
from kakera.bench.peers import CLASSIFIERS, MAES, installed
from kakera.model.configs import SIZES, DecoderConfig
from tests.refusals import refused

SHAPE = replace(SIZES["nano"], decoder=DecoderConfig(32, 2, 2))


@pytest.fixture
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of libraries that stand apart, forgotten afterwards."""
    monkeypatch.setattr(foreign, "_apart", [])
    before = set(sys.modules)
    foreign.add_peers_folder(str(tmp_path))
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


@pytest.mark.parametrize("name", installed(MAES)[0])
def test_the_other_autoencoder_has_as_many_weights_to_learn(name: str) -> None:
    peer = MAES[name](SHAPE, 16, 0.75)
    ours = sum(part.numel() for part in _mae(SHAPE, 16, cross=False).parameters())
    theirs = sum(part.numel() for part in peer.model.parameters())
    assert theirs == ours if name == "transformers" else abs(theirs - ours) < 0.1 * ours
    assert peer.run(torch.zeros(1, 3, 16, 16)).isfinite()


@pytest.mark.parametrize("name", installed(CLASSIFIERS)[0])
def test_the_other_classifier_has_scores(name: str) -> None:
    peer = CLASSIFIERS[name](SHAPE, 16, 5)
    assert peer.run(torch.zeros(2, 3, 16, 16)).shape == (2, 5)


def test_what_is_missing_is_told_apart() -> None:
    assert installed(["torch", "no-such-library"]) == (["torch"], ("no-such-library",))


def test_a_library_may_stand_apart(apart: Path) -> None:
    (apart / "stands_apart.py").write_text("VALUE = 7")
    assert foreign.library("stands_apart").VALUE == 7
    assert str(apart) not in sys.path


def test_a_library_that_does_not_fit_this_torch_is_absent(apart: Path) -> None:
    (apart / "too_new.py").write_text("raise RuntimeError('operator nms does not exist')")
    assert installed(["too-new"]) == ([], ("too-new",))
    assert "too_new" not in sys.modules


def test_torchvision_is_taken_without_its_first_file(apart: Path) -> None:
    (apart / "torchvision").mkdir()
    (apart / "torchvision" / "__init__.py").write_text("raise RuntimeError('operator nms does not exist')")
    (apart / "torchvision" / "transforms.py").write_text("SIDE = 5")
    (apart / "leans_on_it.py").write_text("from torchvision.transforms import SIDE")
    assert foreign.library("leans_on_it").SIDE == 5
    assert not any(name.startswith("torchvision") for name in sys.modules)


def test_a_folder_that_is_not_there_is_refused() -> None:
    with refused("--peers", got="nowhere"):
        foreign.add_peers_folder("nowhere")
