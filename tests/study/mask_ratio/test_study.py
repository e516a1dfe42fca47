import csv
from dataclasses import replace
from pathlib import Path

import pytest

from kakera.errors import DataError, OptionError, RunError
from kakera.study.mask_ratio.answer import TUNED, Answer
from kakera.study.mask_ratio.study import (
    MaskRatio,
    least_informative_ratio,
    plan_mask_ratio,
    study_mask_ratio,
)
from kakera.study.setup import study_data
from kakera.study.study_options import MaskRatioOptions, study_options
from kakera.training.recipes import read_recipe
from tests.refusals import refused
from tests.small import pictures
from tests.study.studies import MASK_RATIO

EPOCHS = float(read_recipe("pretrain", "demo")["epochs"])


def study(**options: object) -> MaskRatio:
    asked = study_options(MaskRatioOptions, {"data": "demo", "recipe": "demo", **options})
    return MaskRatio(asked, study_data(pictures(60, 20), asked))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("studies") / "ratio"
    study_mask_ratio(pictures(60, 20), out=out, **MASK_RATIO)
    return out


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_ratio_is_probed_and_fine_tuned_for_every_seed(done: Path) -> None:
    found = rows(done / "results.csv")
    assert {(r["ratio"], r["visible"]) for r in found} == {("0.500000", "24"), ("0.750000", "12")}
    tuned = [r for r in found if r["method"] == TUNED]
    assert {(r["ratio"], r["seed"]) for r in tuned} == {(r["ratio"], r["seed"]) for r in found}
    assert len(tuned) == 4
    probes = [r for r in found if r["method"] != TUNED]
    assert len(probes) == 2 * 2 * 2 * 2  # ratios, seeds, pools, numbers of labels
    assert {r["labels"] for r in probes} == {"20", "60"}
    assert all(0 <= float(r["score"]) <= 1 for r in found)


def test_costs_name_every_unit_with_its_estimate(done: Path) -> None:
    found = rows(done / "costs.csv")
    assert sorted(r["unit"] for r in found) == sorted(p.name for p in (done / "units").iterdir())
    assert all(float(r["estimated"]) > 0 and float(r["seconds"]) > 0 for r in found)


def test_the_report_holds_everything_in_one_page(done: Path) -> None:
    page = (done / "report.html").read_text()
    assert page.count("data:image/svg+xml;base64,") == 2
    assert page.count("data:image/png;base64,") == 1
    assert "http" not in page.replace("http://www.w3.org", "")
    for text in (
        "24 of 49",
        "12 of 49",
        "is not significant (2 seeds)",
        "What would change the answer",
    ):
        assert text in page
    assert "kakera study mask-ratio demo --out" in page
    assert "--mask-ratios 0.5 0.75" in page


def test_a_finished_study_is_reported_again_without_work(done: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (done / "units").rglob("*")}
    table = (done / "results.csv").read_bytes()
    (done / "report.html").unlink()
    (done / "results.csv").unlink()
    study_mask_ratio(pictures(60, 20), out=done, **MASK_RATIO)
    assert (done / "results.csv").read_bytes() == table
    assert (done / "report.html").exists()
    assert {path: path.stat().st_mtime_ns for path in (done / "units").rglob("*")} == before


def test_other_options_are_refused_in_a_folder_that_is_begun(done: Path) -> None:
    with pytest.raises(RunError, match=r"seeds 2 in the run, 3 now"):
        study_mask_ratio(pictures(60, 20), out=done, **{**MASK_RATIO, "seeds": 3})
    with pytest.raises(
        RunError, match=r"data that changed since the run started \(other files, labels, split\)"
    ):
        study_mask_ratio(pictures(50, 20), out=done, **MASK_RATIO)


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(RunError, match="expected a new folder"):
        study_mask_ratio(pictures(60, 20), out=tmp_path, **MASK_RATIO)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_ratios_that_hide_as_many_patches_are_one() -> None:
    ours = study(patch=14, mask_ratios=(0.3, 0.5, 0.55, 0.75))
    # Of 4 patches they keep 2, 2, 1 and 1; the truth is 1/2 and 3/4.
    assert ours.visible_counts() == {0.5: 2, 0.75: 1}
    assert "ratio 0.3: 2 of 4 patches visible, the same as 0.5; runs once" in ours.notes()


def test_a_ratio_that_leaves_nothing_to_see_is_refused() -> None:
    with refused("mask ratio", got="0.9, which leaves 0 of 4 patches"):
        study(patch=14, mask_ratios=(0.5, 0.9)).visible_counts()


def test_more_labels_than_there_are_mean_all() -> None:
    ours = study(labels=(20, 100))
    assert ours.counts(probe=False) == [20, 60]
    assert "100 labels: only 60 available, all are used" in ours.notes()


def test_a_smaller_plan_loses_seeds_then_ratios_then_epochs() -> None:
    ours, said = study(seeds=3, mask_ratios=(0.1, 0.3, 0.5, 0.75, 0.9)), list[str]()
    while (less := ours.smaller()) is not None:
        ours, text = less
        said.append(text)
    assert said[:3] == ["seed 2", "ratio 0.3", "ratio 0.5"]
    assert [text.split(" (")[0] for text in said[3:]] == ["half of the pretraining epochs"] * 3
    assert (ours.options.seeds, list(ours.visible_counts()), ours.epochs) == (2, [0.1, 0.75, 0.9], EPOCHS / 8)


def test_the_ends_and_three_quarters_are_never_dispensable() -> None:
    ratios = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.9]
    while len(ratios) > 3:
        ratios.remove(least_informative_ratio(ratios))
    assert ratios == [0.1, 0.75, 0.9]


def test_a_budget_makes_the_plan_smaller_and_says_so() -> None:
    options = {**MASK_RATIO, "seeds": 40}
    whole = plan_mask_ratio(pictures(60, 20), **options)
    budget = f"{max(1, round(whole.seconds / 4))}s"
    some = plan_mask_ratio(pictures(60, 20), **options, budget=budget)
    assert some.chosen["seeds"] < 40
    assert some.seconds <= float(budget[:-1])
    assert len(some.units) == some.chosen["seeds"] * 2 * 3
    assert len(some.dropped) == 40 - some.chosen["seeds"]
    assert "left out to stay within the budget: seed 39" in some.remarks()


def test_a_budget_that_is_too_small_is_refused(tmp_path: Path) -> None:
    with refused("budget", got="0.01s", expected="for the smallest plan"):
        study_mask_ratio(pictures(60, 20), out=tmp_path / "s", **MASK_RATIO, budget="0.01s")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"mask_ratios": (0.5, 1.0)}, "mask_ratios: got 1.0, expected a number between 0 and 1"),
        ({"mask_ratios": ()}, "mask_ratios: got nothing"),
        ({"seeds": 0}, "seeds: got 0"),
        ({"labels": (-1,)}, "labels: got -1"),
        ({"pretrain_epochs": -1.0}, "pretrain_epochs: got -1.0"),
        ({"budget": "soon"}, "budget: got 'soon'"),
        ({"model": "enormous"}, "model: got enormous"),
        ({"colour": 1}, "options: got colour"),
    ],
)
def test_what_no_study_can_use_is_refused(options: dict[str, object], said: str, tmp_path: Path) -> None:
    with pytest.raises(OptionError) as caught:
        study_mask_ratio(pictures(60, 20), out=tmp_path / "s", **options)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "s").exists()


def test_pictures_without_labels_or_test_part_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="0 labelled pictures for training, expected at least two classes"):
        study_mask_ratio(replace(pictures(60, 20), labels=None), out=tmp_path / "s", **MASK_RATIO)
    with pytest.raises(DataError, match="no labelled test pictures"):
        study_mask_ratio(pictures(60, 0), out=tmp_path / "s", **MASK_RATIO)


def answer(**by_ratio: list[float]) -> Answer:
    return Answer({(TUNED, 100): {float(name[1:]) / 100: scores for name, scores in by_ratio.items()}})


def test_the_answer_names_what_cannot_be_told_from_the_best() -> None:
    found = answer(r10=[0.60, 0.61, 0.62], r60=[0.80, 0.83, 0.81], r75=[0.81, 0.82, 0.82])
    assert found.best((TUNED, 100)) == 0.75
    assert found.sentence((TUNED, 100)) == (
        "Fine-tuned, 100 labels: 75% hidden has the highest mean, 81.7 ± 1.4 %; the difference to 60% is "
        "not significant (3 seeds); 10% is significantly worse."
    )
    assert found.paper((TUNED, 100)) == ""


def test_one_seed_claims_nothing() -> None:
    assert "one seed cannot show" in answer(r10=[0.1], r75=[0.9]).sentence((TUNED, 100))


def test_the_paper_s_ratio_is_set_beside_another_winner() -> None:
    clear = answer(r50=[0.90, 0.91, 0.92], r75=[0.70, 0.71, 0.72]).paper((TUNED, 100))
    assert "50% − 75 % is +20.0 ± 0.0 points, which is significant" in clear
    noisy = answer(r50=[0.90, 0.70, 0.92], r75=[0.70, 0.91, 0.72]).paper((TUNED, 100))
    assert "which is not significant" in noisy
