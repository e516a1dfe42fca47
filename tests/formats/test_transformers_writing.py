"""Models of ours, loaded strictly by transformers: the same outputs, and the way back bit for bit."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf
from torch import Tensor

from kakera.errors import RunError
from kakera.formats.folder import write_folder
from kakera.formats.load import load
from kakera.formats.native import Model, Saved
from kakera.formats.transformers_writing import files
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.cnn import ResNet, resnet_shape
from kakera.model.encoder import Encoder
from kakera.model.mae import MaskedAutoencoder
from kakera.model.sizes import DecoderShape, LayerKind, VitShape
from tests.formats.test_transformers import drawn, far, hidden, pictures

CLASSES = ("ant", "bee", "çicada")
WIDE = (2, 4), (8, 12)
SQUARE = (3, 3), (12, 12)


def encoder(
    patch: tuple[int, int], size: tuple[int, int], kind: LayerKind | None = None, registers: int = 0
) -> Encoder:
    kind = kind or LayerKind()
    shape = VitShape(24, 2, 3, patch, DecoderShape(16, 2, 2), kind, registers)
    return Encoder(shape, channels=2, size=size)


def complete(model: Model, classes: tuple[str, ...] = (), *, several: bool = False) -> Saved:
    drawn(model)
    size = model.encoder.size if not isinstance(model, Encoder) else model.size
    return Saved(model, InputSpec(2, *size, (0.1, 0.2), (0.3, 0.4)), classes, several)


def opened(kind: Any, folder: Path, **options: Any) -> Any:
    """By the library, every name used and none made up."""
    model, said = kind.from_pretrained(folder, output_loading_info=True, **options)
    assert not any(said[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys")), said
    return model.eval()


def difference(theirs: Any, ours: Saved, output: str) -> tuple[float, float]:
    x: Tensor = pictures(2, 2, ours.inputs.size)
    with torch.inference_mode():
        single = far(theirs(x)[output], ours.model(x))
        return single, far(theirs.double()(x.double())[output], ours.model.double()(x.double()))


@pytest.mark.parametrize("kind", [LayerKind(), LayerKind(2.0, 0.1, False, True)], ids=["plain", "all else"])
def test_an_encoder_gives_the_same_tokens(kind: LayerKind, tmp_path: Path) -> None:
    ours = complete(encoder(*WIDE, kind))
    write_folder(tmp_path / "out", files(ours))
    theirs = opened(hf.ViTModel, tmp_path / "out", add_pooling_layer=False)
    single, double = difference(theirs, ours, "last_hidden_state")
    assert single < 1e-5
    assert double < 1e-10


def test_a_classifier_gives_the_same_scores(tmp_path: Path) -> None:
    ours = complete(Classifier(encoder(*WIDE), 3, "class"), CLASSES)
    write_folder(tmp_path / "out", files(ours))
    theirs = opened(hf.ViTForImageClassification, tmp_path / "out")
    assert theirs.config.id2label == dict(enumerate(CLASSES))
    single, double = difference(theirs, ours, "logits")
    assert single < 1e-5
    assert double < 1e-10


@pytest.mark.parametrize("normalised", [True, False])
def test_an_autoencoder_gives_the_same_loss(normalised: bool, tmp_path: Path) -> None:
    inside = encoder(*SQUARE)
    ours = complete(MaskedAutoencoder(inside, inside.shape.decoder, normalised=normalised))
    write_folder(tmp_path / "out", files(ours))
    theirs = opened(hf.ViTMAEForPreTraining, tmp_path / "out").double()
    x, noise = (
        pictures(2, 2, (12, 12)).double(),
        torch.rand(2, 16, generator=torch.Generator().manual_seed(3)),
    )
    with torch.inference_mode():
        expected = theirs(x, noise=noise).loss
        assert abs(expected - ours.model.double()(x, hidden(noise, 4))) < 1e-10


def written() -> dict[str, Saved]:
    inside = encoder(*SQUARE)
    return {
        "encoder": complete(encoder(*WIDE, LayerKind(2.0, 0.1, False, True))),
        "classifier": complete(Classifier(encoder(*WIDE), 3, "class"), CLASSES, several=True),
        "autoencoder": complete(MaskedAutoencoder(inside, DecoderShape(16, 1, 4), normalised=False)),
    }


@pytest.mark.parametrize("ours", written().values(), ids=written())
def test_the_way_there_and_back_changes_no_bit(ours: Saved, tmp_path: Path) -> None:
    write_folder(tmp_path / "out", files(ours))
    back = load(tmp_path / "out")
    assert (back.classes, back.several, back.inputs) == (ours.classes, ours.several, ours.inputs)
    before, after = ours.model.state_dict(), back.model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    again = files(back)
    assert all(content == (tmp_path / "out" / name).read_bytes() for name, content in again.items())


def test_the_epsilon_is_written_as_it_is(tmp_path: Path) -> None:
    assert json.loads(files(complete(encoder(*WIDE)))["config.json"])["layer_norm_eps"] == 1e-6


def refused() -> dict[str, tuple[Saved, str]]:
    square, wide = encoder(*SQUARE), encoder(*WIDE)
    decoder = DecoderShape(16, 1, 2)
    cnn = ResNet(resnet_shape("resnet-nano"), channels=2, classes=3)
    return {
        "mean": (complete(Classifier(encoder(*WIDE), 3, "mean"), CLASSES), "mean of the patches"),
        "gradients": (complete(MaskedAutoencoder(square, decoder, gradients=True)), "gradients beside"),
        "cross": (complete(MaskedAutoencoder(square, replace(decoder, cross=True))), "tokens alone"),
        "oblong": (complete(MaskedAutoencoder(wide, decoder)), "not square"),
        "registers": (complete(encoder(*WIDE, registers=2)), "registers"),
        "cnn": (Saved(cnn, InputSpec(2, 8, 8, (0.0, 0.0), (1.0, 1.0)), CLASSES), "a CNN"),
    }


@pytest.mark.parametrize(("saved", "reason"), refused().values(), ids=refused())
def test_what_cannot_be_said_there_is_refused_with_the_reason(saved: Saved, reason: str) -> None:
    with pytest.raises(RunError, match=reason) as caught:
        files(saved)
    assert "\n" not in str(caught.value)


def test_nothing_is_left_of_a_folder_that_could_not_be_written(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="expected room to write"):
        write_folder(tmp_path / "out", {"fine": b"1", "no/such/folder": b"2"})
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"1")
    with pytest.raises(RunError, match="something there already"):
        write_folder(tmp_path, {"mine": b"2"})
    assert (tmp_path / "mine").read_bytes() == b"1"
