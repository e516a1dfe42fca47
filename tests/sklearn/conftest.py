from pathlib import Path

import pytest

import kakera
from kakera.formats.bundle import Pretrained
from kakera.inputs import InputSpec
from tests.small import folder


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KAKERA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def start(tmp_path: Path) -> str:
    """An encoder of grey pictures of 28 × 28."""
    network = kakera.ViT("nano", channels=1, image_size=28, seed=0)
    Pretrained(network, InputSpec(1, 28, 28, (0.3,), (0.3,))).save(tmp_path / "start")
    return str(tmp_path / "start")


@pytest.fixture
def files(tmp_path: Path) -> tuple[list[str], list[str]]:
    """Paths of 24 pictures, and their classes."""
    root = folder(tmp_path / "pictures")
    paths = sorted(root.rglob("*.png"))
    return [str(path) for path in paths], [path.parent.name for path in paths]
