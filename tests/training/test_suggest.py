from dataclasses import fields

import pytest

from kakera.cli.main import VERBS, main
from kakera.errors import OptionError
from kakera.training.options import FinetuneOptions, PretrainOptions
from kakera.training.recipes import build
from kakera.training.suggest import SYNONYMS, did_you_mean

OPTIONS = {field.name for kind in (PretrainOptions, FinetuneOptions) for field in fields(kind)}


def test_every_synonym_leads_to_a_name_that_there_is() -> None:
    names = OPTIONS | set(VERBS) | {"recipe", "ratios"}
    assert {name for meant in SYNONYMS.values() for name in meant} <= names


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("lr", "--base-rate"),
        ("learning-rate", "--base-rate"),
        ("mask-ratio", "--hide"),
        ("batch-size", "--batch"),
        ("img-size", "--image"),
        ("image-size", "--image"),
        ("num-workers", "--workers"),
        ("arch", "--size"),
        ("maskin", "--masking"),
        ("weight-dcay", "--weight-decay"),
        ("init-from", "--from"),
    ],
)
def test_an_unknown_option_suggests_the_nearest(
    given: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pretrain" if meant != "--from" else "finetune", "demo", f"--{given}", "3"]) == 2
    assert f"did you mean {meant}?" in capsys.readouterr().err


def test_of_a_classifier_arch_is_its_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["finetune", "demo", "--arch", "small"]) == 2
    assert "did you mean --model?" in capsys.readouterr().err


def test_resuming_needs_no_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pretrain", "demo", "--resume"]) == 2
    assert "run the same command again: it goes on from the last checkpoint" in capsys.readouterr().err


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
    with pytest.raises(OptionError, match=r"; did you mean hide\?$"):
        build(PretrainOptions, {"data": "demo", "mask_ratio": 0.5})
    with pytest.raises(OptionError, match=r"; lr: did you mean base_lr\?, maskin: did you mean masking\?$"):
        build(PretrainOptions, {"data": "demo", "maskin": "block", "lr": 1.0})
