"""Trained runs that tests only need to be there: each is made once in a run of the tests, on first use.

They are opened, never written to: a test that changes one takes a copy.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from filelock import FileLock


def make(name: str, out: Path) -> None:
    """Train it. What that takes is imported here: not every process of a run of the tests trains."""
    import kakera
    from tests.small import QUICK, pictures
    from tests.training.commands import PRETRAIN, finish, some_npz, start

    if name == "mae":
        kakera.pretrain(pictures(), out=out, model="nano", **QUICK)
    elif name == "classifier":
        kakera.finetune(pictures(), out=out, model="nano", **QUICK)
    elif name == "cnn":
        kakera.finetune(pictures(), out=out, model="resnet-nano", **QUICK)
    else:
        finish(start("pretrain", some_npz(out.parent), out, PRETRAIN))


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all processes of pytest-xdist."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shelf"


def trained(shelf: Path, name: str) -> Path:
    """The folder of a run. Another process that wants it meanwhile waits."""
    shelf.mkdir(exist_ok=True)
    with FileLock(shelf / f"{name}.lock"):
        if not (shelf / name / "report.html").exists():
            make(name, shelf / name)
    return shelf / name


@pytest.fixture(scope="session")
def mae(shelf: Path) -> Path:
    """A masked autoencoder of small pictures."""
    return trained(shelf, "mae")


@pytest.fixture(scope="session")
def classifier(shelf: Path) -> Path:
    """A Transformer that was trained from scratch."""
    return trained(shelf, "classifier")


@pytest.fixture(scope="session")
def cnn(shelf: Path) -> Path:
    """A ResNet."""
    return trained(shelf, "cnn")


@pytest.fixture(scope="session")
def whole(shelf: Path) -> Path:
    """A command of `tests.training.commands` that nobody disturbed, on the `some.npz` beside it."""
    return trained(shelf, "whole")
