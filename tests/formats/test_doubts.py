"""Positions that are all alike are named, since the model cannot tell places apart."""

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as hf
from safetensors.torch import load_file, save_file

from kakera.cli.main import main
from kakera.commands.embed import embed
from kakera.formats.bundle import Pretrained
from kakera.formats.load import load
from kakera.formats.native import save_model, seeded_generator
from tests.formats.foreign.test_mae import weights
from tests.formats.foreign.test_transformers import SMALL, VIT_MAE, drawn, saved
from tests.formats.test_native import models
from tests.small import folder

ALIKE = "warning: all position embeddings of the {} are equal"
ENCODER = "embeddings.position_embeddings"
DECODER = "decoder.decoder_pos_embed"


def warnings_of(found: Pretrained) -> list[str]:
    return [note for note in found.notes if note.startswith("warning")]


def mae(place: Path, channels: int = 2, **positions: float) -> Path:
    """Of transformers, with positions of one number throughout."""
    config = hf.ViTMAEConfig(**{**VIT_MAE, "num_channels": channels})
    saved(drawn(hf.ViTMAEForPreTraining(config)), place, {"image_mean": 0.5})
    tensors = load_file(place / "model.safetensors")
    for name, value in positions.items():
        (full,) = (key for key in tensors if key.endswith(ENCODER if name == "encoder" else DECODER))
        tensors[full] = torch.full_like(tensors[full], value)
    save_file(tensors, place / "model.safetensors")
    return place


def test_a_vitmae_as_transformers_makes_it_from_a_configuration_is_read_with_a_warning(
    tmp_path: Path,
) -> None:
    """Version 5.24 leaves its positions at zero."""
    theirs: Any = hf.ViTMAEForPreTraining(hf.ViTMAEConfig(**VIT_MAE))
    state = theirs.state_dict()
    zero = {
        part: not state[name].any() for part, name in (("encoder", f"vit.{ENCODER}"), ("decoder", DECODER))
    }
    found = warnings_of(load(saved(theirs, tmp_path)))
    where = " and ".join(part for part in zero if zero[part])
    assert [note[: len(ALIKE.format(where))] for note in found] == [ALIKE.format(where)] * bool(where)


@pytest.mark.parametrize(
    ("positions", "where"),
    [
        ({"encoder": 0.0}, "encoder"),
        ({"decoder": 0.0}, "decoder"),
        ({"encoder": 0.5, "decoder": -1.0}, "encoder and decoder"),
    ],
)
def test_positions_of_one_number_are_named(positions: dict[str, float], where: str, tmp_path: Path) -> None:
    (note,) = warnings_of(load(mae(tmp_path, **positions)))
    assert note.startswith(ALIKE.format(where))


def test_positions_that_differ_need_no_warning(tmp_path: Path) -> None:
    assert warnings_of(load(mae(tmp_path))) == []
    for number, ours in enumerate(models()):
        ours.model.reset_parameters(seeded_generator(0))
        save_model(tmp_path / str(number), ours)
        assert warnings_of(load(tmp_path / str(number))) == []


def test_a_model_of_one_patch_needs_none(tmp_path: Path) -> None:
    config = hf.ViTConfig(**{**SMALL, "image_size": (2, 4)})
    assert warnings_of(load(saved(drawn(hf.ViTModel(config)), tmp_path))) == []


def test_other_layouts_are_looked_at_too(tmp_path: Path) -> None:
    tensors = weights("class")
    torch.save({**tensors, "pos_embed": torch.zeros_like(tensors["pos_embed"])}, tmp_path / "file.pth")
    assert len(warnings_of(load(tmp_path / "file.pth"))) == 1


def test_who_uses_such_weights_reads_the_warning_once_and_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place, pictures = mae(tmp_path / "model", channels=3, encoder=0.0), folder(tmp_path / "d", count=1)
    capsys.readouterr()
    for _ in range(2):
        embed(place, pictures)
    err = capsys.readouterr().err
    assert err.count(ALIKE.format("encoder")) == 1
    assert err.startswith(f"kakera: {place}: warning: all position embeddings")


def test_convert_prints_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = mae(tmp_path / "model", decoder=0.0)
    assert main(["convert", str(place), str(tmp_path / "out"), "--to", "transformers"]) == 0
    assert ALIKE.format("decoder") in capsys.readouterr().out
