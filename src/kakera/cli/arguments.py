"""Flags from the dataclasses of options: names, types, choices, defaults and help each have one owner."""

from __future__ import annotations

import argparse
import ast
import inspect
import textwrap
from collections.abc import Sequence
from dataclasses import MISSING, fields
from typing import Any, Literal, NoReturn, get_args, get_origin, get_type_hints

from kakera.errors import OptionError, sentence

FLAGS = {"start": "--from"}  # `from` is a word of Python's own


class Arguments(argparse.ArgumentParser):
    """An ArgumentParser whose errors are the house's: one line, exit code 2."""

    def __init__(self, verb: str, purpose: str) -> None:
        super().__init__(
            prog=f"kakera {verb}",
            description=purpose,
            argument_default=argparse.SUPPRESS,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def error(self, message: str) -> NoReturn:
        """Raise OptionError instead of printing the usage."""
        raise OptionError(
            sentence(self.prog, got=message, expected="the options of its help", do=f"try {self.prog} --help")
        )

    def add_recipe(self) -> None:
        """`--recipe`: what changes many defaults at once."""
        self.add_argument(
            "--recipe",
            default="",
            help="micro, paper, another that ships with kakera, or a TOML file of options; flags win over it "
            "(default: by the data, the machine and the time; see docs/defaults.md)",
        )

    def add_plan(self) -> None:
        """`--plan`: say what would be done, and do nothing."""
        text = "print what would be done: network, steps, time from a few real ones, memory, files"
        self.add_argument("--plan", action="store_true", default=False, help=text)

    def add_options(self, kind: type[Any], *, without: Sequence[str] = ()) -> None:
        """One flag for each field of a dataclass; only those that are given appear in the result."""
        hints, texts = get_type_hints(kind), help_texts(kind)
        for field in fields(kind):
            if field.name in without:
                continue
            if field.default is MISSING:
                self.add_argument(field.name, metavar=field.name.upper(), help=texts[field.name])
                continue
            flag = FLAGS.get(field.name, "--" + field.name.replace("_", "-"))
            default = " ".join(map(str, field.default)) if isinstance(field.default, tuple) else field.default
            shown = f" (default: {default})" if default not in ("", False) else ""
            text = (texts.get(field.name, "") + shown).replace("%", "%%")
            self.add_argument(flag, dest=field.name, help=text, **_kind_of(hints[field.name]))


def _kind_of(hint: Any) -> dict[str, Any]:
    """What argparse needs to know of a type."""
    if hint is bool:
        return {"action": argparse.BooleanOptionalAction}
    if get_origin(hint) is Literal:
        return {"choices": get_args(hint)}
    if get_origin(hint) is tuple:
        item = get_args(hint)[0]
        return {"nargs": "+", **_kind_of(item)}
    return {"type": hint, "metavar": hint.__name__.upper()}


def help_texts(kind: type[Any]) -> dict[str, str]:
    """The string under each field of a dataclass, and of those it is made from."""
    found: dict[str, str] = {}
    for part in reversed(kind.__mro__[:-1]):
        body = ast.parse(textwrap.dedent(inspect.getsource(part))).body[0]
        assert isinstance(body, ast.ClassDef)
        for field, text in zip(body.body, body.body[1:], strict=False):
            if (
                isinstance(field, ast.AnnAssign)
                and isinstance(field.target, ast.Name)
                and isinstance(text, ast.Expr)
                and isinstance(text.value, ast.Constant)
            ):
                found[field.target.id] = " ".join(str(text.value.value).split())
    return found
