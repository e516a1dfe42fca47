"""Reading and checking of options from a recipe and from arguments. Does not import torch."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import MISSING, fields
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from kakera.errors import OptionError
from kakera.option_fields import AUTO, Auto, check, is_union
from kakera.training.options import DataOptions, FinetuneOptions
from kakera.training.suggest import did_you_mean, renamed

T = TypeVar("T")


def options_from(kind: type[T], recipe: str, given: dict[str, Any]) -> T:
    """Return the options of a recipe, with the values in `given` instead of the recipe's.

    Fine-tuning without `init_from` is training from scratch, which has its own recipes. Raises OptionError
    for unknown names and wrong values.

    Example:

        >>> from kakera.training.options import PretrainOptions
        >>> options_from(PretrainOptions, "micro", {"data": "demo", "epochs": 5}).epochs
        5
    """
    verb = kind.__name__.removesuffix("Options").lower()
    if kind is FinetuneOptions and not given.get("init_from"):
        verb = "scratch"
    values = read_recipe(verb, recipe)
    build(kind, given)  # reports errors in `given` first; errors below come from the recipe
    try:
        return build(kind, {**values, **given})
    except OptionError as error:
        raise OptionError(f"{recipe}: {error}") from error


def verb_of(options: DataOptions) -> Literal["pretrain", "finetune", "scratch"]:
    """Return the kind of training, which selects recipes and rules.

    Fine-tuning without `init_from` is training from scratch.

    Example:

        >>> verb_of(FinetuneOptions("demo")), verb_of(FinetuneOptions("demo", init_from="runs/x"))
        ('scratch', 'finetune')
    """
    if isinstance(options, FinetuneOptions):
        return "finetune" if options.init_from else "scratch"
    return "pretrain"


def build(kind: type[T], values: dict[str, Any]) -> T:
    """Return an option dataclass from names and values.

    Raises OptionError for unknown names, missing names and wrong values.

    Example:

        >>> build(FinetuneOptions, {"data": "demo", "patch": 8}).patch
        (8,)
    """
    known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]  # T is a dataclass
    unknown = sorted(set(values) - set(known))
    missing = [name for name, f in known.items() if f.default is MISSING and name not in values]
    if unknown or missing:
        raise _refusal(unknown, missing, list(known))
    hints = get_type_hints(kind)
    options = kind(**{name: _as_tuple(value, hints[name]) for name, value in values.items()})
    check(options)
    return options


def _refusal(unknown: Sequence[str], missing: Sequence[str], known: Sequence[str]) -> OptionError:
    """Return the error with the new names of renamed options, else with close names, else with all names."""
    today = {name: renamed(name, known) for name in unknown}
    if any(today.values()):
        return OptionError(", ".join(f"{old} is now {new}" for old, new in today.items() if new))
    meant = {name: text for name in unknown if (text := did_you_mean(name, known))}
    do = next(iter(meant.values()), "correct the name")
    if len(unknown) > 1 and meant:
        do = ", ".join(f"{name}: {text}" for name, text in meant.items())
    expected = "option names" if meant else "one of " + ", ".join(known)
    got = ", ".join(unknown) or f"no {', '.join(missing)}"
    return OptionError("options", got=got, expected=expected, do=do)


def _as_tuple(value: Any, hint: Any) -> Any:
    """Convert a list or a single number to a tuple if the field is a tuple; "auto" stays unchanged."""
    kinds = get_args(hint) if is_union(hint) else (hint,)
    if isinstance(value, tuple) or not any(get_origin(one) is tuple for one in kinds):
        return value
    if is_union(hint) and value in (AUTO, [AUTO]):
        return AUTO
    return tuple(value) if isinstance(value, list) else (value,)


def pair(name: str, numbers: Sequence[Any] | Auto) -> tuple[int, int] | None:
    """Return (height, width) from one number for both or from two numbers; None for none or "auto".

    Raises OptionError for other values; `name` is the name of the option.

    Example:

        >>> pair("patch", (8,)), pair("patch", (16, 8)), pair("patch", "auto")
        ((8, 8), (16, 8), None)
    """
    if not numbers or numbers == AUTO:
        return None
    if len(numbers) > 2 or not all(isinstance(number, int) and number > 0 for number in numbers):
        expected = "one or two whole numbers from 1: height and width"
        raise OptionError(name, got=repr(numbers), expected=expected, do="correct it")
    return numbers[0], numbers[-1]


def read_recipe(verb: str, name: str) -> dict[str, Any]:
    """Return the values of a recipe that differ from the defaults.

    `name` is a recipe of kakera or a path to a TOML file. Raises OptionError for an unknown name.

    Example:

        >>> read_recipe("pretrain", "micro")["model"]
        'micro'
    """
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
            f"recipe {name}",
            got=error,
            expected=f"one of {', '.join(choices)}, or a TOML file",
            do="choose one of these",
        ) from error


def changed_by_recipes(verbs: Sequence[str]) -> frozenset[str]:
    """Return the names of all options that a recipe of kakera for these verbs changes.

    Example:

        >>> "epochs" in changed_by_recipes(["pretrain"])
        True
    """
    names: set[str] = set()
    for file in (resources.files("kakera") / "recipes").iterdir():
        if file.name.endswith(".toml") and file.name.partition("-")[0] in verbs:
            names |= set(tomllib.loads(file.read_text()))
    return frozenset(names)
