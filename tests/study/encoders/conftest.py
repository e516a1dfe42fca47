"""Encoders with random weights, and a study of them that tests only read."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import kakera
from kakera.formats.bundle import Pretrained
from kakera.inputs import InputSpec
from kakera.study.encoders.study import study_encoders
from tests.study.encoders.cells import options, some


@pytest.fixture(autouse=True, scope="module")
def quick_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache of tokens for all tests, and one quick measurement of the speed of each encoder."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("KAKERA_CACHE", str(folder))
        patch.setattr("kakera.study.encoders.tokens.SECONDS", 0.0)
        yield folder


@pytest.fixture(scope="module")
def starts(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two encoders with random weights, one of them with a licence."""
    root = tmp_path_factory.mktemp("encoders")
    for seed, name in enumerate(("first", "second one")):
        network = kakera.ViT("nano", channels=1, image_size=28, seed=seed)
        Pretrained(network, InputSpec(1, 28, 28, (0.3,), (0.3,)), license="mit").save(root / name)
    return [str(root / "first"), str(root / "second one")]


@pytest.fixture(scope="module")
def done(starts: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("studies") / "which"
    study_encoders(some(), out=out, **options(starts))
    return out
