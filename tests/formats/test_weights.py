"""Files of tensors: read whole, and nothing in them is run."""

import argparse
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf
from safetensors.torch import load_file, save_file

from kakera.errors import RunError
from kakera.formats.load import load
from kakera.formats.weights import read_pickle, read_weights, state_dict
from tests.formats.foreign.test_mae import Harmful, weights
from tests.formats.foreign.test_transformers import SMALL, drawn, far, pictures, saved

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


def parts(place: Path, kind: str = "safetensors") -> tuple[Path, hf.ViTForImageClassification]:
    """A model that transformers divides into files, with the index that names them."""
    model = drawn(hf.ViTForImageClassification(hf.ViTConfig(**SMALL)))
    saved(model, place)
    model.save_pretrained(place, max_shard_size="8KB")
    (place / "model.safetensors").unlink()
    index = place / "model.safetensors.index.json"
    if kind == "bin":
        places = json.loads(index.read_text())["weight_map"]
        for name in set(places.values()):
            torch.save(load_file(place / name), place / name.replace("safetensors", "bin"))
            (place / name).unlink()
        index.unlink()
        index = place / "pytorch_model.bin.index.json"
        content = {"weight_map": {n: p.replace("safetensors", "bin") for n, p in places.items()}}
        index.write_text(json.dumps(content))
    return index, model


@pytest.mark.parametrize("kind", ["safetensors", "bin"])
def test_a_model_in_parts_gives_the_same_outputs_by_its_folder_its_index_and_a_part(
    kind: str, tmp_path: Path
) -> None:
    index, theirs = parts(tmp_path, kind)
    files, x = sorted(tmp_path.glob(f"*-of-*.{kind}")), pictures()
    assert len(files) > 2
    for source in (tmp_path, index, files[1]):
        with torch.inference_mode():
            assert far(theirs(x).logits, load(source).model(x)) < 1e-5


def test_an_index_without_a_configuration_is_read_by_its_names(tmp_path: Path) -> None:
    names = {False: "a.safetensors", True: "b.safetensors"}
    halves = {name: {} for name in names.values()}
    for number, (name, tensor) in enumerate(weights("class").items()):
        halves[names[number % 2 == 1]][name] = tensor
    for name, tensors in halves.items():
        save_file(tensors, tmp_path / name)
    places = {name: file for file, tensors in halves.items() for name in tensors}
    (tmp_path / "x.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    found = load(tmp_path / "x.safetensors.index.json").model.state_dict()
    assert torch.equal(found["head.weight"], weights("class")["head.weight"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda c, _: {"weight_map": {**c["weight_map"], "a": "../outside.safetensors"}},
            "got files of another",
        ),
        (lambda c, _: {"weight_map": {**c["weight_map"], "a": "b.safetensors"}}, "got no b.safetensors"),
        (lambda c, _: {"weight_map": {**c["weight_map"], "a": _}}, "got a in no file"),
        (lambda c, _: {"weight_map": dict(list(c["weight_map"].items())[1:])}, "in a file"),
        (lambda c, _: {"weight_map": {}}, "got no files"),
        (lambda c, _: {"weight_map": [1]}, "an index of tensors and their files"),
        (lambda c, _: [], "an index of tensors and their files"),
    ],
    ids=["outside", "missing", "absent", "unlisted", "empty", "list", "no map"],
)
def test_an_index_that_does_not_fit_its_parts_gets_one_line(change: Any, words: str, tmp_path: Path) -> None:
    index, _ = parts(tmp_path)
    content = json.loads(index.read_text())
    index.write_text(json.dumps(change(content, min(content["weight_map"].values()))))
    save_file(TENSORS, tmp_path.parent / "outside.safetensors")
    with pytest.raises(RunError) as caught:
        load(tmp_path)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_part_alone_gets_one_line(tmp_path: Path) -> None:
    index, _ = parts(tmp_path / "model")
    part = sorted(index.parent.glob("*-of-*"))[1]
    (tmp_path / part.name).write_bytes(part.read_bytes())
    with pytest.raises(RunError) as caught:
        load(tmp_path / part.name)
    assert "\n" not in str(caught.value)
