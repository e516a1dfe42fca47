import contextlib
import io
from dataclasses import dataclass, fields
from typing import Any, Literal

import pytest

from kakera.cli.arguments import Arguments, help_texts
from kakera.errors import OptionError
from kakera.training.options import FinetuneOptions, PretrainOptions, ProbeOptions


@dataclass
class Parent:
    where: str
    """A place."""
    many: tuple[int, ...] = (1, 2)
    """Some numbers."""


@dataclass
class Options(Parent):
    kind: Literal["red", "blue"] = "red"
    """A colour: 100 % one of them."""
    flip: bool = True
    """Turn it."""
    long_name: float = 0.5
    start: str = ""
    """Begin here."""


def parse(*words: str) -> dict[str, object]:
    parser = Arguments("test", "A test.")
    parser.add_options(Options)
    return vars(parser.parse_args(words))


def test_only_what_is_given_appears() -> None:
    assert parse("here") == {"where": "here"}


def test_every_type_of_option_is_understood() -> None:
    words = ["--many", "3", "4", "--kind", "blue", "--no-flip", "--long-name", "2", "--start", "there"]
    expected = {"many": [3, 4], "kind": "blue", "flip": False, "long_name": 2.0, "start": "there"}
    assert parse("here", *words) == {"where": "here", **expected}


@pytest.mark.parametrize(
    "words", [["here", "--kind", "green"], ["here", "--lon", "1"], [], ["here", "--many", "x"]]
)
def test_what_is_wrong_is_an_option_error_of_one_line(words: list[str]) -> None:
    with pytest.raises(OptionError, match="kakera test: got .*, expected the options of its help") as caught:
        parse(*words)
    assert "\n" not in str(caught.value)


def printed_help(parser: Arguments, *words: str) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as text, pytest.raises(SystemExit):
        parser.parse_args(words)
    return " ".join(text.getvalue().split())


def test_help_after_some_data_shows_the_values_that_apply() -> None:
    parser = Arguments("test", "A test.")
    parser.add_options(Options)
    parser.resolve = lambda given: {"kind": "blue", "many": (7, 8), "long_name": given["long_name"] * 2}
    said = printed_help(parser, "here", "--long-name", "3", "--help")
    assert "A colour: 100 % one of them. (default: blue)" in said
    assert "Some numbers. (default: 7 8)" in said
    assert "(default: 6.0)" in said


def test_help_for_data_that_is_not_there_says_so() -> None:
    def refuse(given: dict[str, Any]) -> dict[str, Any]:
        raise OptionError(f"{given['where']}: got nothing, expected a folder; name one")

    parser = Arguments("test", "A test.")
    parser.add_options(Options)
    parser.resolve = refuse
    said = printed_help(parser, "here", "--help")
    assert "A colour: 100 % one of them. (default: red)" in said
    assert said.endswith("unknown: here: got nothing, expected a folder; name one")


def test_without_data_the_help_does_not_promise_what_a_recipe_changes() -> None:
    parser = Arguments("finetune", "A test.")
    parser.add_recipe("finetune", "scratch")
    parser.add_options(FinetuneOptions)
    said = printed_help(parser, "--help")
    assert (
        "number of passes over the training data (default: chosen from the data; see docs/defaults.md)"
        in said
    )
    assert "seconds between two checkpoints; the same command resumes from the last one (default: 60)" in said


def test_the_dozen_that_matter_come_first_and_the_others_in_groups() -> None:
    parser = Arguments("finetune", "A test.")
    parser.add_options(FinetuneOptions)
    said = printed_help(parser, "--help")
    order = [
        "--out",
        "--init-from",
        "--labels",
        "--image-size",
        "--model",
        "--epochs",
        "--batch-size",
        "--device",
        "--workers",
    ]
    places = [said.index(f"{flag} ") for flag in order]
    group = said.index("Training options:")
    assert places == sorted(places)
    assert places[-1] < group < said.index("--weight-decay ")


def test_help_is_the_string_under_each_field() -> None:
    texts = help_texts(Options)
    assert texts["where"] == "A place."
    assert texts["kind"] == "A colour: 100 % one of them."
    assert "long_name" not in texts


@pytest.mark.parametrize("kind", [PretrainOptions, FinetuneOptions, ProbeOptions])
def test_every_option_is_explained(kind: type) -> None:
    assert {field.name for field in fields(kind)} == set(help_texts(kind))
