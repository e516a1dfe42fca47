"""A study of encoders that is stopped, killed, or run again computes nothing twice."""

import json
from pathlib import Path

import pytest

import kakera
from kakera.data.split import few
from kakera.errors import RunError
from kakera.study.encoders.study import study_encoders
from tests.study.encoders.cells import TEST, TRAIN, Passes, cell, options, some
from tests.study.studies import ended, started, written


def test_a_second_run_computes_no_token_and_fits_no_head(
    done: Path, starts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path: path.stat().st_mtime_ns for path in (done / "units").rglob("*")}
    table = (done / "results.csv").read_bytes()
    passes = Passes(monkeypatch)
    study_encoders(some(), out=done, **options(starts))
    assert not passes.seen
    assert (done / "results.csv").read_bytes() == table
    assert {path: path.stat().st_mtime_ns for path in (done / "units").rglob("*")} == before


def test_another_study_on_the_same_files_computes_no_token(
    done: Path, starts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = Passes(monkeypatch)
    study_encoders(some(), out=tmp_path / "s", **options(starts, labels=(20,)))
    assert not passes.seen
    kakera.fit(
        some(),
        init_from=starts[0],
        out=tmp_path / "fit",
        labels=20,
        label_seed=1,
        baselines=False,
    )
    assert not passes.seen
    evaluation = json.loads((tmp_path / "fit" / "evaluation.json").read_text())
    assert evaluation["accuracy"] == pytest.approx(cell(done, "1-first-20-s1")["score"])


def test_an_interrupted_study_repeats_no_pass_of_an_encoder(
    done: Path, starts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAKERA_CACHE", str(tmp_path / "cache"))
    drawn = set[int]()
    labels = some().part("train").labels
    assert labels is not None
    for seed in range(3):
        drawn |= {*few(labels, 40, seed).tolist()}
    each = len(drawn) + TEST
    with monkeypatch.context() as patch:
        passes = Passes(patch, most=each + 20)  # in the middle of the second encoder
        with pytest.raises(KeyboardInterrupt):
            study_encoders(some(), out=tmp_path / "s", **options(starts))
    first = passes.seen
    assert each < len(first)
    passes = Passes(monkeypatch)
    study_encoders(some(), out=tmp_path / "s", **options(starts))
    assert len(first) + len(passes.seen) == len({*first, *passes.seen}) == 2 * each
    assert (tmp_path / "s" / "results.csv").read_bytes() == (done / "results.csv").read_bytes()


def test_other_options_are_refused_in_a_folder_that_is_begun(done: Path, starts: list[str]) -> None:
    with pytest.raises(RunError, match="seeds 3 in the run, 4 now"):
        study_encoders(some(), out=done, **options(starts, seeds=4))
    with pytest.raises(RunError, match="data that changed since the run started"):
        study_encoders(some(TRAIN, 30), out=done, **options(starts))


def test_a_damaged_result_is_named(starts: list[str], tmp_path: Path) -> None:
    words = options(starts[:1], labels=20, seeds=2)
    study_encoders(some(), out=tmp_path / "s", **words)
    whole = (tmp_path / "s" / "results.csv").read_bytes()
    path = tmp_path / "s" / "units" / "head-1-first-20-s0" / "result.json"
    for content in ("{", "[]", "{}", '{"score": "high", "files": ""}'):
        path.write_text(content)
        with pytest.raises(RunError, match="expected the result of a unit; delete its folder to repeat"):
            study_encoders(some(), out=tmp_path / "s", **words)
    path.unlink()
    study_encoders(some(), out=tmp_path / "s", **words)
    assert (tmp_path / "s" / "results.csv").read_bytes() == whole


@pytest.mark.slow
def test_a_killed_study_repeats_no_unit_and_gives_the_same_table(starts: list[str], tmp_path: Path) -> None:
    data = written(tmp_path / "some.npz", train=TRAIN, test=TEST)
    words = options(starts, encoders=tuple(starts), seeds=8)
    whole, out = tmp_path / "whole", tmp_path / "killed"
    ended(started("encoders", data, whole, words))
    process = started("encoders", data, out, words)
    while len([*out.glob("units/*/result.json")]) < 9:
        assert process.poll() is None, process.communicate()[1]
    process.kill()
    process.communicate()
    finished = {path: path.stat().st_mtime_ns for path in out.glob("units/*/result.json")}
    assert len(finished) < 3 * (1 + 2 * 8)
    ended(started("encoders", data, out, words))
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    assert (out / "results.csv").read_bytes() == (whole / "results.csv").read_bytes()
