import tomllib
from dataclasses import fields
from importlib import resources
from pathlib import Path

import pytest

from kakera.errors import OptionError
from kakera.training.options import FinetuneOptions, PretrainOptions
from kakera.training.recipes import options_from

KINDS = {"pretrain": PretrainOptions, "finetune": FinetuneOptions, "scratch": FinetuneOptions}
RECIPES = sorted(
    f.name for f in (resources.files("kakera") / "recipes").iterdir() if f.name.endswith(".toml")
)


def test_the_defaults_are_the_paper_s() -> None:
    options = options_from(PretrainOptions, "paper", {"data": "x"})
    assert (options.epochs, options.batch_size, options.base_lr, options.beta2) == (800, 4096, 1.5e-4, 0.95)
    tuned = options_from(FinetuneOptions, "paper", {"data": "x", "init_from": "runs/mae"})
    assert (tuned.layer_decay, tuned.drop_path, tuned.mixup, tuned.cutmix) == (0.65, 0.1, 0.8, 1.0)
    assert (tuned.label_smoothing, tuned.random_erasing, tuned.randaugment, tuned.beta2) == (
        0.1,
        0.25,
        9,
        0.999,
    )
    assert (tuned.base_lr, tuned.ema_decay) == (5e-4, 0)


def test_training_from_scratch_has_recipes_of_its_own() -> None:
    scratch = options_from(FinetuneOptions, "paper", {"data": "x"})
    assert (scratch.base_lr, scratch.weight_decay, scratch.ema_decay, scratch.epochs) == (
        1e-4,
        0.3,
        0.9999,
        300,
    )
    started = options_from(FinetuneOptions, "micro", {"data": "x", "init_from": "runs/mae"})
    assert options_from(FinetuneOptions, "micro", {"data": "x"}).base_lr > started.base_lr


def test_what_is_given_wins_over_the_recipe() -> None:
    assert options_from(PretrainOptions, "micro", {"data": "x"}).model == "micro"
    assert options_from(PretrainOptions, "micro", {"data": "x", "model": "mini"}).model == "mini"


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_differences_only_and_opens_with_claim_cost_and_command(name: str) -> None:
    text = (resources.files("kakera") / "recipes" / name).read_text()
    heads = [line.split(":")[0] for line in text.splitlines() if line.startswith("# ") and ":" in line]
    assert [head for head in heads if head in ("# Claim", "# Cost", "# Command")] == [
        "# Claim",
        "# Cost",
        "# Command",
    ]
    verb, recipe = name.removesuffix(".toml").split("-", 1)
    options_from(
        KINDS[verb], recipe, {"data": "x", **({"init_from": "runs/mae"} if verb == "finetune" else {})}
    )
    defaults = {field.name: field.default for field in fields(KINDS[verb])}
    same = [key for key, value in tomllib.loads(text).items() if defaults[key] == value]
    allowed = (
        {"epochs", "warmup_epochs", "batch_size"} if recipe == "imagenet" else set()
    )  # said for the reader
    assert set(same) <= allowed, same


def test_a_recipe_may_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("mask_ratio = 0.6\n")
    assert options_from(PretrainOptions, str(path), {"data": "x"}).mask_ratio == 0.6


@pytest.mark.parametrize(
    ("recipe", "given", "named"),
    [
        ("paper", {"colour": 3}, "got colour, expected one of data"),
        ("paper", {"mask_ratio": 1.5}, "mask_ratio: got 1.5, expected a number from 0"),
        ("paper", {"batch_size": 0}, "batch_size: got 0"),
        ("paper", {"epochs": float("nan")}, "epochs: got nan"),
        ("paper", {"mask_ratio": "much"}, "mask_ratio: got 'much', expected a number"),
        ("paper", {"flip": "yes"}, "flip: got 'yes', expected true or false"),
        ("paper", {"masking": "spiral"}, "masking: got 'spiral', expected random, block, .* or cross"),
        ("nowhere", {}, "recipe nowhere: got .*expected one of paper, audio-micro, .*, or a TOML file"),
        ("nowhere.toml", {}, "recipe nowhere.toml: got .*No such file"),
    ],
)
def test_bad_options_get_one_line(recipe: str, given: dict[str, object], named: str) -> None:
    with pytest.raises(OptionError, match=named) as caught:
        options_from(PretrainOptions, recipe, {"data": "x", **given})
    assert "\n" not in str(caught.value)


def test_missing_data_is_said() -> None:
    with pytest.raises(OptionError, match="got no data"):
        options_from(PretrainOptions, "paper", {})


def test_a_broken_recipe_gets_one_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("mask_ratio = = 2")
    with pytest.raises(OptionError, match=r"recipe .*mine.toml: got"):
        options_from(PretrainOptions, str(path), {"data": "x"})
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(OptionError, match=r"recipe .*mine.toml: got"):
        options_from(PretrainOptions, str(path), {"data": "x"})


def test_options_cannot_be_changed() -> None:
    options = options_from(PretrainOptions, "paper", {"data": "x"})
    with pytest.raises(AttributeError):
        options.mask_ratio = 0.5
