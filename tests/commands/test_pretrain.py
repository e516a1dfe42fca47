import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kakera.commands.pretrain import pretrain
from kakera.errors import OptionError, RunError
from kakera.formats.native import load_model
from kakera.model.mae import MAE
from tests.small import QUICK, pictures


def test_a_run_folder_holds_all_of_it(mae: Path) -> None:
    names = {path.name for path in mae.iterdir()}
    assert {"config.json", "metrics.jsonl", "model.safetensors", "kakera.json", "pictures"} <= names
    assert any(name.startswith("events.out.tfevents") for name in names)
    assert list((mae / "checkpoints").iterdir()) == []
    model = load_model(mae).model
    assert isinstance(model, MAE)
    assert not model.norm_pix_loss


def test_reconstructions_show_original_masked_and_predicted(mae: Path) -> None:
    data = pictures()
    sheets = sorted((mae / "pictures").iterdir())
    assert [sheet.name for sheet in sheets] == ["reconstructions-0001.png", "reconstructions-0002.png"]
    with Image.open(sheets[-1]) as image:
        values = np.asarray(image)[::3, ::3]  # enlarged three times
    originals = [data.part("test").pictures.read(i)[..., 0] for i in range(20)]
    first, masked = values[:28, :28], values[:28, 30:58]
    assert any(np.array_equal(first, original) for original in originals)
    hidden = [(masked[r : r + 4, c : c + 4] == 128).all() for r in range(0, 28, 4) for c in range(0, 28, 4)]
    assert sum(hidden) == 30  # of 49 patches: int(49 · 0.4) = 19 stay


def test_the_same_command_again_finds_the_run_finished(tmp_path: Path) -> None:
    first = pretrain(pictures(), out=tmp_path / "run", **QUICK)
    before = (first.folder / "model.safetensors").stat().st_mtime_ns
    pretrain(pictures(), out=tmp_path / "run", **QUICK)
    assert (first.folder / "model.safetensors").stat().st_mtime_ns == before


def test_another_seed_gives_other_weights_and_the_same_seed_the_same(tmp_path: Path) -> None:
    contents = [
        (
            pretrain(pictures(), out=tmp_path / name, seed=seed, **QUICK).folder / "model.safetensors"
        ).read_bytes()
        for name, seed in (("a", 0), ("b", 0), ("c", 1))
    ]
    assert contents[0] == contents[1] != contents[2]


@pytest.mark.parametrize("masking", ["block", "grid"])
def test_other_masks_train_too(masking: str, tmp_path: Path) -> None:
    pretrain(pictures(), out=tmp_path / "run", masking=masking, **QUICK)
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert len(lines) == 2
    assert json.loads(lines[0])["loss"] > 0


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"patch": 5, "image_size": 28}, "patch: got 5 x 5 for a picture of 28 x 28"),
        ({"mask_ratio": 0.99}, "mask ratio: got 0.99, which leaves 0 of 49"),
        ({"model": "giant"}, "model: got giant"),
        ({"channels": 2}, "demo: got pictures of 1 channel, expected 2"),
        ({"image_size": -1}, "image_size: got -1"),
    ],
)
def test_options_that_do_not_fit_get_one_line_and_leave_no_folder(
    given: dict[str, object], named: str, tmp_path: Path
) -> None:
    with pytest.raises((OptionError, ValueError), match=named) as caught:
        pretrain(pictures(), out=tmp_path / "run", **{**QUICK, **given})
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_folder_of_another_configuration_is_left_alone(tmp_path: Path) -> None:
    pretrain(pictures(), out=tmp_path / "run", **QUICK)
    with pytest.raises(RunError, match=r"mask_ratio 0\.6 in the run, 0\.5 now"):
        pretrain(pictures(), out=tmp_path / "run", mask_ratio=0.5, **QUICK)
