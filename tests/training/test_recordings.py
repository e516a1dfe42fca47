"""The verbs on recordings: the same functions and commands as on pictures."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from kakera.cli.main import main
from kakera.commands.finetune import finetune
from kakera.commands.predict import predict, predict_windows
from kakera.commands.pretrain import pretrain
from kakera.commands.probe import probe
from kakera.data.packing.pack import pack
from kakera.data.sources.open import open_dataset
from kakera.errors import DataError, OptionError
from kakera.formats.native import load_model
from kakera.model.hog import cells
from kakera.model.mae import MAE
from kakera.model.positions import sincos
from tests.data.recordings import record
from tests.training.songs import FINETUNE, PRETRAIN, RATE, SCRATCH, songs, tone


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings, a pretrained run and a fine-tuned one."""
    root = tmp_path_factory.mktemp("world")
    songs(root / "songs")
    pretrain(root / "songs", out=root / "mae", **PRETRAIN)
    finetune(root / "songs", init_from=root / "mae", out=root / "tuned", **FINETUNE)
    return root


def test_a_pretrained_run_says_how_it_hears(world: Path) -> None:
    inputs = load_model(world / "mae").inputs
    assert inputs.sound is not None
    assert (inputs.sound.rate, inputs.size, inputs.scale) == (8_000, (32, 80), 1.0)
    assert inputs.axes == ("frequency", "time")
    assert (world / "mae" / "pictures" / "reconstructions-0002.png").exists()


def test_fine_tuning_hears_as_the_start_does_and_is_measured(world: Path) -> None:
    assert load_model(world / "tuned").inputs == load_model(world / "mae").inputs
    measured = json.loads((world / "tuned" / "evaluation.json").read_text())
    assert measured["count"] == (open_dataset(world / "songs").split == "test").sum()


def test_a_run_that_was_stopped_ends_with_the_same_weights(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = PRETRAIN | {
        "time_shift": 0.1,
        "gain": 6.0,
        "noise": 0.2,
        "masking": "cross",
        "checkpoint_seconds": 0.0,
    }
    pretrain(world / "songs", out=tmp_path / "whole", **given)
    from kakera.training import tasks

    steps, loss = iter(range(3)), tasks.Pretraining.loss

    def stop(*words: object) -> torch.Tensor:
        if next(steps, None) is None:
            raise KeyboardInterrupt
        return loss(*words)

    monkeypatch.setattr(tasks.Pretraining, "loss", stop)
    with pytest.raises(KeyboardInterrupt):
        pretrain(world / "songs", out=tmp_path / "stopped", **given)
    monkeypatch.undo()
    pretrain(world / "songs", out=tmp_path / "stopped", **given)
    one, other = (load_model(tmp_path / name).model.state_dict() for name in ("whole", "stopped"))
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(("seconds", "cols"), [(0.4, 5), (1.28, 16)])
def test_other_seconds_leave_each_patch_its_position(
    seconds: float, cols: int, world: Path, tmp_path: Path
) -> None:
    finetune(world / "songs", init_from=world / "mae", out=tmp_path / "run", seconds=seconds, **FINETUNE)
    encoder = load_model(tmp_path / "run").encoder
    assert (encoder.grid.rows, encoder.grid.cols) == (4, cols)
    assert torch.equal(encoder.positions, sincos(encoder.grid, encoder.config.width))


@pytest.mark.parametrize("patch", [(8, 8), (16, 8)])
def test_gradients_of_spectrograms_can_be_predicted_too(
    patch: tuple[int, int], world: Path, tmp_path: Path
) -> None:
    pretrain(world / "songs", out=tmp_path / "run", **PRETRAIN | {"hog_target": True, "patch": patch})
    model = load_model(tmp_path / "run").model
    assert isinstance(model, MAE)
    assert cells(patch) == (patch[0] // 8, 1)
    assert model.decoder.predict.out_features == patch[0] * patch[1] + 9 * patch[0] // 8
    losses = [
        json.loads(line)["loss"]
        for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
        if "loss" in line
    ]
    assert np.isfinite(losses).all()
    assert losses


def test_a_batch_in_pieces_weighs_each_hidden_patch_the_same(world: Path, tmp_path: Path) -> None:
    for pieces in (1, 3):
        pretrain(world / "songs", out=tmp_path / str(pieces), **PRETRAIN, grad_accum=pieces)
    one, other = (load_model(tmp_path / name).model.state_dict() for name in ("1", "3"))
    for name, tensor in one.items():
        torch.testing.assert_close(other[name], tensor, rtol=0, atol=1e-5)


def test_a_mixed_batch_in_pieces_learns_the_same(world: Path, tmp_path: Path) -> None:
    given = FINETUNE | {"mixup": 0.5, "time_mask": 0.2, "noise": 0.1, "init_from": world / "mae"}
    for pieces in (1, 3):
        finetune(world / "songs", out=tmp_path / str(pieces), **given, grad_accum=pieces)
    one, other = (load_model(tmp_path / name).model.state_dict() for name in ("1", "3"))
    for name, tensor in one.items():
        torch.testing.assert_close(other[name], tensor, rtol=0, atol=1e-5)


def test_from_scratch_overlapping_with_mixup_and_stripes(world: Path, tmp_path: Path) -> None:
    given = SCRATCH | {"stride": (8, 4), "mixup": 0.5, "time_mask": 0.2, "freq_mask": 8, "noise": 0.1}
    trained = finetune(world / "songs", out=tmp_path / "run", **given)
    assert load_model(tmp_path / "run").encoder.grid.cols == 19
    assert trained.evaluation is not None


def test_the_cnn_takes_recordings_too(world: Path, tmp_path: Path) -> None:
    given = {name: value for name, value in SCRATCH.items() if name != "patch"} | {"model": "resnet-nano"}
    assert finetune(world / "songs", out=tmp_path / "run", **given).evaluation is not None


def test_probes_read_the_tokens_of_recordings(world: Path) -> None:
    report = probe(world / "songs", init_from=world / "mae", labels=(0,), finetune=False, probes=("ridge",))
    assert {result.pool for result in report.results} == {"class", "mean"}


def test_a_prediction_is_the_mean_of_its_windows(world: Path, tmp_path: Path) -> None:
    path = record(tmp_path / "long.wav", tone(300, 3.0), RATE)
    windows = list(predict_windows(world / "tuned", [path]))
    (whole,) = predict(world / "tuned", [path])
    edges = [window.window for window in windows]
    # A window is 80 frames: 79 steps of 10 ms and 25 ms.
    expected = [(0.0, 0.815), (0.815, 1.63), (1.63, 2.445), (2.185, 3.0)]
    np.testing.assert_allclose(edges, expected, atol=1e-9)
    for name, value in whole.probabilities.items():
        assert value == pytest.approx(np.mean([window.probabilities[name] for window in windows]), abs=1e-6)


def test_a_clip_is_predicted_the_same_alone_and_among_longer_ones(world: Path) -> None:
    paths = sorted((world / "songs").rglob("*.wav"))
    together = predict(world / "tuned", paths)
    for path, found in zip(paths, together, strict=True):
        (alone,) = predict(world / "tuned", [path])
        for name, value in found.probabilities.items():
            assert alone.probabilities[name] == pytest.approx(value, abs=1e-5)


def test_the_command_prints_windows_with_their_times(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["predict", str(world / "tuned"), str(world / "songs"), "--windows", "--csv"]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert {"file", "start", "end", "label", "low", "high"} <= set(rows[0])
    assert len(rows) > 24
    assert main(["predict", str(world / "tuned"), str(world / "songs"), "--windows"]) == 0
    assert "0.00–0.40" in capsys.readouterr().out


def test_several_labels_are_measured_by_mean_average_precision(world: Path, tmp_path: Path) -> None:
    waves = {"low": tone(300, 0.9), "high": tone(1800, 0.9)}
    lines = ["file,label,split"]
    for number in range(16):
        names = [("low",), ("high",), ("low", "high")][number % 3]
        record(tmp_path / f"{number}.wav", sum(waves[name] for name in names) / 2, RATE)
        lines.append(f"{number}.wav,{'|'.join(names)},{'test' if number > 11 else 'train'}")
    (tmp_path / "table.csv").write_text("\n".join(lines))
    trained = finetune(tmp_path / "table.csv", out=tmp_path / "run", **SCRATCH)
    assert trained.saved.multi_label
    assert trained.evaluation is not None
    assert "mean average precision" in trained.evaluation.summary()
    (found,) = predict(tmp_path / "run", [tmp_path / "0.wav"])
    assert set(found.probabilities) == {"low", "high"}


@pytest.mark.parametrize("name", ["cutmix", "randaugment", "random_erasing"])
def test_what_changes_pictures_only_is_refused(name: str, world: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=f"^{name}: got 1, expected 0 for recordings; "):
        finetune(world / "songs", out=tmp_path / "run", **SCRATCH | {name: 1.0})


def test_recordings_and_pictures_are_not_mixed_up(world: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="demo: got pictures, expected recordings, as in --init-from"):
        finetune("demo", init_from=world / "mae", out=tmp_path / "run")
    with pytest.raises(DataError, match="demo: got pictures, expected recordings, which the model reads"):
        predict(world / "tuned", ["demo"])
    (found,) = predict(world / "tuned", [Path(__file__)])
    assert found.unreadable == "got a text file, expected a WAV, FLAC, Ogg, MP3, Opus or AIFF recording"


def test_mean_and_deviation_are_those_of_the_training_part(world: Path) -> None:
    from kakera.sound.logmel import log_mel

    inputs = load_model(world / "mae").inputs
    assert inputs.sound is not None
    train = open_dataset(world / "songs").part("train")
    assert train.sounds is not None
    heard = train.sounds.with_spec(inputs.sound)
    width = inputs.sound.samples(80)
    pieces = [heard.piece(i, max(0, heard.length(i) - width) // 2, width) for i in range(len(heard))]
    values = torch.cat([log_mel(torch.tensor(piece)[None], inputs.sound).flatten() for piece in pieces])
    assert inputs.mean[0] == pytest.approx(values.double().mean().item(), abs=1e-3)
    assert inputs.std[0] == pytest.approx(values.double().std(correction=0).item(), abs=1e-3)


def test_from_shards_the_same_is_learned_to_the_bit(world: Path, tmp_path: Path) -> None:
    pack(world / "songs", tmp_path / "shards", shard_size=5, workers=1)
    pretrain(tmp_path / "shards", out=tmp_path / "mae", **PRETRAIN)
    finetune(tmp_path / "shards", init_from=tmp_path / "mae", out=tmp_path / "tuned", **FINETUNE)
    for run in ("mae", "tuned"):
        wanted, found = (load_model(root / run).model.state_dict() for root in (world, tmp_path))
        assert wanted.keys() == found.keys()
        assert all(torch.equal(wanted[name], found[name]) for name in wanted)


def test_also_when_they_are_too_many_for_the_memory_and_workers_read(
    tmp_path: Path, world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kakera.training.prepared.preload", lambda dataset, limit: dataset)
    pack(world / "songs", tmp_path / "shards", shard_size=5, workers=1)
    for source in (world / "songs", tmp_path / "shards"):
        pretrain(source, out=tmp_path / source.name / "run", workers=2, **PRETRAIN | {"epochs": 1.0})
    wanted, found = (load_model(tmp_path / name / "run").model.state_dict() for name in ("songs", "shards"))
    assert all(torch.equal(wanted[name], found[name]) for name in wanted)


def test_shards_are_predicted_as_the_folder_is(world: Path, tmp_path: Path) -> None:
    pack(world / "songs", tmp_path / "shards", shard_size=5, workers=1)
    wanted, found = (predict(world / "tuned", [str(path)]) for path in (world / "songs", tmp_path / "shards"))
    ours = [(p.file, p.labels, p.probabilities) for p in found]
    assert ours == [
        (str(Path(p.file).relative_to(world / "songs")), p.labels, p.probabilities) for p in wanted
    ]


def test_a_damaged_recording_in_a_shard_says_why_and_the_others_are_predicted(
    world: Path, tmp_path: Path
) -> None:
    pack(world / "songs", tmp_path / "shards", workers=1)
    content = bytearray((tmp_path / "shards" / "000000.tar").read_bytes())
    content[3_000] ^= 1
    (tmp_path / "shards" / "000000.tar").write_bytes(content)
    broken = [p for p in predict(world / "tuned", [str(tmp_path / "shards")]) if p.unreadable]
    assert len(broken) == 1
    assert "000000.tar, expected the packed bytes" in broken[0].unreadable
