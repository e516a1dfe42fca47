import json
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers as hf

from kakera.commands import evaluation
from kakera.commands.finetune import finetune
from kakera.data.dataset import Dataset
from kakera.data.holders import ArrayPictures
from kakera.errors import DataError, OptionError, RunError
from kakera.formats.native import load_model
from kakera.model.classifier import Classifier
from kakera.model.resnet import ResNet
from tests.small import QUICK, folder, pictures


@pytest.fixture
def pretrained(mae: Path) -> Path:
    return mae


def test_the_encoder_starts_where_pretraining_ended(pretrained: Path, tmp_path: Path) -> None:
    still = finetune(pictures(), out=tmp_path / "run", init_from=pretrained, **{**QUICK, "base_lr": 0.0})
    ours, theirs = still.saved.encoder.state_dict(), load_model(pretrained).encoder.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert still.saved.inputs == load_model(pretrained).inputs


def test_an_easy_task_is_learned_from_scratch(tmp_path: Path) -> None:
    values = np.repeat(np.array([30, 220], np.uint8), 40)[:, None, None, None] * np.ones(
        (1, 8, 8, 1), np.uint8
    )
    split = np.array((["train"] * 30 + ["test"] * 10) * 2)
    labels = np.repeat([0, 1], 40)
    data = Dataset("easy", ArrayPictures(values), 1, split, ("dark", "light"), labels)
    trained = finetune(data, out=tmp_path / "run", **{**QUICK, "epochs": 20.0})
    assert trained.evaluation is not None
    assert trained.evaluation.accuracy == 1.0
    assert trained.evaluation.count == 20
    written = json.loads((trained.folder / "evaluation.json").read_text())
    assert written["accuracy"] == 1.0
    assert written["confusion"] == [[10, 0], [0, 10]]


def test_a_finished_run_gives_the_same_result_again(pretrained: Path, tmp_path: Path) -> None:
    first, second = (
        finetune(pictures(), out=tmp_path / "run", init_from=pretrained, **QUICK) for _ in range(2)
    )
    assert first.evaluation == second.evaluation


def test_as_many_labels_are_used_as_asked_for(tmp_path: Path) -> None:
    finetune(pictures(), out=tmp_path / "run", labels=20, **QUICK)
    assert json.loads((tmp_path / "run" / "config.json").read_text())["pictures"] == 20


def test_unlabelled_pictures_are_left_out(tmp_path: Path) -> None:
    data = pictures()
    assert data.labels is not None
    labels = data.labels.copy()
    labels[:10] = -1
    partly = Dataset(data.name, data.pictures, 1, data.split, data.classes, labels)
    finetune(partly, out=tmp_path / "run", **QUICK)
    assert json.loads((tmp_path / "run" / "config.json").read_text())["pictures"] == 30


def test_a_cnn_is_trained_by_the_same_command(tmp_path: Path) -> None:
    trained = finetune(pictures(), out=tmp_path / "run", model="resnet-nano", **QUICK)
    assert isinstance(load_model(trained.folder).model, ResNet)
    again = finetune(pictures(), out=tmp_path / "again", init_from=trained.folder, **QUICK)
    assert isinstance(again.saved.model, ResNet)


def test_several_labels_are_measured_by_average_precision(tmp_path: Path) -> None:
    data = pictures()
    assert data.labels is not None
    hot = np.eye(10, dtype=bool)[data.labels]
    hot[:, 0] |= np.arange(len(hot)) % 2 == 0
    multi_label = Dataset(data.name, data.pictures, 1, data.split, data.classes, hot)
    trained = finetune(multi_label, out=tmp_path / "run", **{**QUICK, "mixup": 0.8, "label_smoothing": 0.0})
    assert trained.saved.multi_label
    assert trained.evaluation is not None
    assert trained.evaluation.mean_average_precision is not None


def test_every_augmentation_of_the_paper_can_be_used(pretrained: Path, tmp_path: Path) -> None:
    paper = {
        "drop_path": 0.1,
        "mixup": 0.8,
        "cutmix": 1.0,
        "randaugment": 9.0,
        "random_erasing": 0.25,
        "ema_decay": 0.9,
    }
    options = {**QUICK, **paper, "crop_min_scale": 0.08, "pool": "class and mean", "head": "ridge"}
    trained = finetune(pictures(), out=tmp_path / "run", init_from=pretrained, **options)
    assert isinstance(trained.saved.model, Classifier)
    assert trained.saved.model.pool == "class and mean"


def test_pictures_of_another_size_resize_the_positions(pretrained: Path, tmp_path: Path) -> None:
    trained = finetune(pictures(), out=tmp_path / "run", init_from=pretrained, image_size=32, **QUICK)
    assert trained.saved.inputs.size == (32, 32)
    assert trained.saved.encoder.grid.count == 64


def test_colour_pictures_are_read_as_the_start_needs_them(pretrained: Path, tmp_path: Path) -> None:
    trained = finetune(folder(tmp_path / "d"), out=tmp_path / "run", init_from=pretrained, **QUICK)
    assert trained.saved.inputs.channels == 1
    assert trained.saved.classes == ("bag", "boot")


def test_no_labels_are_refused(tmp_path: Path) -> None:
    data = pictures()
    bare = Dataset(data.name, data.pictures, 1, data.split)
    with pytest.raises(DataError, match="expected at least two classes"):
        finetune(bare, out=tmp_path / "run", **QUICK)
    assert not (tmp_path / "run").exists()


def test_more_labels_than_there_are_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="got a request for 41, expected between 1 and 40"):
        finetune(pictures(), out=tmp_path / "run", labels=41, **QUICK)


def test_an_unknown_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="model: got perceptron, expected nano, micro"):
        finetune(pictures(), out=tmp_path / "run", model="perceptron", **QUICK)


def test_weights_of_another_library_start_at_another_size_and_with_other_channels(tmp_path: Path) -> None:
    config = hf.ViTConfig(hidden_size=24, num_hidden_layers=1, num_attention_heads=3, intermediate_size=48,
                          image_size=32, patch_size=4, num_channels=3)  # fmt: skip
    theirs = hf.ViTModel(config)
    theirs.save_pretrained(tmp_path / "theirs")
    options = {**QUICK, "base_lr": 0.0, "image_size": 28, "channels": 1}
    found = finetune(pictures(), out=tmp_path / "run", init_from=tmp_path / "theirs", **options).saved
    assert (found.inputs.channels, found.inputs.size) == (1, (28, 28))
    grey = torch.rand(2, 1, 28, 28)
    with torch.inference_mode():
        # With a mean and a deviation of 0.5 for all channels, grey pictures are seen as in colour.
        x = found.inputs.normalize(grey * 255)
        expected = theirs(x.expand(-1, 3, -1, -1), interpolate_pos_encoding=True).last_hidden_state
        assert (expected - found.encoder(x)).abs().max() < 1e-5


def test_a_start_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="expected a run, a folder or file"):
        finetune(pictures(), out=tmp_path / "run", init_from=tmp_path / "nowhere", **QUICK)


def test_what_fails_after_the_last_step_loses_no_weights_and_is_made_up_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = finetune(pictures(), out=tmp_path / "whole", **QUICK)

    def full(*_: object, **__: object) -> None:
        raise MemoryError("no room")

    with monkeypatch.context() as broken:
        broken.setattr(evaluation, "each_file", full)
        with pytest.raises(RunError, match="MemoryError .no room. during the evaluation, .* again"):
            finetune(pictures(), out=tmp_path / "run", **QUICK)
    weights = (tmp_path / "run" / "model.safetensors").read_bytes()
    assert weights == (tmp_path / "whole" / "model.safetensors").read_bytes()
    assert not (tmp_path / "run" / "evaluation.json").exists()
    found = finetune(pictures(), out=tmp_path / "run", **QUICK)
    assert found.evaluation == whole.evaluation
    assert (tmp_path / "run" / "report.html").exists()
    assert (tmp_path / "run" / "model.safetensors").read_bytes() == weights


def test_an_evaluation_cut_short_is_made_again(tmp_path: Path) -> None:
    whole = finetune(pictures(), out=tmp_path / "run", **QUICK).evaluation
    path = tmp_path / "run" / "evaluation.json"
    path.write_text(path.read_text()[:50])
    assert finetune(pictures(), out=tmp_path / "run", **QUICK).evaluation == whole
    assert json.loads(path.read_text())["count"] == whole.count
