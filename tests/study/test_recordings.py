"""Both studies on recordings: the recipes for sound, and shifts in time."""

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from kakera.cli.main import main
from kakera.commands.finetune import finetune
from kakera.data.sources.open import open_dataset
from kakera.formats.native import load_model
from kakera.model.token_index import padding_patches
from kakera.study.data_size.shift_test import directions, moved, shifted
from kakera.study.mask_ratio.study import study_mask_ratio
from tests.study.studies import words
from tests.training.listeners import INPUTS, cnn
from tests.training.songs import SCRATCH, songs

TINY: dict[str, Any] = {
    "model": "nano",
    "seeds": 2,
    "pretrain_epochs": 1.0,
    "finetune_epochs": 1.0,
    "finetune_min_steps": 2,
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return songs(tmp_path_factory.mktemp("data") / "songs", count=10)


def recipes(folder: Path) -> dict[str, str]:
    """Those for sound, with smaller spectrograms, so that the CNN is quick too."""
    ears = 'sound = "speech,rate=8000,bins=32"\nseconds = 0.8\npatch = [8, 8]\n'
    plain = "mixup = 0.0\ncutmix = 0.0\nrandaugment = 0.0\nrandom_erasing = 0.0\n"
    texts = {"pretrain": ears + "flip = false\n", "finetune": plain, "scratch": ears + plain}
    for name, text in texts.items():
        (folder / f"{name}.toml").write_text(text + "batch_size = 8\n")
    return {f"{name}_recipe": str(folder / f"{name}.toml") for name in texts}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_mask_ratio_hears_with_the_recipe_for_sound(data: Path, tmp_path: Path) -> None:
    options = {**TINY, "mask_ratios": (0.5, 0.75), "labels": (8,)}
    done = study_mask_ratio(data, out=tmp_path / "study", **options)
    assert len(done.answer.sentences()) >= 1
    assert {float(row["ratio"]) for row in rows(tmp_path / "study" / "results.csv")} == {0.5, 0.75}
    inputs = load_model(tmp_path / "study" / "units" / "pretrain-0.5-s0").inputs
    assert inputs.sound is not None
    assert (inputs.size, inputs.sound.bins) == ((80, 120), 80)
    page = (tmp_path / "study" / "report.html").read_text()
    assert "80 mel bands x 120 frames (windows of 1.22 seconds), 5 x 15 patches" in page
    assert page.count("data:image/png;base64,") == 1


def test_data_size_compares_three_networks_and_shifts_in_time(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {
        **recipes(tmp_path),
        **TINY,
        "sizes": ("4", "100%"),
        "rates": (1.0,),
        "shifts": (2, 8),
        "scratch_epochs": 1.0,
        "scratch_min_steps": 2,
        "cnn": "resnet-nano",
        "seeds": 1,
    }
    out = tmp_path / "study"
    assert main(["study", "data-size", str(data), "--out", str(out), *words(options)]) == 0
    found = rows(out / "results.csv")
    assert {row["network"] for row in found} == {"cnn", "vit", "mae"}
    assert {row["measure"] for row in found} >= {"test moved by 2", "features moved by 8"}
    page = (out / "report.html").read_text()
    for text in ("by 8 frames", "the mean of shifts forward and backward in time", "the mean, like padding"):
        assert text in page, text
    ears = {load_model(out / "units" / f"final-{kind}-4-s0").inputs for kind in ("cnn", "vit")}
    assert len(ears) == 1


def test_recordings_are_moved_in_time_alone_and_their_end_with_them(data: Path, tmp_path: Path) -> None:
    assert directions(INPUTS) == ((0, 1), (0, -1))
    trained = finetune(data, out=tmp_path / "run", **SCRATCH)
    assert trained.evaluation is not None
    dataset = open_dataset(data).part("test")
    assert dataset.sounds is not None
    inputs = trained.saved.inputs
    assert inputs.sound is not None
    heard = replace(dataset, pictures=dataset.sounds.with_spec(inputs.sound))
    short = [
        i for i in range(len(heard)) if heard.sounds and heard.sounds.length(i) < inputs.sound.samples(80)
    ]
    found = moved(trained.saved, heard.take(short), (0, 8))
    assert found["unit"] == "frames"
    assert found["features"]["0"] == 0.0
    assert found["features"]["8"] > 0.0
    assert 0 <= found["scores"]["8"] <= 1


def test_a_convolution_follows_a_recording_that_moves_within_its_window() -> None:
    saved = cnn()
    model = saved.model
    grid, step = model.grid_for(INPUTS.size), model.step
    values = torch.full((1, 1, 32, 80), INPUTS.mean[0])
    values[..., 32:48] = torch.randn(1, 1, 32, 16, generator=torch.Generator().manual_seed(0)) * 4 - 6
    before, after = (INPUTS.normalize(shifted(values, by, (0, 1), INPUTS.mean[0])) for by in (0, step))
    ends = (
        padding_patches(torch.tensor([64]), grid, step),
        padding_patches(torch.tensor([64 + step]), grid, step),
    )
    one, other = (model.maps(each) for each in (before, after))
    torch.testing.assert_close(one[..., 4:16], other[..., 5:17])
    assert int((ends[0] & ~ends[1]).sum()) == grid.rows
