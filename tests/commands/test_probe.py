import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import pytest

import kakera.commands.probe as probing
from kakera.commands.pretrain import pretrain
from kakera.commands.probe import plan_probe, probe
from kakera.data.dataset import Dataset
from kakera.data.sources.open import open_dataset
from kakera.errors import DataError, OptionError, RunError, StoppedError
from kakera.formats.features import features
from kakera.formats.native import load_model
from kakera.training.metrics import evaluate
from kakera.training.options import ProbeOptions
from kakera.training.probes.probes import PROBES
from kakera.training.probes.results import FINETUNED, ProbeResult
from kakera.training.probes.ridge import ridge
from tests.reports.test_html import Tags
from tests.small import QUICK, folder, pictures

FAST: dict[str, Any] = {"probes": ("ridge",), "pools": ("mean",)}


@pytest.fixture
def pretrained(mae: Path) -> Path:
    return mae


def test_a_probe_on_all_labels_is_the_ridge_probe_on_the_tokens(pretrained: Path) -> None:
    data = pictures()
    report = probe(
        data, init_from=pretrained, probes=("ridge",), pools=("mean",), labels=(0,), finetune=False
    )
    train, test = data.part("train"), data.part("test")
    seen = [features(load_model(pretrained), part, [-1], ["mean"])[0][-1, "mean"] for part in (train, test)]
    assert train.labels is not None
    assert test.labels is not None
    scores = ridge(seen[0], train.labels, seen[1], classes=10, seed=0)
    expected = evaluate(scores, test.labels, data.classes).balanced_accuracy
    assert expected is not None
    assert report.results == (ProbeResult("ridge", -1, "mean", 40, 0, expected, "balanced accuracy"),)


def test_probes_layers_pools_counts_and_seeds_in_one_call(pretrained: Path, tmp_path: Path) -> None:
    report = probe(
        pictures(),
        init_from=pretrained,
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
    recipe.write_text("epochs = 1.0\nbatch_size = 16\n")
    report = probe(
        pictures(),
        init_from=pretrained,
        probes=("ridge",),
        labels=(20,),
        seeds=1,
        finetune_recipe=str(recipe),
    )
    assert [result.probe for result in report.results] == ["ridge", "ridge", FINETUNED]
    assert report.table()[-1][:2] == ("fine-tuned", "all")


def test_every_probe_can_be_chosen() -> None:
    (choice, *_) = get_args(get_type_hints(ProbeOptions)["probes"])
    assert get_args(choice) == tuple(PROBES)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("probes", "ridge, logistic, nearest, linear"), ("pools", "mean, class, class and mean")],
)
def test_an_unknown_name_is_refused(pretrained: Path, name: str, expected: str) -> None:
    with pytest.raises(OptionError, match=rf"{name}: got \('forest',\), expected some of {expected}"):
        probe(pictures(), init_from=pretrained, **{name: ("forest",)})


def test_no_test_pictures_are_refused(pretrained: Path) -> None:
    with pytest.raises(DataError, match="got no labelled test files"):
        probe(pictures(40, 0), init_from=pretrained, finetune=False)


def test_few_files_to_measure_on_are_warned_of(pretrained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    some = {"probes": ("ridge",), "labels": (0,), "finetune": False}
    probe(pictures(40, 20), init_from=pretrained, announce=True, **some)
    assert "warning: accuracy is measured on only 20 test pictures in total" in capsys.readouterr().err


def test_no_labels_are_refused(pretrained: Path) -> None:
    data = pictures()
    bare = Dataset(data.name, data.pictures, 1, data.split, data.classes, np.full(len(data), -1))
    with pytest.raises(DataError, match="0 labelled pictures"):
        probe(bare, init_from=pretrained)


def test_a_run_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError):
        probe(pictures(), init_from=tmp_path / "nowhere")


def test_stopped_without_out_it_does_not_promise_to_go_on(
    pretrained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> list[object]:
        raise StoppedError("stopped after step 3 of 9 (saved); run the same command to resume")

    monkeypatch.setattr(probing, "_finetuned", stop)
    with pytest.raises(StoppedError, match="nothing is saved without --out"):
        probe(pictures(), init_from=pretrained, labels=(10,), seeds=1, probes=("ridge",))
    with pytest.raises(StoppedError, match="run the same command to resume"):
        probe(pictures(), init_from=pretrained, labels=(10,), seeds=1, probes=("ridge",), out=str(tmp_path))


@pytest.fixture
def short(tmp_path: Path) -> Path:
    """Write a recipe of 120 steps for any number of labels."""
    path = tmp_path / "short.toml"
    path.write_text("epochs = 1.0\nmin_steps = 120\nbatch_size = 8\n")
    return path


def test_without_being_asked_the_library_prints_no_plan(
    pretrained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    probe(pictures(), init_from=pretrained, labels=(20,), seeds=1, finetune=False, **FAST)
    assert "plan:" not in capsys.readouterr().err


def test_the_plan_is_printed_before_anything_is_decoded(
    pretrained: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def held(*_: object, **__: object) -> None:
        raise DataError("decoding begins")

    monkeypatch.setattr("kakera.training.prepared.Prepared.preloaded", held)
    with pytest.raises(DataError, match="decoding begins"):
        probe(pictures(), init_from=pretrained, labels=(20, 0), seeds=2, announce=True, **FAST)
    plan = capsys.readouterr().err
    # 2 draws of 20 and 1 of 40 labels; tokens of at most 40 + 20 files
    assert "1 probe x 1 pool x 1 layer x 3 draws (2 of 20 labels, 1 of 40 labels) = 3" in plan
    assert "limit 30 min" in plan
    assert plan.count("steps of") == 2


def test_a_plan_writes_nothing_and_knows_all_steps(pretrained: Path, tmp_path: Path, short: Path) -> None:
    out = tmp_path / "probe"
    plan = plan_probe(
        pictures(),
        init_from=pretrained,
        labels=(20, 0),
        seeds=2,
        out=str(out),
        finetune_recipe=str(short),
        **FAST,
    )
    assert [(tuning.labels, tuning.steps) for tuning in plan.tunings] == [(20, 120), (20, 120), (40, 120)]
    assert plan.measured
    assert not out.exists()
    assert f"writes: {out}: probe.json, report.html, 3 folders" in "\n".join(plan.lines())


def test_more_labels_than_a_plan_looks_at_can_be_planned(pretrained: Path) -> None:
    plan = plan_probe(pictures(300, 20), init_from=pretrained, labels=(290,), seeds=1, **FAST)
    assert [tuning.labels for tuning in plan.tunings] == [290]


def test_the_default_limit_is_half_an_hour_and_a_recipe_has_none(pretrained: Path, short: Path) -> None:
    assert plan_probe(pictures(), init_from=pretrained, labels=(20,), finetune=False, **FAST).limit == 1800
    named = {"finetune_recipe": str(short)}
    assert plan_probe(pictures(), init_from=pretrained, labels=(20,), **named, **FAST).limit == 0
    assert plan_probe(pictures(), init_from=pretrained, labels=(20,), time="2m", **named, **FAST).limit == 120


def test_where_there_is_no_time_fine_tuning_is_left_out_and_the_plan_says_how_to_get_it(
    pretrained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = probe(pictures(), init_from=pretrained, labels=(20,), seeds=1, time="1s", announce=True, **FAST)
    assert FINETUNED not in {result.probe for result in report.results}
    lines = [line for line in capsys.readouterr().err.splitlines() if "fine-tuning is left out" in line]
    assert lines
    assert all(re.search(r"--time \d+m for these steps", line) for line in lines)


def test_fine_tunings_are_as_long_as_the_plan_cut_them(
    pretrained: Path, tmp_path: Path, short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = probing.timed
    monkeypatch.setattr(probing, "timed", lambda plan, held: real(plan, held).cut(0.25, "cut"))
    given = {"labels": (20, 0), "seeds": 2, "finetune_recipe": str(short), "time": "10m", **FAST}
    probe(pictures(), init_from=pretrained, out=str(tmp_path / "a"), **given)
    steps = [
        json.loads((path / "metrics.jsonl").read_text().splitlines()[-1])["step"]
        for path in sorted((tmp_path / "a").glob("finetuned-*"))
    ]
    assert steps == [30, 30, 30]
    # The same command again goes on with them, whatever the plan would make of it by now.
    monkeypatch.setattr(probing, "timed", real)
    (tmp_path / "a" / "finetuned-40-0" / "model.safetensors").unlink()
    report = probe(pictures(), init_from=pretrained, out=str(tmp_path / "a"), **given)
    assert len(report.results) == 6


def test_a_fine_tuning_that_was_cut_lends_its_length_to_those_that_have_not_begun(
    pretrained: Path, tmp_path: Path, short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = probing.timed
    monkeypatch.setattr(probing, "timed", lambda plan, held: real(plan, held).cut(0.25, "cut"))
    given = {
        "labels": (20,),
        "finetune_recipe": str(short),
        "time": "10m",
        "out": str(tmp_path / "a"),
        **FAST,
    }
    probe(pictures(), init_from=pretrained, seeds=1, **given)
    monkeypatch.setattr(probing, "timed", real)
    plan = plan_probe(pictures(), init_from=pretrained, seeds=3, **given)
    assert [(tuning.started, tuning.done, tuning.steps) for tuning in plan.tunings] == [
        (True, True, 30),
        (False, False, 30),
        (False, False, 30),
    ]


def test_large_pictures_are_decoded_once_and_kept_small(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = folder(tmp_path / "large", side=200)
    start = pretrain(large, out=tmp_path / "mae", **{**QUICK, "image_size": 32}).folder
    sizes: list[tuple[int, int]] = []
    real = probing._probed

    def look(plan: Any, saved: Any, train: Dataset, test: Dataset, workers: int) -> Any:
        sizes.extend(train.pictures.read(index).shape[:2] for index in range(len(train)))
        return real(plan, saved, train, test, workers)

    monkeypatch.setattr(probing, "_probed", look)
    probe(large, init_from=start, labels=(0,), finetune=False, **FAST)
    assert set(sizes) == {(32, 32)}  # crops of the whole picture: no larger than the network sees


def test_the_tokens_of_large_pictures_are_those_of_the_whole_files(tmp_path: Path) -> None:
    large = folder(tmp_path / "large", side=200)
    start = pretrain(large, out=tmp_path / "mae", **{**QUICK, "image_size": 32}).folder
    report = probe(large, init_from=start, labels=(0,), finetune=False, **FAST)
    data, saved = open_dataset(str(large), seed=0), load_model(start)
    (train, test), tokens = (data.part("train"), data.part("test")), list[Any]()
    for part in (train, test):
        tokens.append(features(saved, part, [-1], ["mean"])[0][-1, "mean"])
    assert train.labels is not None
    assert test.labels is not None
    scores = ridge(tokens[0], train.labels, tokens[1], classes=2, seed=0)
    assert report.results[0].score == evaluate(scores, test.labels, data.classes).accuracy


def test_files_that_cannot_be_read_are_left_out_of_all_counts(pretrained: Path, tmp_path: Path) -> None:
    things = folder(tmp_path / "things")
    trained = pretrain(things, out=tmp_path / "mae", **QUICK).folder
    readable = len(open_dataset(str(things)).part("train"))
    train = open_dataset(str(things)).part("train")
    Path(train.pictures.name(0)).write_bytes(b"no picture")
    report = probe(things, init_from=trained, labels=(0,), finetune=False, **FAST)
    assert {result.labels for result in report.results} == {readable - 1}


def test_the_page_says_first_whether_the_best_probe_is_above_the_baselines(
    pretrained: Path, tmp_path: Path
) -> None:
    report = probe(
        pictures(60, 40),
        init_from=pretrained,
        labels=(20, 0),
        seeds=1,
        finetune=False,
        out=str(tmp_path),
        **FAST,
    )
    page = (tmp_path / "report.html").read_text()
    assert not set(Tags(page).open)
    first = page.index("the best baseline (")
    assert first < page.index("<h2>")
    assert report.measure == "balanced accuracy"
    assert f"balanced accuracy {100 * report.best_probe().score:.1f} %" in page[: page.index("<h2>")]
    assert "16 x 16 pixels, ridge" in page


def test_without_a_folder_no_baseline_is_measured(pretrained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr("kakera.commands.pages.probe.measure_baselines", refuse)
    probe(pictures(), init_from=pretrained, labels=(20,), seeds=1, finetune=False, **FAST)


def test_several_labels_are_measured_by_average_precision(pretrained: Path, tmp_path: Path) -> None:
    data = pictures(60, 40)
    hot = np.eye(10, dtype=bool)[data.labels]
    hot[:, 0] |= np.arange(100) % 2 == 0
    multi_label = replace(data, labels=hot)
    report = probe(multi_label, init_from=pretrained, labels=(0,), finetune=False, out=str(tmp_path), **FAST)
    assert report.measure == "mean average precision"
    assert "mean average precision" in (tmp_path / "report.html").read_text()
