"""Files of tensors: read whole, and nothing in them is run."""

import argparse
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from kakera.errors import RunError
from kakera.formats.weights import read_pickle, read_weights, state_dict
from tests.formats.test_mae import Harmful

TENSORS = {"a": torch.arange(3.0), "b": torch.eye(2)}


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".bin", ".ckpt", ".safetensors"])
def test_tensors_come_back_as_they_were(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"file{suffix}"
    save_file(TENSORS, path) if suffix == ".safetensors" else torch.save(TENSORS, path)
    found = read_weights(path).tensors
    assert found.keys() == TENSORS.keys()
    assert all(torch.equal(found[name], TENSORS[name]) for name in TENSORS)


@pytest.mark.parametrize("key", ["model", "state_dict"])
def test_tensors_are_found_in_their_wrapper_beside_options(key: str, tmp_path: Path) -> None:
    torch.save({key: TENSORS, "epoch": 3, "args": argparse.Namespace(lr=0.1)}, tmp_path / "file.pth")
    assert read_weights(tmp_path / "file.pth").tensors.keys() == TENSORS.keys()


def test_code_in_a_pickle_is_not_run(tmp_path: Path) -> None:
    torch.save({"a": Harmful(tmp_path / "made")}, tmp_path / "file.pth")
    with pytest.raises(RunError, match=r"a pickle that would call posix.mkdir"):
        read_pickle(tmp_path / "file.pth")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("content", [{}, [], {"a": 1}, {"a": "text"}, 3, {"model": {"a": {}}}])
def test_what_is_no_state_dict_gets_one_line(content: Any) -> None:
    with pytest.raises(RunError) as caught:
        state_dict(content, Path("file.pth"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.95])
def test_part_of_a_file_gets_one_line(suffix: str, share: float, tmp_path: Path) -> None:
    path = tmp_path / f"file{suffix}"
    save_file(TENSORS, path) if suffix == ".safetensors" else torch.save(TENSORS, path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(RunError) as caught:
        read_weights(path)
    assert "\n" not in str(caught.value)
    assert "expected" in str(caught.value)
