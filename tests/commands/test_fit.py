import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kakera
from kakera.commands.fit import plan_fit
from kakera.commands.fitting import tokens as fit_tokens
from kakera.data.dataset import Dataset
from kakera.data.sources.open import open_dataset
from kakera.errors import DataError, KakeraError, OptionError, RunError
from kakera.formats.bundle import Pretrained
from kakera.formats.native import load_model
from kakera.inputs import InputSpec
from kakera.model.configs import vit_config
from tests.small import folder, pictures
from tests.training.songs import songs


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KAKERA_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def start(tmp_path: Path) -> Path:
    network = kakera.ViT("nano", channels=1, image_size=28, seed=0)
    Pretrained(network, InputSpec(1, 28, 28, (0.3,), (0.3,))).save(tmp_path / "start")
    return tmp_path / "start"


def some(train: int = 100, test: int = 40) -> Dataset:
    return pictures(train, test)


QUIET: dict[str, Any] = {"announce": False, "baselines": False}


def test_the_run_predicts_what_its_evaluation_says(start: Path, tmp_path: Path) -> None:
    data = some()
    found = kakera.fit(data, init_from=start, out=tmp_path / "run", **QUIET)
    test = data.part("test")
    rows = load_model(tmp_path / "run").predict_proba(test)
    assert found.evaluation is not None
    assert test.labels is not None
    assert found.evaluation.accuracy == pytest.approx((rows.argmax(axis=1) == test.labels).mean())
    likely = rows[np.arange(len(rows)), test.labels]
    assert found.evaluation.log_loss == pytest.approx(-np.log(likely).mean(), rel=1e-4)
    assert (
        json.loads((tmp_path / "run" / "evaluation.json").read_text())["accuracy"]
        == found.evaluation.accuracy
    )
    assert (tmp_path / "run" / "report.html").read_text().startswith("<!doctype html>")


def test_the_encoder_is_that_of_the_start_bit_for_bit(start: Path, tmp_path: Path) -> None:
    kakera.fit(some(), init_from=start, out=tmp_path / "run", **QUIET)
    before, after = load_model(start).model.state_dict(), load_model(tmp_path / "run").model.state_dict()
    assert all(np.array_equal(after[f"encoder.{name}"], values) for name, values in before.items())


def test_onnx_and_transformers_get_the_temperature_with_the_weights(start: Path, tmp_path: Path) -> None:
    run, data = tmp_path / "run", some()
    kakera.fit(data, init_from=start, out=run, head="ridge", pool="mean", **QUIET)
    assert json.loads((run / "fit.json").read_text())["temperature"] != 1
    kakera.convert(run, tmp_path / "onnx", to="onnx")
    kakera.convert(run, tmp_path / "hf", to="transformers")
    test = data.part("test")
    expected = [found.probabilities for found in kakera.predict(run, test)]
    for other in (tmp_path / "onnx", tmp_path / "hf"):
        for found, known in zip(kakera.predict(other, test), expected, strict=True):
            assert found.probabilities == pytest.approx(known, abs=1e-4)


def test_a_second_head_imports_no_torch(start: Path, tmp_path: Path) -> None:
    data = folder(tmp_path / "things", count=30)
    words = [str(data), "--init-from", str(start)]
    kakera.fit(data, init_from=start, out=tmp_path / "first", announce=False)
    code = (
        "import sys\nfrom kakera.cli.main import main\n"
        f"assert main({['fit', *words, '--head', 'logistic', '--out', str(tmp_path / 'second')]!r}) == 0\n"
        "assert 'torch' not in sys.modules and 'sklearn' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "18 of them" in done.stderr or "in the cache" in done.stderr
    assert len(kakera.predict(tmp_path / "second", data)) == 60


def test_new_labels_and_new_files_use_the_tokens_of_known_files(start: Path, tmp_path: Path) -> None:
    data = some()
    kakera.fit(data, init_from=start, out=tmp_path / "a", **QUIET)
    more = open_dataset("demo").take(np.r_[np.flatnonzero(open_dataset("demo").split == "train")[:110], 0:0])
    both = Dataset("more", more.pictures, 1, more.split, more.classes, more.labels)
    kakera.fit(both, init_from=start, out=tmp_path / "b", **QUIET)
    assert json.loads((tmp_path / "a" / "fit.json").read_text())["tokens_computed"] == 140
    assert json.loads((tmp_path / "b" / "fit.json").read_text())["tokens_computed"] == 10


def test_a_finished_run_is_opened_and_another_one_is_refused(start: Path, tmp_path: Path) -> None:
    first = kakera.fit(some(), init_from=start, out=tmp_path / "run", **QUIET)
    before = (tmp_path / "run" / "model.safetensors").stat().st_mtime_ns
    again = kakera.fit(some(), init_from=start, out=tmp_path / "run", **QUIET)
    assert again.evaluation == first.evaluation
    assert (tmp_path / "run" / "model.safetensors").stat().st_mtime_ns == before
    (tmp_path / "run" / "evaluation.json").unlink()
    assert kakera.fit(some(), init_from=start, out=tmp_path / "run", **QUIET).evaluation == first.evaluation
    with pytest.raises(RunError, match="head 'auto' in the run, 'ridge' now"):
        kakera.fit(some(), init_from=start, out=tmp_path / "run", head="ridge", **QUIET)


def test_a_killed_fit_ends_with_the_same_weights(start: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    kakera.fit(some(), init_from=start, out=run, **QUIET)
    weights = (run / "model.safetensors").read_bytes()
    for name in ("model.safetensors", "report.html", "evaluation.json", "kakera.json"):
        (run / name).unlink()
    shutil.rmtree(tmp_path / "cache")
    kakera.fit(some(), init_from=start, out=run, **QUIET)
    assert (run / "model.safetensors").read_bytes() == weights


def test_files_with_several_labels(start: Path, tmp_path: Path) -> None:
    one = some()
    assert one.labels is not None
    marks = np.stack([one.labels < 5, one.labels % 2 == 0, one.labels == 3], axis=1)
    data = Dataset("tagged", one.pictures, 1, one.split, ("low", "even", "three"), marks)
    found = kakera.fit(data, init_from=start, out=tmp_path / "run", **QUIET)
    assert found.saved.multi_label
    assert found.evaluation is not None
    assert found.evaluation.mean_average_precision is not None
    rows = found.saved.predict_proba(data.part("test"))
    assert ((rows > 0) & (rows < 1)).all()
    assert found.evaluation.mean_average_precision > marks[one.split == "test"].mean(axis=0).mean()


def test_numbers_are_predicted_in_their_units(start: Path, tmp_path: Path) -> None:
    one = some()
    brightness = np.array([one.pictures.read(row).mean() for row in range(len(one))])
    data = Dataset("bright", one.pictures, 1, one.split, labels=brightness)
    found = kakera.fit(data, init_from=start, out=tmp_path / "run", announce=False)
    assert found.evaluation is not None
    assert found.evaluation.per_target is not None
    values = found.saved.predict_values(data.part("test"))[:, 0]
    error = np.abs(values - brightness[one.split == "test"]).mean()
    assert found.evaluation.per_target[0].mean_absolute_error == pytest.approx(error, rel=1e-4)
    assert found.evaluation.per_target[0].r2 is not None
    assert found.evaluation.per_target[0].r2 > 0.8
    assert "Predicted and true numbers" in (tmp_path / "run" / "report.html").read_text()
    with pytest.raises(OptionError, match="ridge or attentive for numbers"):
        kakera.fit(data, init_from=start, out=tmp_path / "other", head="logistic", **QUIET)
    equal = Dataset("equal", one.pictures, 1, one.split, labels=np.full(len(one), 3.0))
    with pytest.raises(DataError, match="the same number for all 100 training files"):
        kakera.fit(equal, init_from=start, out=tmp_path / "other", **QUIET)
    assert not (tmp_path / "other").exists()


def recordings_encoder(out: Path) -> Path:
    from kakera.sound.spec import preset

    inputs = InputSpec(
        1, 32, 40, (-5.0,), (3.0,), 1.0, ("frequency", "time"), preset("speech,rate=8000,bins=32")
    )
    network = kakera.ViT("nano", channels=1, image_size=(32, 40), patch=(8, 8), seed=0)
    Pretrained(network, inputs).save(out)
    return out


def test_recordings(tmp_path: Path) -> None:
    songs(tmp_path / "songs")
    start = recordings_encoder(tmp_path / "start")
    found = kakera.fit(tmp_path / "songs", init_from=start, out=tmp_path / "run", **QUIET)
    assert found.evaluation is not None
    predicted = kakera.predict(tmp_path / "run", tmp_path / "songs")
    assert all(one.probabilities for one in predicted)


def test_none_of_these(start: Path, tmp_path: Path) -> None:
    run, data = tmp_path / "run", some(400, 60)
    kakera.fit(data, init_from=start, out=run, head="ridge", **QUIET)
    plain = kakera.predict(run, data.part("test"))
    found = kakera.predict(run, data.part("test"), reject=0.1)
    for one, other in zip(plain, found, strict=True):
        assert other.typical is not None
        assert other.probabilities == pytest.approx(one.probabilities, abs=1e-5)
        assert other.labels == (("none of these",) if other.typical <= 0.1 else one.labels)
    noise = np.random.default_rng(0).integers(0, 256, (20, 28, 28, 1), dtype=np.uint8)
    assert all(one.labels == ("none of these",) for one in kakera.predict(run, noise, reject=0.1))
    refused: list[tuple[Any, dict[str, Any]]] = [
        (replace(load_model(run), rejection=None), {}),
        (start, {}),
        (run, {"engine": "int8"}),
        (run, {"reject": 1e-6}),
    ]
    for model, options in refused:
        with pytest.raises(KakeraError) as caught:
            kakera.predict(model, noise, **({"reject": 0.1} | options))
        assert "\n" not in str(caught.value)


def broken(name: str, start: Path, tmp_path: Path) -> tuple[Any, dict[str, Any]]:
    data = some()
    assert data.labels is not None
    labels = data.labels.copy()
    if name == "one class":
        labels[:] = 4
    elif name == "no labels":
        labels[:] = -1
    elif name == "recordings":
        return data, {"init_from": recordings_encoder(tmp_path / "sound")}
    elif name == "a head of another name":
        return data, {"head": "forest"}
    elif name == "a network without tokens":
        kakera.ResNet("resnet-nano", channels=1, classes=2)
        saved = Pretrained(
            kakera.ResNet("resnet-nano", channels=1, classes=2),
            InputSpec(1, 28, 28, (0.3,), (0.3,)),
            ("a", "b"),
        )
        saved.save(tmp_path / "cnn")
        return data, {"init_from": tmp_path / "cnn"}
    elif name == "one label":
        return data, {"labels": 1}
    elif name == "more labels than files":
        return data, {"labels": 1000}
    elif name == "a size":
        return data, {"image_size": 32}
    elif name == "a device":
        return data, {"device": "tpu"}
    elif name == "pictures as a start":
        return data, {"init_from": folder(tmp_path / "things", count=1)}
    elif name == "no start":
        return data, {"init_from": tmp_path / "nothing"}
    return Dataset("broken", data.pictures, 1, data.split, data.classes, labels), {}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("one class", "100 training labels, all of class Coat"),
        ("one label", "got 1 training label, it is of class"),
        ("no labels", "0 labelled pictures for training"),
        ("recordings", "got pictures, expected recordings, as in --init-from"),
        (
            "a head of another name",
            "head: got 'forest', expected auto, ridge, logistic, prototype or attentive",
        ),
        ("a network without tokens", "got a CNN"),
        ("more labels than files", "a request for 1000"),
        ("a size", "image_size: got 32"),
        ("no start", "no such file or folder"),
        ("a device", "device: got tpu, expected an available device"),
        ("pictures as a start", "got no kakera.json, expected a folder with model.safetensors"),
    ],
)
def test_what_cannot_be_fitted_is_refused_in_one_line(
    start: Path, tmp_path: Path, name: str, expected: str
) -> None:
    data, options = broken(name, start, tmp_path)
    given: dict[str, Any] = {"init_from": start, "out": tmp_path / "run", **QUIET, **options}
    with pytest.raises(KakeraError, match=expected) as caught:
        kakera.fit(data, **given)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_class_without_a_readable_training_file_is_refused(start: Path, tmp_path: Path) -> None:
    data = folder(tmp_path / "things", count=12)
    name = sorted(path for path in data.iterdir() if path.is_dir())[0]
    for path in name.iterdir():
        path.write_bytes(b"no picture" + path.name.encode())
    with pytest.raises(
        DataError, match="training labels, all of class .*check the 12 unreadable files, such as"
    ):
        kakera.fit(data, init_from=start, out=tmp_path / "run", **QUIET)
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_classes_that_the_drawn_labels_lack_are_named_in_the_plan(start: Path, tmp_path: Path) -> None:
    lines = plan_fit(some(), init_from=start, out=tmp_path / "run", labels=3).lines()
    expected = "has no training label: they are never predicted"
    assert [line for line in lines if "each of 7 classes" in line and line.endswith(expected)]
    whole = plan_fit(some(), init_from=start, out=tmp_path / "run").lines()
    assert not any("training label" in line for line in whole)


def test_a_class_with_one_label_and_fewer_labels_than_folds(start: Path, tmp_path: Path) -> None:
    data = some()
    assert data.labels is not None
    rows = np.flatnonzero((data.split == "test") | (np.arange(len(data)) < 1))
    train = [int(np.flatnonzero((data.labels == label) & (data.split == "train"))[0]) for label in range(3)]
    found = kakera.fit(data.take(np.r_[train, rows[1:]]), init_from=start, out=tmp_path / "a", **QUIET)
    assert found.evaluation is not None
    assert json.loads((tmp_path / "a" / "fit.json").read_text())["tried"][0]["log_loss"] is None
    few = data.take(np.r_[np.flatnonzero(data.split == "train")[:12], rows[1:]])
    assert kakera.fit(few, init_from=start, out=tmp_path / "b", **QUIET).evaluation is not None


def test_data_without_a_test_part_are_fitted_and_their_accuracy_is_unknown(
    start: Path, tmp_path: Path
) -> None:
    found = kakera.fit(some().part("train"), init_from=start, out=tmp_path / "run", **QUIET)
    assert found.evaluation is None
    assert "The accuracy is unknown" in (tmp_path / "run" / "report.html").read_text()


def test_unreadable_files_are_listed_and_left_out(start: Path, tmp_path: Path) -> None:
    data = folder(tmp_path / "things", count=30)
    (data / "bag" / "3.png").write_bytes(b"nothing")
    kakera.fit(data, init_from=start, out=tmp_path / "run", **QUIET)
    lines = (tmp_path / "run" / "unreadable.csv").read_text().splitlines()
    assert len(lines) == 2
    assert "3.png" in lines[1]


def test_a_time_limit_takes_fewer_labels_or_is_refused(
    start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fit_tokens, "FEW", 10)
    monkeypatch.setattr(fit_tokens, "seconds_per_file", lambda setup: 1.0)
    data = some(200, 20)
    kakera.fit(data, init_from=start, out=tmp_path / "run", time="95s", **QUIET)
    count = json.loads((tmp_path / "run" / "fit.json").read_text())["tokens_computed"]
    assert 60 <= count <= 90  # 95 seconds, less 5 for everything else
    with pytest.raises(OptionError, match="time: got 10s, expected at least about"):
        kakera.fit(data, init_from=start, out=tmp_path / "other", time="10s", **QUIET)


def test_a_plan_writes_nothing(start: Path, tmp_path: Path, cache: Path) -> None:
    plan = plan_fit(some(), init_from=start, out=tmp_path / "run")
    text = "\n".join(plan.lines())
    assert "140 files, 0 of them in the cache; the others take about" in text
    assert "time: about" in text
    assert not (tmp_path / "run").exists()
    assert not cache.exists()


def test_tokens_that_are_not_finite_leave_the_run_unfinished(tmp_path: Path) -> None:
    network = kakera.ViT("nano", channels=1, image_size=28, seed=0)
    for values in network.parameters():
        values.data.mul_(1e25)  # finite numbers, whose products are not
    Pretrained(network, InputSpec(1, 28, 28, (0.3,), (0.3,))).save(tmp_path / "start")
    with pytest.raises(DataError, match="tokens that are not finite"):
        kakera.fit(some(), init_from=tmp_path / "start", out=tmp_path / "run", **QUIET)
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_a_probe_reads_the_tokens_that_a_fit_has_computed(
    start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = folder(tmp_path / "things", count=30)
    kakera.fit(data, init_from=start, out=tmp_path / "run", **QUIET)

    def refused(*words: Any, **named: Any) -> None:
        raise AssertionError("tokens are computed again")

    monkeypatch.setattr("kakera.formats.features.each_features", refused)
    found = kakera.probe(data, init_from=start, labels=0, probes="ridge", finetune=False)
    assert len(found.results) == 2


@pytest.mark.parametrize(("pooled", "pools"), [(False, {"mean"}), (True, {"mean", "attention"})])
def test_an_encoder_without_class_token_is_fitted_on_the_tokens_that_it_has(
    tmp_path: Path, *, pooled: bool, pools: set[str]
) -> None:
    config = replace(vit_config("nano"), class_tokens=0, attention_pool=pooled)
    network = kakera.ViT(config, channels=1, image_size=28, seed=0)
    saved = Pretrained(network, InputSpec(1, 28, 28, (0.3,), (0.3,)), license="cc-by-nc-4.0")
    saved.save(tmp_path / "start")
    data = some()
    found = kakera.fit(data, init_from=tmp_path / "start", out=tmp_path / "run", **QUIET)
    facts = json.loads((tmp_path / "run" / "fit.json").read_text())
    assert {row["pool"] for row in facts["tried"]} == pools
    assert kakera.load(tmp_path / "run").license == "cc-by-nc-4.0"
    rows = found.saved.predict_proba(data.part("test"))
    assert found.evaluation is not None
    assert found.evaluation.accuracy == pytest.approx(
        (rows.argmax(axis=1) == data.part("test").labels).mean()
    )
    rejected = list(kakera.predict(tmp_path / "run", data.part("test"), reject=0.5))
    assert len(rejected) == len(data.part("test"))
    with pytest.raises(
        OptionError, match="pool: got class for an encoder without class token, expected mean"
    ):
        kakera.fit(data, init_from=tmp_path / "start", out=tmp_path / "other", pool="class", **QUIET)
