from dataclasses import dataclass, fields
from typing import Literal

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
    words = ["--many", "3", "4", "--kind", "blue", "--no-flip", "--long-name", "2", "--from", "there"]
    expected = {"many": [3, 4], "kind": "blue", "flip": False, "long_name": 2.0, "start": "there"}
    assert parse("here", *words) == {"where": "here", **expected}


@pytest.mark.parametrize(
    "words", [["here", "--kind", "green"], ["here", "--lon", "1"], [], ["here", "--many", "x"]]
)
def test_what_is_wrong_is_an_option_error_of_one_line(words: list[str]) -> None:
    with pytest.raises(OptionError, match="kakera test: got .*, expected the options of its help") as caught:
        parse(*words)
    assert "\n" not in str(caught.value)


def test_help_is_the_string_under_each_field() -> None:
    texts = help_texts(Options)
    assert texts["where"] == "A place."
    assert texts["kind"] == "A colour: 100 % one of them."
    assert "long_name" not in texts


@pytest.mark.parametrize("kind", [PretrainOptions, FinetuneOptions, ProbeOptions])
def test_every_option_is_explained(kind: type) -> None:
    assert {field.name for field in fields(kind)} == set(help_texts(kind))
