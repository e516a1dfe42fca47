"""What a plan warns of: a table of data, and of what a training would be."""

from dataclasses import replace
from typing import Any

import pytest

from kakera.training.planning.plan_warnings import plan_warnings, precision_warnings
from kakera.training.planning.rules import DataFacts, Verb

DIGITS = DataFacts(60_000, (28, 28), 1, classes=10)
PHOTOGRAPHS = DataFacts(637, (300, 400), classes=8)
SPEECH = DataFacts(300, recordings=True, seconds=3.0, classes=4)
FINE: dict[str, Any] = {"tokens": 64, "rate": 300.0, "steps": 1000, "epochs": 20.0}


def warned(verb: Verb, facts: DataFacts, **changes: float) -> dict[str, str]:
    return plan_warnings(verb, facts, "my things", **{**FINE, **changes})


def test_nothing_is_said_of_what_fits() -> None:
    for verb in ("pretrain", "scratch", "finetune"):
        assert warned(verb, DIGITS) == {}


def test_a_picture_of_too_many_patches_is_warned_of_with_what_to_lower() -> None:
    assert warned("pretrain", DIGITS, tokens=3136) == {
        "patches": "3,136 patches per picture are too many: use a smaller --image-size, a larger --patch "
        "or a smaller network (--model)"
    }
    assert "fewer --seconds" in warned("scratch", SPEECH, tokens=3136)["patches"]
    assert warned("finetune", DIGITS, tokens=3136)["patches"].endswith(
        "use a smaller --image-size or a smaller pretrained network"
    )


def test_a_machine_that_is_too_slow_for_the_network_is_warned_of() -> None:
    assert warned("finetune", SPEECH, rate=2.0)["speed"].startswith(
        "this machine trains slowly (2.0 recordings per second)"
    )


@pytest.mark.parametrize("verb", ["pretrain", "scratch", "finetune"])
def test_too_few_steps_to_learn_are_warned_of_for_every_training(verb: Verb) -> None:
    assert warned(verb, DIGITS, steps=99) == {
        "steps": "99 steps are too few to learn: raise --epochs or --time"
    }
    assert warned(verb, DIGITS, steps=100) == {}


def test_a_time_in_which_not_every_file_is_seen_is_warned_of() -> None:
    assert (
        "training will use only 40 % of the pictures, once"
        in warned("pretrain", DIGITS, epochs=0.4)["epochs"]
    )


@pytest.mark.parametrize(
    ("verb", "facts", "expected"),
    [
        ("pretrain", PHOTOGRAPHS, True),
        ("scratch", PHOTOGRAPHS, True),
        ("finetune", PHOTOGRAPHS, False),
        ("pretrain", replace(PHOTOGRAPHS, count=20_000), False),
        ("pretrain", replace(PHOTOGRAPHS, size=(64, 64)), False),
        ("pretrain", replace(PHOTOGRAPHS, classes=0), False),
        ("scratch", SPEECH, True),
    ],
    ids=["pretraining", "from scratch", "from a start", "many", "small", "no classes", "recordings"],
)
def test_few_and_large_pictures_that_start_from_nothing_are_sent_to_published_weights(
    verb: Verb, facts: DataFacts, expected: bool
) -> None:
    assert ("start" in warned(verb, facts)) == expected


def test_the_published_weights_stand_there_as_a_complete_command_with_size_and_licence() -> None:
    assert warned("pretrain", PHOTOGRAPHS)["start"] == (
        "637 pictures of about 400 pixels are few for training from scratch; start from published weights: "
        "kakera finetune 'my things' --init-from facebook/dinov2-small (88 MB, licence Apache-2.0)"
    )


def test_bf16_is_warned_of_on_a_cpu_without_instructions_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    place = "kakera.training.planning.plan_warnings.is_bf16_supported"
    for supported, gpu, warned_of in ((False, "", True), (True, "", False), (False, "H200", False)):
        monkeypatch.setattr(place, lambda supported=supported: supported)
        said = precision_warnings("bf16-mixed", gpu)
        assert ("use --precision 32-true" in said.get("precision", "")) == warned_of
        assert not precision_warnings("32-true", gpu)
