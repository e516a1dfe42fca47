import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from kakera.errors import RunError, StorageError
from kakera.formats.native import (
    DESCRIPTION,
    WEIGHTS,
    Saved,
    generator,
    load_model,
    save_model,
    write_atomically,
)
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.cnn import ResNet, resnet_shape
from kakera.model.encoder import Encoder
from kakera.model.mae import MaskedAutoencoder
from kakera.model.sizes import shape_of

INPUTS = InputSpec(3, 28, 32, (0.1, 0.2, 0.3), (0.4, 0.5, 0.6))


def encoder(*, learned: bool = False) -> Encoder:
    return Encoder(shape_of("nano"), channels=3, size=(28, 32), learned=learned)


def models() -> list[Saved]:
    cnn = ResNet(resnet_shape("resnet-nano"), channels=3, classes=2)
    return [
        Saved(MaskedAutoencoder(encoder(), shape_of("nano").decoder, normalised=False), INPUTS),
        Saved(Classifier(encoder(learned=True), 3, "class"), INPUTS, ("a", "b", "ç"), several=True),
        Saved(cnn, INPUTS, ("x", "y")),
        Saved(MaskedAutoencoder(encoder(), shape_of("nano").decoder, gradients=True), INPUTS),
    ]


@pytest.mark.parametrize("saved", models(), ids=["mae", "classifier", "cnn", "mae of gradients"])
def test_what_is_loaded_is_what_was_saved(saved: Saved, tmp_path: Path) -> None:
    saved.model.initialise(generator(3))
    save_model(tmp_path, saved)
    found = load_model(tmp_path)
    assert (found.inputs, found.classes, found.several) == (saved.inputs, saved.classes, saved.several)
    assert type(found.model) is type(saved.model)
    ours, theirs = saved.model.state_dict(), found.model.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_loaded_model_is_ready_to_predict(tmp_path: Path) -> None:
    save_model(tmp_path, models()[2])
    assert not load_model(tmp_path).model.training


def test_learned_positions_stay_learned(tmp_path: Path) -> None:
    save_model(tmp_path, models()[1])
    assert load_model(tmp_path).encoder.positions.requires_grad


def test_a_cnn_has_no_encoder() -> None:
    with pytest.raises(RunError, match="expected a Vision Transformer"):
        _ = models()[2].encoder


@pytest.mark.parametrize("name", [WEIGHTS, DESCRIPTION])
@pytest.mark.parametrize("content", [None, b"", b"{", b"\0" * 100])
def test_a_damaged_folder_gets_one_line(name: str, content: bytes | None, tmp_path: Path) -> None:
    save_model(tmp_path, models()[0])
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(RunError) as caught:
        load_model(tmp_path)
    assert "\n" not in str(caught.value)
    assert "expected a folder with" in str(caught.value)


def test_a_single_bit_of_the_weights_is_noticed(tmp_path: Path) -> None:
    save_model(tmp_path, models()[0])
    content = bytearray((tmp_path / WEIGHTS).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / WEIGHTS).write_bytes(content)
    with pytest.raises(RunError, match="got model.safetensors: its content does not fit its checksum"):
        load_model(tmp_path)


def test_weights_without_a_checksum_are_read(tmp_path: Path) -> None:
    saved = models()[0]
    save_model(tmp_path, saved)
    save_file(saved.model.state_dict(), tmp_path / WEIGHTS)
    with safe_open(tmp_path / WEIGHTS, framework="pt") as file:
        assert file.metadata() is None
    load_model(tmp_path)


def test_weights_of_another_model_get_one_line(tmp_path: Path) -> None:
    save_model(tmp_path, models()[0])
    description = json.loads((tmp_path / DESCRIPTION).read_text())
    description["shape"]["width"] = 128
    (tmp_path / DESCRIPTION).write_text(json.dumps(description))
    with pytest.raises(RunError, match="a description that fits its weights") as caught:
        load_model(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_folder_that_cannot_be_made_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="expected room to write"):
        write_atomically(tmp_path / "file" / "below", b"content")


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "here"
    path.mkdir()  # a folder cannot be replaced by a file
    with pytest.raises(StorageError):
        write_atomically(path, b"content")
    assert [p.name for p in tmp_path.iterdir()] == ["here"]


def test_a_file_too_large_for_the_disk_is_one_line_and_leaves_the_old_one(tmp_path: Path) -> None:
    # A limit on the size of files fails in the same call as a full disk does.
    script = (
        "import resource, signal, sys, pathlib\n"
        "from kakera.formats.native import write_atomically\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n"
        "    write_atomically(pathlib.Path(sys.argv[1]), b'x' * 100_000)\n"
        "except Exception as error:\n"
        "    print(type(error).__name__, str(error))\n"
    )
    target = tmp_path / "weights"
    target.write_bytes(b"old")
    done = subprocess.run([sys.executable, "-c", script, target], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("StorageError ")
    assert done.stdout.count("\n") == 1
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("weights", b"old")]


def test_others_may_read_what_the_umask_lets_them_read(tmp_path: Path) -> None:
    write_atomically(tmp_path / "ours", b"content")
    (tmp_path / "plain").write_bytes(b"content")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ours", "plain"]
