from pathlib import Path

import numpy as np
import pytest
import torch

from kakera.data.dataset import Dataset
from kakera.data.holders import FilePictures
from kakera.errors import OptionError
from kakera.formats import inference, preparation
from kakera.formats.bundle import Pretrained
from kakera.formats.features import features
from kakera.formats.inference import predict_proba
from kakera.formats.native import seeded_generator
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier, Pooling
from kakera.model.configs import vit_config
from kakera.model.mae import MAE
from kakera.model.vit import ViT
from tests.small import folder, pictures

INPUTS = InputSpec(1, 28, 28, (0.3,), (0.35,))

each_pool = pytest.mark.parametrize("pool", ["mean", "class", "class and mean"])


def classifier(pool: Pooling = "mean", *, multi_label: bool = False) -> Pretrained:
    model = Classifier(ViT(vit_config("nano"), channels=1, image_size=(28, 28)), 10, pool)
    model.reset_parameters(seeded_generator(0))
    torch.nn.init.normal_(model.head.weight, generator=seeded_generator(1))
    model.eval()
    return Pretrained(model, INPUTS, tuple("abcdefghij"), multi_label)


def test_scores_are_the_model_s_probabilities_picture_by_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparation, "PIXELS", 3 * 28 * 28)
    saved, data = classifier(), pictures(7, 0)
    assert [len(part.samples) for part, _ in inference.each_batch(saved, data)] == [3, 3, 1]
    found, numbers, broken = predict_proba(saved, data)
    assert numbers.tolist() == list(range(7))
    assert broken == ()
    for number in range(7):
        picture = torch.from_numpy(data.pictures.read(number).copy()).permute(2, 0, 1)[None]
        logits = saved.model(INPUTS.normalize(picture))
        assert isinstance(logits, torch.Tensor)
        np.testing.assert_allclose(found[number], logits.softmax(1)[0].detach().numpy(), atol=1e-6)


@pytest.mark.parametrize("progress", ["predict", ""])
def test_what_has_been_read_is_told(
    progress: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(preparation, "PIXELS", 3 * 28 * 28)
    monkeypatch.setattr("kakera.progress.EVERY", -1.0)
    monkeypatch.setattr("kakera.progress.FIRST", -1.0)
    predict_proba(classifier(), pictures(7, 0), progress=progress)
    features(classifier(), pictures(7, 0), [-1], ["mean"], progress=progress)
    told = [line.split(", ")[0] for line in capsys.readouterr().err.splitlines()]
    assert told == 2 * [f"predict: {count}/7" for count in (3, 6, 7) if progress]


def test_of_no_pictures_there_are_no_features() -> None:
    for pool, width in (("mean", 1), ("class and mean", 2)):
        found, numbers = features(classifier(), pictures(0, 0), [0, -1], [pool])
        assert found[-1, pool].shape == (0, width * vit_config("nano").width)
        assert not len(numbers)


def test_several_labels_have_a_probability_each() -> None:
    one, multi_label = (
        predict_proba(classifier(multi_label=kind), pictures(3, 0))[0] for kind in (False, True)
    )
    assert one.sum(axis=1) == pytest.approx([1, 1, 1])
    assert not np.allclose(multi_label.sum(axis=1), 1)


def test_an_autoencoder_cannot_name_anything() -> None:
    model = MAE(ViT(vit_config("nano"), channels=1, image_size=(28, 28)), vit_config("nano").decoder)
    with pytest.raises(OptionError, match="got an autoencoder, expected a classifier; fine-tune it first"):
        predict_proba(Pretrained(model, INPUTS), pictures(1, 0))


def test_unreadable_pictures_are_left_out_and_named(tmp_path: Path) -> None:
    paths = sorted(folder(tmp_path / "d", count=3).rglob("*.png"))
    paths[1].write_bytes(b"")
    data = Dataset("d", FilePictures(paths, 1), 1, np.full(6, "test"))
    found, numbers, broken = predict_proba(classifier(), data)
    assert numbers.tolist() == [0, 2, 3, 4, 5]
    assert len(found) == 5
    assert [error.path for error in broken] == [str(paths[1])]
    _, kept = features(classifier(), data, [-1], ["mean"])
    assert kept.tolist() == [0, 2, 3, 4, 5]


def test_no_pictures_give_no_scores() -> None:
    assert predict_proba(classifier(), pictures(0, 0))[0].shape == (0, 10)


@each_pool
def test_features_are_what_the_head_sees(pool: Pooling) -> None:
    saved, data = classifier(pool), pictures(5, 0)
    assert isinstance(saved.model, Classifier)
    batch = torch.from_numpy(np.stack([data.pictures.read(i) for i in range(5)])).permute(0, 3, 1, 2)
    expected = saved.model.features(INPUTS.normalize(batch)).detach().numpy()
    found, _ = features(saved, data, [-1], [pool])
    np.testing.assert_allclose(found[-1, pool], expected, atol=1e-6)


def test_every_layer_and_both_pools_can_be_read() -> None:
    found, _ = features(classifier(), pictures(5, 0), [0, 1, 2, 3, -1], ["class", "mean"])
    assert len(found) == 10
    np.testing.assert_array_equal(found[3, "mean"], found[-1, "mean"])
    assert not np.allclose(found[2, "mean"], found[3, "mean"])


def test_the_class_token_before_the_first_layer_is_the_same_for_all() -> None:
    found, _ = features(classifier(), pictures(5, 0), [0], ["class"])
    assert np.ptp(found[0, "class"], axis=0).max() == 0


@pytest.mark.parametrize("layer", [4, -5])
def test_a_layer_that_is_not_there_is_refused(layer: int) -> None:
    with pytest.raises(OptionError, match=f"layer: got {layer}, expected -4 to 3"):
        features(classifier(), pictures(1, 0), [layer], ["mean"])
