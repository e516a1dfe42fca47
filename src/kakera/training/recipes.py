"""From a recipe and what was given to options: read, built, checked. No torch here."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Sequence
from dataclasses import MISSING, fields
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from kakera.errors import OptionError, sentence
from kakera.training.options import DataOptions, FinetuneOptions
from kakera.training.suggest import did_you_mean

T = TypeVar("T")


def options_from(kind: type[T], recipe: str, given: dict[str, Any]) -> T:
    """The options of a recipe, changed by what was given. Raises OptionError for unknown names.

    Fine-tuning without a start is training from scratch, and has recipes of its own.
    """
    verb = kind.__name__.removesuffix("Options").lower()
    if kind is FinetuneOptions and not given.get("start"):
        verb = "scratch"
    values = read_recipe(verb, recipe)
    build(kind, given)  # refuses what is wrong in these, so that the recipe is to blame below
    try:
        return build(kind, {**values, **given})
    except OptionError as error:
        raise OptionError(f"{recipe}: {error}") from error


def verb_of(options: DataOptions) -> Literal["pretrain", "finetune", "scratch"]:
    """Return which recipes and rules apply: fine-tuning without a start is training from scratch."""
    if isinstance(options, FinetuneOptions):
        return "finetune" if options.start else "scratch"
    return "pretrain"


def build(kind: type[T], values: dict[str, Any]) -> T:
    """A dataclass of options from their names. Raises OptionError for unknown names and wrong values."""
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]  # T is a dataclass
    unknown = sorted(set(values) - set(known))
    missing = [name for name, f in known.items() if f.default is MISSING and name not in values]
    if unknown or missing:
        raise OptionError(
            sentence(
                "options",
                got=", ".join(unknown) or f"no {', '.join(missing)}",
                expected="some of " + ", ".join(known),
                do=_correction(unknown, list(known)),
            )
        )
    hints = get_type_hints(kind)
    options = kind(**{name: _as_tuple(value, hints[name]) for name, value in values.items()})
    _check(options)
    return options


def _correction(unknown: Sequence[str], known: Sequence[str]) -> str:
    """What is most likely meant: the nearest names, of several unknown ones each."""
    meant = {name: did_you_mean(name, known) for name in unknown}
    if len(meant) > 1:
        found = [f"{name}: {text}" for name, text in meant.items() if text]
        return ", ".join(found) or "correct the name"
    return next(iter(meant.values()), "") or "correct the name"


def _as_tuple(value: Any, hint: Any) -> Any:
    """Lists, and single numbers, where several may be given."""
    if get_origin(hint) is not tuple or isinstance(value, tuple):
        return value
    return tuple(value) if isinstance(value, list) else (value,)


def pair(name: str, numbers: Sequence[Any]) -> tuple[int, int] | None:
    """One number for both directions, or height and width; None for none. Raises OptionError."""
    if not numbers:
        return None
    whole = all(isinstance(number, int) and number > 0 for number in numbers)
    _require(whole and len(numbers) <= 2, name, numbers, "one or two whole numbers from 1: height and width")
    return numbers[0], numbers[-1]


def read_recipe(verb: str, name: str) -> dict[str, Any]:
    """The differences that a recipe makes: a name that ships with kakera, or a path to a TOML file."""
    if name == "paper" and verb != "scratch":
        return {}  # the defaults themselves
    path = Path(name)
    shipped = resources.files("kakera") / "recipes" / f"{verb}-{name}.toml"
    try:
        text = path.read_text() if path.suffix == ".toml" else shipped.read_text()
        return tomllib.loads(text)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        folder = resources.files("kakera") / "recipes"
        names = sorted(f.name for f in folder.iterdir() if f.name.startswith(f"{verb}-"))
        shorter = {n.removeprefix(f"{verb}-").removesuffix(".toml") for n in names}
        choices = ["paper", *sorted(shorter - {"paper"})]
        raise OptionError(
            sentence(
                f"recipe {name}",
                got=error,
                expected=f"one of {', '.join(choices)}, or a TOML file",
                do="choose one of these",
            )
        ) from error


def changed_by_recipes(verbs: Sequence[str]) -> frozenset[str]:
    """The names of options that a recipe of these verbs changes, of those that ship with kakera."""
    found: set[str] = set()
    for file in (resources.files("kakera") / "recipes").iterdir():
        if file.name.endswith(".toml") and file.name.partition("-")[0] in verbs:
            found |= set(tomllib.loads(file.read_text()))
    return frozenset(found)


_RANGES = {
    "hide": (0.0, 0.999),
    "predicted": (1e-3, 1.0),
    "epochs": (1e-9, 1e9),
    "batch": (1, 1 << 24),
    "base_rate": (0.0, 1e6),
    "weight_decay": (0.0, 1e3),
    "drop_path": (0.0, 0.99),
    "smoothing": (0.0, 0.99),
    "class_balance": (0.0, 1.0),
    "erasing": (0.0, 1.0),
    "ema": (0.0, 1.0),
    "crop_least": (1e-3, 1.0),
    "crop_pct": (1e-3, 1.0),
    "bits": (0, 32),
    "image": (0, 8192),
    "channels": (0, 4),
    "labels": (0, 1 << 40),
    "shift": (0, 4096),
    "seeds": (1, 1000),
    "seconds": (0.0, 3600.0),
    "roll": (0.0, 3600.0),
    "gain": (0.0, 60.0),
    "noise": (0.0, 10.0),
    "time_stripe": (0.0, 3600.0),
    "band_stripe": (0, 8192),
    "port": (0, 65535),
    "unreadable_share": (0.0, 1.0),
    "devices": (0, 4096),
    "nodes": (0, 65536),
    "accumulate": (0, 1 << 20),
    "timeout": (1.0, 1e6),
}


def _check(options: Any) -> None:
    hints = get_type_hints(type(options))
    for field in fields(options):
        value, hint = getattr(options, field.name), hints[field.name]
        choices = get_args(hint)
        if get_origin(hint) is Literal:
            *names, last = choices
            _require(value in choices, field.name, value, f"{', '.join(names)} or {last}")
        elif get_origin(hint) is tuple and get_origin(choices[0]) is Literal:
            names = get_args(choices[0])
            _require(all(item in names for item in value), field.name, value, f"some of {', '.join(names)}")
        elif hint is bool:
            _require(isinstance(value, bool), field.name, value, "true or false")
        elif hint is str:
            _require(isinstance(value, str), field.name, value, "text")
        elif hint in (int, float):
            kinds = int if hint is int else (int, float)
            number = isinstance(value, kinds) and not isinstance(value, bool)
            _require(number, field.name, value, "a whole number" if hint is int else "a number")
            low, high = _RANGES.get(field.name, (-math.inf, math.inf))
            _require(low <= value <= high, field.name, value, f"a number from {low} to {high}")


def _require(holds: bool, name: str, value: object, expected: str) -> None:
    if not holds:
        raise OptionError(sentence(name, got=repr(value), expected=expected, do="correct it"))
