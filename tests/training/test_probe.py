import json
from pathlib import Path
from typing import get_args, get_type_hints

import numpy as np
import pytest

import kakera.training.probe as probing
from kakera.data.dataset import Dataset
from kakera.errors import DataError, OptionError, RunError, StoppedError
from kakera.formats.native import load_model
from kakera.training.evaluate import evaluate
from kakera.training.infer import features
from kakera.training.options import ProbeOptions
from kakera.training.pretrain import pretrain
from kakera.training.probe import ProbeReport, ProbeResult, probe, spread
from kakera.training.probes import PROBES
from kakera.training.ridge import ridge
from tests.small import QUICK, pictures


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pretrain(pictures(), out=tmp_path_factory.mktemp("runs") / "mae", **QUICK).folder


def test_a_probe_on_all_labels_is_the_ridge_probe_on_the_tokens(pretrained: Path) -> None:
    data = pictures()
    report = probe(data, start=pretrained, probes=("ridge",), pools=("mean",), labels=(0,), finetune=False)
    train, test = data.part("train"), data.part("test")
    seen = [features(load_model(pretrained), part, [-1], ["mean"])[0][-1, "mean"] for part in (train, test)]
    assert train.labels is not None
    assert test.labels is not None
    scores = ridge(seen[0], train.labels, seen[1], classes=10, seed=0)
    expected = evaluate(scores, test.labels, data.classes).accuracy
    assert expected is not None
    assert report.results == (ProbeResult("ridge", -1, "mean", 40, 0, expected),)


def test_probes_layers_pools_counts_and_seeds_in_one_call(pretrained: Path, tmp_path: Path) -> None:
    report = probe(
        pictures(),
        start=pretrained,
        probes=("ridge", "nearest"),
        layers=(0, -1),
        labels=(20, 0),
        seeds=2,
        finetune=False,
        out=str(tmp_path / "probe"),
    )
    # 2 probes · 2 layers · 2 pools · (2 seeds of 20 labels + all labels once)
    assert len(report.results) == 24
    assert len(json.loads((tmp_path / "probe" / "probe.json").read_text())) == 24
    header, *rows = report.table()
    assert header == ("probe", "tokens", "20 labels", "40 labels")
    assert [row[:2] for row in rows[:2]] == [("ridge", "class, layer 0"), ("nearest", "class, layer 0")]
    assert "±" in rows[0][2]
    assert "±" not in rows[0][3]


def test_fine_tuning_stands_beside_the_probes(pretrained: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "quick.toml"
    recipe.write_text("epochs = 1.0\nbatch = 16\n")
    report = probe(
        pictures(), start=pretrained, probes=("ridge",), labels=(20,), seeds=1, finetune_recipe=str(recipe)
    )
    assert [result.probe for result in report.results] == ["ridge", "ridge", "fine-tuned"]
    assert report.table()[-1][:2] == ("fine-tuned", "all")


def test_the_spread_is_mean_and_sample_deviation() -> None:
    assert spread([0.7, 0.72, 0.77]) == "73.0 ± 3.6"
    assert spread([0.5]) == "50.0"
    assert spread([]) == "–"


def test_an_empty_report_has_a_header() -> None:
    assert ProbeReport(()).table() == [("probe", "tokens")]


def test_every_probe_can_be_chosen() -> None:
    (choice, *_) = get_args(get_type_hints(ProbeOptions)["probes"])
    assert get_args(choice) == tuple(PROBES)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("probes", "ridge, logistic, nearest, linear"), ("pools", "mean, class, class and mean")],
)
def test_an_unknown_name_is_refused(pretrained: Path, name: str, expected: str) -> None:
    with pytest.raises(OptionError, match=rf"{name}: got \('forest',\), expected some of {expected}"):
        probe(pictures(), start=pretrained, **{name: ("forest",)})


def test_no_test_pictures_are_refused(pretrained: Path) -> None:
    with pytest.raises(DataError, match="got no labelled test pictures"):
        probe(pictures(40, 0), start=pretrained, finetune=False)


def test_few_files_to_measure_on_are_warned_of(pretrained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    probe(pictures(40, 20), start=pretrained, probes=("ridge",), labels=(0,), finetune=False)
    assert "warning: accuracy rests on 20 test pictures in all" in capsys.readouterr().err


def test_no_labels_are_refused(pretrained: Path) -> None:
    data = pictures()
    bare = Dataset(data.name, data.pictures, 1, data.split, data.classes, np.full(len(data), -1))
    with pytest.raises(DataError, match="0 labelled pictures"):
        probe(bare, start=pretrained)


def test_a_run_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError):
        probe(pictures(), start=tmp_path / "nowhere")


def test_stopped_without_out_it_does_not_promise_to_go_on(
    pretrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> list[object]:
        raise StoppedError("stopped after step 3 of 9, which is saved; the same command goes on")

    monkeypatch.setattr(probing, "_finetuned", stop)
    with pytest.raises(StoppedError, match="nothing is kept without --out"):
        probe(pictures(), start=pretrained, labels=(10,), seeds=1, probes=("ridge",))
    with pytest.raises(StoppedError, match="the same command goes on"):
        probe(pictures(), start=pretrained, labels=(10,), seeds=1, probes=("ridge",), out=str(tmp_path))
