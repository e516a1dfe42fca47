from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

import kakera
from kakera.cli.main import VERBS, main
from kakera.errors import OptionError
from kakera.study.study_options import DataSizeOptions, MaskRatioOptions
from kakera.training.options import FinetuneOptions, PretrainOptions
from kakera.training.recipes import build, options_from
from kakera.training.suggest import RENAMED, SYNONYMS, did_you_mean

OPTIONS = {field.name for kind in (PretrainOptions, FinetuneOptions) for field in fields(kind)}
STUDIES = {field.name for kind in (MaskRatioOptions, DataSizeOptions) for field in fields(kind)}


def test_every_synonym_leads_to_a_name_that_there_is() -> None:
    names = OPTIONS | STUDIES | set(VERBS) | {"recipe", "patch_index"}
    assert {name for table in (SYNONYMS, RENAMED) for meant in table.values() for name in meant} <= names


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["pretrain", "demo", "--image", "64"], "--image: is now --image-size"),
        (["pretrain", "demo", "--size", "nano"], "--size: is now --model"),
        (["pretrain", "demo", "--no-normalised"], "--no-normalised: is now --no-norm-pix-loss"),
        (
            ["finetune", "demo", "--from", "x", "--ema", "1"],
            "--from: is now --init-from, --ema: is now --ema-decay",
        ),
        (["study", "mask-ratio", "demo", "--ratios", "0.5"], "--ratios: is now --mask-ratios"),
        (["convert", "a", "b", "--to", "mae", "--size", "64"], "--size: is now --image-size"),
    ],
)
def test_a_flag_of_an_earlier_version_names_todays(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert capsys.readouterr().err == f"kakera: {said}\n"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: build(PretrainOptions, {"data": "x", "image": 1}), "image is now image_size"),
        (lambda: kakera.finetune("demo", out="x", start="y"), "start is now init_from"),
        (lambda: kakera.probe("demo", start="y"), "start is now init_from"),
        (lambda: kakera.load("x", size=3), "size is now image_size"),
        (lambda: kakera.convert("x", "y", to="mae", size=3), "size is now image_size"),
        (lambda: kakera.study_mask_ratio("demo", out="x", ratios=(0.5,)), "ratios is now mask_ratios"),
        (lambda: kakera.explain_files("x", "y", hide=0.5), "hide is now mask_ratio"),
    ],
)
def test_a_keyword_of_an_earlier_version_names_todays(call: Callable[[], object], said: str) -> None:
    with pytest.raises(OptionError) as caught:
        call()
    assert str(caught.value) == said


def test_a_recipe_of_an_earlier_version_names_todays(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("base_rate = 1e-3\nhide = 0.5\n")
    with pytest.raises(OptionError, match=r"mine\.toml: base_rate is now base_lr, hide is now mask_ratio$"):
        options_from(PretrainOptions, str(tmp_path / "mine.toml"), {"data": "x"})


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("lr", "--base-lr"),
        ("learning-rate", "--base-lr"),
        ("masking-ratio", "--mask-ratio"),
        ("per-device-train-batch-size", "--batch-size"),
        ("img-size", "--image-size"),
        ("num-workers", "--workers"),
        ("arch", "--model"),
        ("gradient-checkpointing", "--activation-checkpointing"),
        ("maskin", "--masking"),
        ("weight-dcay", "--weight-decay"),
        ("pretrained", "--init-from"),
    ],
)
def test_an_unknown_option_suggests_the_nearest(
    given: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pretrain" if meant != "--init-from" else "finetune", "demo", f"--{given}", "3"]) == 2
    assert f"did you mean {meant}?" in capsys.readouterr().err


def test_of_a_classifier_arch_is_its_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["finetune", "demo", "--arch", "small"]) == 2
    assert "did you mean --model?" in capsys.readouterr().err


def test_resuming_needs_no_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pretrain", "demo", "--resume"]) == 2
    assert "run the same command again: it resumes from the last checkpoint" in capsys.readouterr().err


def test_what_is_near_nothing_suggests_nothing() -> None:
    assert did_you_mean("xyzzy", sorted(OPTIONS)) == ""


@pytest.mark.parametrize(
    ("given", "meant"), [("train", "kakera finetune or kakera pretrain"), ("inspct", "kakera inspect")]
)
def test_an_unknown_verb_suggests_the_nearest(
    given: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([given]) == 2
    assert f"did you mean {meant}?" in capsys.readouterr().err


def test_in_python_a_keyword_suggests_the_nearest() -> None:
    with pytest.raises(OptionError, match=r"; did you mean mask_ratio\?$"):
        build(PretrainOptions, {"data": "demo", "masking_ratio": 0.5})
    with pytest.raises(OptionError, match=r"; lr: did you mean base_lr\?, maskin: did you mean masking\?$"):
        build(PretrainOptions, {"data": "demo", "maskin": "block", "lr": 1.0})
