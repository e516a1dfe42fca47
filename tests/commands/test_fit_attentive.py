"""`kakera fit --head attentive`: the run, its copies, the cache of patch tokens, and what is refused."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kakera
from kakera.commands.explain import explain_files
from kakera.commands.fit import plan_fit
from kakera.commands.fitting import patch_tokens
from kakera.data.dataset import Dataset
from kakera.errors import KakeraError, OptionError
from kakera.formats.bundle import Pretrained
from kakera.formats.native import load_model
from kakera.inputs import InputSpec
from kakera.model.configs import vit_config
from kakera.training.heads import attentive
from tests.commands.test_fit import recordings_encoder
from tests.small import QUICK, pictures
from tests.training.songs import songs

QUIET: dict[str, Any] = {"announce": False, "baselines": False, "head": "attentive"}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAKERA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(attentive, "STEPS", (0, 30))
    monkeypatch.setattr(attentive, "CLEARLY", -100.0)  # take the steps, also if they are not clearly better


def encoder(out: Path, **changes: Any) -> Path:
    network = kakera.ViT(replace(vit_config("nano"), **changes), channels=1, image_size=28, seed=0)
    Pretrained(network, InputSpec(1, 28, 28, (0.3,), (0.3,))).save(out)
    return out


@pytest.fixture
def start(tmp_path: Path) -> Path:
    return encoder(tmp_path / "start")


def some(train: int = 100, test: int = 40) -> Dataset:
    return pictures(train, test)


def test_the_run_predicts_what_its_evaluation_says_also_as_a_graph(start: Path, tmp_path: Path) -> None:
    run, test = tmp_path / "run", some().part("test")
    found = kakera.fit(some(), init_from=start, out=run, **QUIET)
    facts = json.loads((run / "fit.json").read_text())
    assert (facts["head"], facts["pool"], facts["tried"][0]["steps"]) == (
        "attentive",
        "class and attention",
        30,
    )
    rows = load_model(run).predict_proba(test)
    assert test.labels is not None
    assert found.evaluation is not None
    likely = rows[np.arange(len(rows)), test.labels]
    assert found.evaluation.log_loss == pytest.approx(-np.log(likely).mean(), rel=1e-4)
    kakera.convert(run, tmp_path / "onnx", to="onnx")
    for one, known in zip(kakera.predict(tmp_path / "onnx", test), kakera.predict(run, test), strict=True):
        assert one.probabilities == pytest.approx(known.probabilities, abs=1e-4)
    for model in (run, tmp_path / "onnx"):
        assert all(one.typical is not None for one in kakera.predict(model, test, reject=0.1))
    for library in ("transformers", "timm"):
        with pytest.raises(KakeraError, match="attention pooling") as caught:
            kakera.convert(run, tmp_path / library, to=library)
        assert "\n" not in str(caught.value)
    assert "pools the patch tokens by attention" in (run / "report.html").read_text()


def test_a_second_fit_reads_the_patch_tokens_from_the_cache(
    start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kakera.fit(some(), init_from=start, out=tmp_path / "a", **QUIET)
    weights = (tmp_path / "a" / "model.safetensors").read_bytes()

    def refused(*words: Any, **named: Any) -> None:
        raise AssertionError("tokens are computed again")

    monkeypatch.setattr("kakera.formats.features.each_features", refused)
    kakera.fit(some(), init_from=start, out=tmp_path / "b", **QUIET)
    assert (tmp_path / "b" / "model.safetensors").read_bytes() == weights
    assert json.loads((tmp_path / "b" / "fit.json").read_text())["tokens_computed"] == 0


def test_a_fit_that_stops_in_its_training_leaves_no_model_and_ends_with_the_same_weights(
    start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, whole = tmp_path / "run", tmp_path / "whole"
    kakera.fit(some(), init_from=start, out=whole, **QUIET)

    def stopped(*words: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("torch.optim.Adam.step", stopped)
        with pytest.raises(KeyboardInterrupt):
            kakera.fit(some(), init_from=start, out=run, **QUIET)
    assert not {"model.safetensors", "kakera.json", "fit.json"} & {path.name for path in run.iterdir()}
    kakera.fit(some(), init_from=start, out=run, **QUIET)
    assert (run / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_an_encoder_with_an_attention_pooling_starts_from_its_own_and_timm_gets_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attentive, "STEPS", (0,))
    start = encoder(tmp_path / "start", class_tokens=0, attention_pool=True)
    found = kakera.fit(some(), init_from=start, out=tmp_path / "run", **QUIET)
    before, after = load_model(start).encoder, found.saved.encoder
    assert before.attention_pool is not None
    assert after.attention_pool is not None
    kakera.convert(tmp_path / "run", tmp_path / "timm", to="timm")
    test = some().part("test")
    for one, known in zip(
        kakera.predict(tmp_path / "timm", test), kakera.predict(tmp_path / "run", test), strict=True
    ):
        assert one.probabilities == pytest.approx(known.probabilities, abs=1e-4)
    for name, values in before.attention_pool.state_dict().items():
        assert np.allclose(values, after.attention_pool.state_dict()[name], atol=1e-5), name


def test_fine_tuning_explanations_and_embeddings_take_the_run(start: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    kakera.fit(some(), init_from=start, out=run, **QUIET)
    found = kakera.finetune(
        some(), init_from=run, out=tmp_path / "tuned", pool="class and attention", announce=False, **QUICK
    )
    assert found.saved.model.pool == "class and attention"
    explained = explain_files(
        run, np.stack([some().pictures.read(row) for row in range(2)]), out=tmp_path / "page"
    )
    assert "index.html" in explained.written
    again = kakera.fit(some(), init_from=run, out=tmp_path / "again", **QUIET)
    assert again.evaluation is not None


def test_files_with_several_labels_and_numbers(start: Path, tmp_path: Path) -> None:
    one = some()
    assert one.labels is not None
    marks = np.stack([one.labels < 5, one.labels % 2 == 0], axis=1)
    brightness = np.array([one.pictures.read(row).mean() for row in range(len(one))])
    tagged = Dataset("tagged", one.pictures, 1, one.split, ("low", "even"), marks)
    bright = Dataset("bright", one.pictures, 1, one.split, labels=brightness)
    found = kakera.fit(tagged, init_from=start, out=tmp_path / "tagged", **QUIET)
    rows = found.saved.predict_proba(tagged.part("test"))
    assert found.evaluation is not None
    assert found.evaluation.mean_average_precision is not None
    assert found.evaluation.mean_average_precision > marks[one.split == "test"].mean()
    assert ((rows > 0) & (rows < 1)).all()
    found = kakera.fit(bright, init_from=start, out=tmp_path / "bright", **QUIET)
    assert found.evaluation is not None
    assert found.evaluation.per_target is not None
    values = found.saved.predict_values(bright.part("test"))[:, 0]
    error = np.abs(values - brightness[one.split == "test"]).mean()
    assert found.evaluation.per_target[0].mean_absolute_error == pytest.approx(error, rel=1e-3)
    assert found.evaluation.per_target[0].r2 is not None
    assert found.evaluation.per_target[0].r2 > 0.8


def test_few_labels_and_no_test_part(start: Path, tmp_path: Path) -> None:
    assert kakera.fit(some().part("train"), init_from=start, out=tmp_path / "run", **QUIET).evaluation is None
    for labels in (2, 3, 12):
        found = kakera.fit(some(), init_from=start, out=tmp_path / str(labels), labels=labels, **QUIET)
        assert found.evaluation is not None


def test_a_plan_says_what_the_patch_tokens_take(start: Path, tmp_path: Path) -> None:
    lines = plan_fit(some(), init_from=start, out=tmp_path / "run", head="attentive").lines()
    expected = 140 * 49 * 64 * 4 / 2**20
    assert any(f"patch tokens, which take {expected:.0f} MiB" in line for line in lines)


def test_what_an_attentive_head_cannot_read_is_refused_in_one_line(
    start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    songs(tmp_path / "songs")
    sound = recordings_encoder(tmp_path / "sound")
    cases: list[tuple[Any, dict[str, Any], str]] = [
        (tmp_path / "songs", {"init_from": sound}, "head: got attentive for recordings"),
        (some(), {"pool": "class"}, "pool: got class with an attentive head"),
    ]
    for data, options, expected in cases:
        given: dict[str, Any] = {"init_from": start, "out": tmp_path / "run"} | QUIET | options
        with pytest.raises(OptionError, match=expected) as caught:
            kakera.fit(data, **given)
        assert "\n" not in str(caught.value)
    monkeypatch.setattr(patch_tokens, "free_memory", lambda: 1 << 20)
    with pytest.raises(OptionError, match="need 4 MiB of memory, expected at most the free 1 MiB"):
        kakera.fit(some(), init_from=start, out=tmp_path / "run", **QUIET)
    monkeypatch.setattr(patch_tokens, "MOST", 1 << 20)
    with pytest.raises(OptionError, match="got 2 MiB of patch tokens of 140 files, expected at most 1 MiB"):
        plan_fit(some(), init_from=start, out=tmp_path / "run", head="attentive")
    assert not (tmp_path / "run").exists()
