"""Files with the names of version 0.1.0 are read as files with today's names are."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kakera.formats.bundle import Pretrained
from kakera.formats.foreign import mae
from kakera.formats.load import load
from kakera.formats.native import DESCRIPTION, save_model
from kakera.formats.old_names import current
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.configs import DecoderConfig, ViTConfig, resnet_config
from kakera.model.mae import MAE
from kakera.model.network import Network
from kakera.model.resnet import ResNet
from kakera.model.vit import ViT

CONFIG = ViTConfig(24, 2, 3, (4, 4), DecoderConfig(16, 1, 4))
INPUTS = InputSpec(1, 12, 12, (0.3,), (0.35,))
OLD = {  # as version 0.1.0 wrote them
    "config": "shape",
    "learned_positions": "learned",
    "norm_pix_loss": "normalised",
    "hog_target": "gradients",
    "multi_label": "several",
    "block": "kind",
}


def encoder() -> ViT:
    return ViT(CONFIG, channels=1, image_size=12, seed=0)


def aged(value: Any) -> Any:
    """The same values under the names of version 0.1.0."""
    if isinstance(value, dict):
        return {OLD.get(name, name): aged(inner) for name, inner in value.items()}
    return value


NETWORKS: dict[str, Network] = {
    "encoder": encoder(),
    "mae": MAE(encoder(), norm_pix_loss=False, hog_target=True, seed=1),
    "classifier": Classifier(encoder(), 2, "class", seed=1),
    "cnn": ResNet(resnet_config("resnet-nano"), channels=1, classes=2, seed=1),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_folder_with_the_old_names_gives_the_same_model(name: str, tmp_path: Path) -> None:
    classes = ("ant", "bee") if NETWORKS[name].classifies else ()
    save_model(tmp_path, Pretrained(NETWORKS[name].eval(), INPUTS, classes, multi_label=bool(classes)))
    new = load(tmp_path)
    content = json.loads((tmp_path / DESCRIPTION).read_text())
    (tmp_path / DESCRIPTION).write_text(json.dumps({**aged(content), "format": 1}))
    old = load(tmp_path)
    assert old.model.describe() == new.model.describe()
    assert (old.inputs, old.classes, old.multi_label) == (new.inputs, new.classes, new.multi_label)
    weights = new.model.state_dict()
    assert all(torch.equal(tensor, weights[key]) for key, tensor in old.model.state_dict().items())


def test_a_file_in_maes_layout_with_the_old_names_keeps_its_target(tmp_path: Path) -> None:
    decoder = DecoderConfig(16, 1, 4)
    saved = Pretrained(MAE(encoder(), decoder, norm_pix_loss=False, seed=0).eval(), INPUTS)
    content = torch.load(io.BytesIO(mae.write(saved)), weights_only=False)
    torch.save({**content, "kakera": aged(content["kakera"])}, tmp_path / "model.pth")
    found = load(tmp_path / "model.pth").model
    assert isinstance(found, MAE)
    assert not found.norm_pix_loss


@given(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.dictionaries(st.text(), inner)))
def test_todays_names_stay_as_they_are(content: Any) -> None:
    assert current(current(content)) == current(content)
