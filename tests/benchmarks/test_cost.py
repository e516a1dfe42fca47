from dataclasses import replace

import pytest
import torch

from benchmarks import cost
from kakera.formats.bundle import Pretrained
from kakera.inputs import InputSpec
from kakera.model.configs import vit_config
from kakera.model.mae import MAE
from kakera.model.vit import ViT
from kakera.study.costs import step_flops
from tests.test_documents import ROOT


def test_the_closed_form_is_what_pytorch_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "SIDE", 64)
    shape = replace(vit_config("nano"), patch=(8, 8))
    monkeypatch.setattr(cost, "vit_config", lambda _: shape)
    encoder = ViT(shape, channels=3, image_size=(64, 64))
    model = MAE(encoder, shape.decoder)
    model.reset_parameters(torch.Generator().manual_seed(0))
    saved = Pretrained(model, InputSpec(3, 64, 64, (0.5,) * 3, (0.5,) * 3))
    # The counter leaves out the gradient of the pictures, which nobody needs.
    assert step_flops(saved, 0.75) == pytest.approx(cost.cost("nano").flops, rel=0.03)


def test_the_page_holds_the_table() -> None:
    page = (ROOT / "docs" / "cluster.md").read_text()
    assert "\n".join(cost.rows()) in page
