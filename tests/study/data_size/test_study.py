import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from kakera.data.dataset import Dataset
from kakera.data.split import few
from kakera.errors import DataError, OptionError
from kakera.study.data_size.answer import Comparison
from kakera.study.data_size.sizes import count_of
from kakera.study.data_size.study import DataSize, plan_data_size, study_data_size
from kakera.study.data_size.work import CNN, MAE, MODELS, VIT, Trainer, best_rate, nearest_cnn, tuned
from kakera.study.setup import cut_validation, study_data
from kakera.study.study_options import DataSizeOptions, study_options
from kakera.training.recipes import read_recipe
from kakera.training.tasks import Classification
from tests.refusals import refused
from tests.small import pictures
from tests.study.studies import DATA_SIZE

EPOCHS = float(read_recipe("pretrain", "demo")["epochs"])


def study(data: Dataset | None = None, **options: object) -> DataSize:
    asked = study_options(DataSizeOptions, {"data": "demo", "recipe": "demo", **options})
    ours = study_data(data or pictures(200, 20), asked)
    pool, text = cut_validation(ours.dataset, asked.validation, asked.seed)
    return DataSize(asked, Trainer(ours, pool, "resnet-nano", asked), text)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("studies") / "size"
    study_data_size(pictures(60, 20), out=out, **DATA_SIZE)
    return out


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_network_is_measured_at_every_size_with_every_seed(done: Path) -> None:
    found = rows(done / "results.csv")
    tests = [(r["network"], r["labels"], r["seed"]) for r in found if r["measure"] == "test"]
    assert sorted(tests) == sorted((m, n, s) for m in MODELS for n in ("20", "54") for s in ("0", "1"))
    measures = {r["measure"] for r in found}
    assert measures >= {"validation", "test", "train", "test moved by 1", "features moved by 1"}
    assert all(0 <= float(r["value"]) <= 2 for r in found)


def test_every_network_tries_as_many_rates_and_keeps_the_best_on_the_validation_part(done: Path) -> None:
    found = rows(done / "results.csv")
    for model in MODELS:
        for labels in ("20", "54"):
            own = [r for r in found if (r["network"], r["labels"]) == (model, labels)]
            tried = {r["rate"]: float(r["value"]) for r in own if r["measure"] == "validation"}
            assert set(tried) == {"1", "2"}
            (kept,) = {r["rate"] for r in own if r["measure"] == "test"}
            assert tried[kept] == max(tried.values())


def test_the_report_says_what_can_be_trusted(done: Path) -> None:
    page = (done / "report.html").read_text()
    for text in (
        "Recommendation: For these pictures, with 54 labels: take the",
        "Warning: trainings that were too short",
        "6 of 60 labelled training pictures",
        "Estimated time: ",
        "by one cell",
    ):
        assert text in page, text
    assert page.count("data:image/svg+xml;base64,") == 1


def test_longer_pretrainings_are_measured_beside_the_others_and_change_no_answer(tmp_path: Path) -> None:
    options = {**DATA_SIZE, "sizes": ("20",), "rates": (1.0,), "longer": (2.0, 3.0)}
    studied = study_data_size(pictures(60, 20), out=tmp_path, **options)
    found = [row for row in rows(tmp_path / "results.csv") if row["measure"] == "test"]
    for epochs in ("2", "3"):
        more = [row for row in found if row["network"] == f"mae after {epochs} epochs"]
        assert [(row["labels"], row["seed"], row["rate"]) for row in more] == [
            ("20", "0", "1"),
            ("20", "1", "1"),
        ]
        config = json.loads((tmp_path / "units" / f"pretrain-e{epochs}-s0" / "config.json").read_text())
        assert config["epochs"] == float(epochs)
        start = json.loads((tmp_path / "units" / f"longer-20-e{epochs}-s1" / "config.json").read_text())[
            "init_from"
        ]
        assert Path(start).name == f"pretrain-e{epochs}-s0"
    page = (tmp_path / "report.html").read_text()
    assert "Effect of longer pretraining" in page
    assert "3, − the CNN" in page
    assert set(studied.answer.scores) == set(MODELS)


def test_a_longer_pretraining_that_is_no_longer_is_not_run_twice() -> None:
    ours = study(sizes=("20",), longer=(EPOCHS, 2 * EPOCHS))
    assert ours.epochs == EPOCHS
    assert {u.values["epochs"] for u in ours.units() if "epochs" in u.values} == {2 * EPOCHS}


def test_a_budget_leaves_longer_pretrainings_out_first() -> None:
    less = study(longer=(200.0,)).smaller()
    assert less is not None
    assert less[0].options.longer == ()
    assert less[1] == "longer pretraining"


def test_rates_are_never_chosen_by_test_pictures() -> None:
    ours = study()
    assert set(ours.trainer.pool.split) == {"train", "val"}
    test = {ours.trainer.material.test.pictures.name(i) for i in range(20)}
    pool = ours.trainer.pool
    assert test.isdisjoint(pool.pictures.name(i) for i in range(len(pool)))


def test_the_data_s_own_val_part_is_used_where_there_is_one() -> None:
    data = pictures(60, 20)
    split = data.split.copy()
    split[:15] = "val"
    ours = study(replace(data, split=split))
    assert (ours.trainer.pool.split == "val").sum() == 15
    assert "of the val part" in ours.validation


def test_subsets_are_nested_and_balanced() -> None:
    train = study().trainer.pool.part("train")
    assert train.labels is not None
    small, large = (set(few(train.labels, count, 1)) for count in (20, 100))
    assert small < large
    assert set(np.bincount(train.labels[sorted(small)])) == {2}


@pytest.mark.parametrize(
    ("size", "count"), [("100", 100), ("5%", 10), ("100%", 200), ("all", 200), ("1%", 0), ("1000", 200)]
)
def test_sizes_are_read(size: str, count: int) -> None:
    assert count_of(size, most=200, classes=10) == count


@pytest.mark.parametrize("size", ["few", "9", "0%", "101%", "-5", "%", "1.5"])
def test_sizes_that_mean_nothing_are_refused(size: str) -> None:
    with refused("sizes", got=repr(size), expected="at least 10 labels"):
        count_of(size, most=200, classes=10)


def test_shares_too_small_for_one_a_class_are_left_out_and_named() -> None:
    ours = study(sizes=("1%", "50%", "90"))
    assert ours.counts() == [90]  # half of the 180 that are left, and 90 again
    assert "1% of 180 labels is less than one per class: skipped" in ours.notes()


def test_a_limit_of_steps_is_kept_and_named() -> None:
    ours = study(sizes=("all",), max_steps=7, scratch_epochs=100.0)
    assert ours.trainer.steps(CNN, 180) == (7, 2)
    assert "cnn with 180 labels: 7 of 300 steps" in ours.notes()


def test_the_best_rate_is_the_one_nearest_to_the_recipe_s_among_equals() -> None:
    assert best_rate({0.3: [0.5, 0.7], 1.0: [0.6, 0.65], 3.0: [0.1, 0.9]}) == 1.0
    assert best_rate({0.3: [0.5], 1.0: [0.5], 3.0: [0.5]}) == 1.0


def test_a_rate_at_which_training_diverges_counts_as_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Classification, "loss", lambda *_: torch.tensor(torch.nan, requires_grad=True))
    trainer = study(scratch_epochs=1.0, scratch_min_steps=40).trainer
    values = {"model": VIT, "labels": 20, "seed": 0, "rate": 1.0}
    assert tuned(trainer, tmp_path / "run", values, None)["validation"] == 0.0


def test_a_seed_that_was_tuned_is_not_trained_again() -> None:
    ours = study(sizes=("20",), seeds=2)
    finals = [unit for unit in ours.units() if unit.kind == "final"]
    assert [unit.values["trains"] for unit in finals] == [False, True] * 3
    single = study(sizes=("20",), seeds=2, rates=(1.0,))
    assert all(unit.values["trains"] for unit in single.units() if unit.kind == "final")
    assert not [unit for unit in single.units() if unit.kind == "tune"]


def test_seeds_share_pretrainings() -> None:
    ours = study(sizes=("20",), seeds=3, pretrainings=2)
    starts = {u.values["seed"]: u.needs[-1] for u in ours.units() if u.name.startswith("final-mae")}
    assert starts == {0: "pretrain-s0", 1: "pretrain-s1", 2: "pretrain-s0"}


def test_every_unit_comes_after_what_it_needs() -> None:
    known: set[str] = set()
    for unit in study(sizes=("20", "all"), seeds=2).units():
        assert known.issuperset(unit.needs)
        known.add(unit.name)


def test_a_smaller_plan_loses_seeds_then_large_sizes_then_epochs() -> None:
    ours, said = study(sizes=("20", "50", "all")), list[str]()
    while (less := ours.smaller()) is not None:
        ours, text = less
        said.append(text)
    assert said[:2] == ["seed 2", "180 labels"]
    assert len(said) == 5
    assert (ours.options.seeds, ours.counts(), ours.epochs) == (2, [20, 50], EPOCHS / 8)


def test_a_budget_is_kept() -> None:
    whole = plan_data_size(pictures(60, 20), **{**DATA_SIZE, "seeds": 30})
    some = plan_data_size(pictures(60, 20), **{**DATA_SIZE, "seeds": 30}, budget=f"{whole.seconds / 3:.2f}s")
    assert some.seconds <= whole.seconds / 3 + 0.01
    assert len(some.dropped) == 30 - some.chosen["seeds"] > 0


def test_the_cnn_is_the_nearest_in_parameters() -> None:
    asked = study_options(DataSizeOptions, {"data": "demo", "recipe": "micro"})
    assert nearest_cnn(study_data(pictures(60, 20), asked)) == "resnet-micro"


def test_large_pictures_get_a_cnn_with_the_stem_for_them() -> None:
    asked = study_options(DataSizeOptions, {"data": "demo", "recipe": "micro", "image_size": 96})
    assert nearest_cnn(study_data(pictures(60, 20), asked)) == "resnet-micro-7x7"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rates": (0.0,)}, "rates: got 0.0"),
        ({"validation": 1.5}, "validation: got 1.5"),
        ({"cnn": "vgg"}, "ResNet: got vgg"),
        ({"sizes": ("1%",)}, "sizes: got 1% of 54 labels"),
        ({"shifts": (0,)}, "shifts: got 0"),
    ],
)
def test_what_no_study_can_use_is_refused(options: dict[str, object], said: str, tmp_path: Path) -> None:
    with pytest.raises(OptionError) as caught:
        study_data_size(pictures(60, 20), out=tmp_path / "s", recipe="demo", **options)
    assert said in str(caught.value)
    assert not (tmp_path / "s").exists()


def test_one_class_is_refused(tmp_path: Path) -> None:
    data = pictures(60, 20)
    assert data.labels is not None
    one = replace(data, labels=np.zeros_like(data.labels), classes=("thing",))
    with pytest.raises(DataError, match="got 1 class and"):
        study_data_size(one, out=tmp_path / "s", **DATA_SIZE)


def curve(few_: float, many: float, wobble: float = 0.01) -> dict[int, list[float]]:
    return {n: [mean - wobble, mean, mean + wobble] for n, mean in ((100, few_), (10_000, many))}


def test_a_crossing_outside_the_noise_is_told_with_its_place() -> None:
    found = Comparison({CNN: curve(0.7, 0.8), VIT: curve(0.5, 0.9), MAE: curve(0.6, 0.6)})
    ends, crossed, advice = found.sentences()
    assert ends.startswith(
        "With 100 labels the CNN has the highest mean (70.0 ± 2.5 %), significantly higher"
    )
    assert "the ViT from scratch overtakes the CNN between 100 and 10000 labels, near 2154" in crossed
    assert advice.startswith("For these pictures, with 10000 labels: take the ViT from scratch. Certain")


def test_what_lies_inside_the_noise_is_not_claimed() -> None:
    noisy = {n: [0.5, 0.7, 0.6] for n in (100, 10_000)}
    other = {n: [0.7, 0.5, 0.61] for n in (100, 10_000)}
    found = Comparison({CNN: noisy, VIT: other, MAE: curve(0.0, 0.0)})
    ends, crossed, advice = found.sentences()
    assert "but the difference to the CNN is not significant" in ends
    assert crossed == "No two curves cross significantly."
    assert "Uncertain" in advice
    assert "no significant difference at any size" in found.crossing(VIT, CNN)


def test_one_seed_claims_nothing() -> None:
    found = Comparison({m: {100: [0.1 * i], 10_000: [0.2 * i]} for i, m in enumerate(MODELS)})
    ends, crossed, advice = found.sentences()
    assert "one seed cannot show" in ends
    assert crossed == "No two curves cross significantly."
    assert "Very uncertain" in advice
