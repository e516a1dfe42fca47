"""Flags from the dataclasses of options: names, types, choices, defaults and help each have one owner."""

from __future__ import annotations

import argparse
import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any, Literal, NoReturn, TypeAlias, cast, get_args, get_origin, get_type_hints

from kakera.errors import KakeraError, OptionError
from kakera.option_fields import AUTO, is_union
from kakera.training.recipes import changed_by_recipes
from kakera.training.suggest import DATA, did_you_mean, renamed

Resolve: TypeAlias = Callable[[dict[str, Any]], Mapping[str, Any]]
FIRST = (  # in the help, before all others
    *("data", "out", "init_from", "labels", "time", "image_size", "model", "epochs", "batch_size", "device"),
    *("workers", "budget"),
)
READING, WRITING = "how files are read", "what is written"
KINDS = ("any", "pictures", "recordings")
KIND_HELP = "what to take where both are there; any: what most files are (default: any)"
MOST_USED = "the most used"
LONG = 20  # options: from here on the usage does not list them


class Arguments(argparse.ArgumentParser):
    """An ArgumentParser whose errors are the house's: one line, exit code 2."""

    def __init__(self, verb: str, purpose: str) -> None:
        self.resolve: Resolve | None = None
        """From what is given to the values that apply to it; the verb may set it."""
        self._changed: frozenset[str] = frozenset()
        self._titled: dict[str, Any] = {}
        super().__init__(
            prog=f"kakera {verb}",
            description=purpose,
            argument_default=argparse.SUPPRESS,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def error(self, message: str) -> NoReturn:
        """Raise OptionError instead of printing the usage."""
        raise self._refusal(message, f"try {self.prog} --help")

    def _refusal(self, message: str, do: str) -> OptionError:
        return OptionError(self.prog, got=message, expected="the options of its help", do=do)

    def parse_args(  # pyright: ignore[reportIncompatibleMethodOverride]  # the stubs know overloads only
        self, args: Iterable[str] | None = None, namespace: Any = None
    ) -> Any:
        """The options that are given. Raises OptionError, with the nearest name for one that is not known.

        Help that follows other words shows the values that apply with these, where the verb has a `resolve`.
        """
        words = list(sys.argv[1:] if args is None else args)
        asks = [word for word in words if word in ("-h", "--help")]
        if asks and len(words) > len(asks) and self.resolve is not None:
            self._show_values([word for word in words if word not in asks], self.resolve)
        given, rest = self.parse_known_args(words, namespace)
        if rest:
            flags = [word.partition("=")[0] for word in rest if word.startswith("-")]
            known = [action.dest for action in self._actions if action.option_strings]
            today = {flag: _flag(flag, renamed(flag, known)) for flag in flags if renamed(flag, known)}
            if today:
                raise OptionError(", ".join(f"{flag}: is now {new}" for flag, new in today.items()))
            do = did_you_mean(flags[0], known) if flags else ""
            if not do and flags and flags[0].lstrip("-").replace("-", "_") in DATA:
                do = "give the data as the first word, without a flag"
            for action in self._actions if do.startswith("did you mean") else ():
                if action.option_strings:
                    do = re.sub(rf"(mean|or) {action.dest}(?=\b)", rf"\1 {action.option_strings[0]}", do)
            raise self._refusal(f"unrecognized arguments: {' '.join(rest)}", do or f"try {self.prog} --help")
        return given

    def _show_values(self, words: list[str], resolve: Resolve) -> None:
        """Print the help with the values that apply to these words, and end."""
        try:
            given = vars(self.parse_known_args(words)[0])
            values = resolve(dict(given))
            self.epilog = f"The defaults are those for {given.get('data', 'this data')}."
        except (KakeraError, KeyError) as error:
            values = {}
            self.epilog = f"The defaults for this data are not known: {error}"
        for action in self._actions:
            if action.dest in values and action.dest != "data":
                text = (action.help or "").rpartition(" (default: ")[0] or action.help or ""
                shown = _shown(values[action.dest]).replace("%", "%%")
                action.help = f"{text} (default: {shown})" if shown else text
        self.print_help()
        raise SystemExit(0)

    def group(self, title: str) -> Any:
        """Return the group of flags with a title; it is made where it is first asked for."""
        return self._titled.get(title) or self._titled.setdefault(title, self.add_argument_group(title))

    def add_recipe(self, *verbs: str) -> None:
        """`--recipe`: what changes many defaults at once; `verbs` are those whose recipes may apply."""
        self._changed = changed_by_recipes(verbs)
        self.group(MOST_USED).add_argument(
            "--recipe",
            default="",
            help="micro, paper, another that ships with kakera, or a TOML file of options; flags win over it "
            "(default: by the data, the machine and the time; see docs/defaults.md)",
        )

    def add_plan(self) -> None:
        """`--plan`: say what would be done, and do nothing."""
        text = "print what would be done: network, steps, time from a few real ones, memory, files"
        self.group(MOST_USED).add_argument("--plan", action="store_true", default=False, help=text)

    def add_options(self, kind: type[Any], *, without: Sequence[str] = ()) -> None:
        """One flag for each field of a dataclass; only those that are given appear in the result.

        The dozen that matter first come first, the others in one group for each dataclass that has them.
        """
        hints, texts, long = get_type_hints(kind), help_texts(kind), len(fields(kind)) > LONG
        if long:
            self.usage = f"{self.prog} DATA [options]"
        for field in sorted(fields(kind), key=lambda field: _place(field.name)):
            if field.name in without:
                continue
            if field.default is MISSING:
                self.add_argument(field.name, metavar=field.name.upper(), help=texts[field.name])
                continue
            first = long and field.name in FIRST
            place = self.group(MOST_USED if first else _owner(kind, field.name))
            flag = "--" + field.name.replace("_", "-")
            shown = _shown(field.default)
            if field.name in self._changed:
                shown = "by the data; see docs/defaults.md"
            text = texts.get(field.name, "") + (f" (default: {shown})" if shown else "")
            place.add_argument(
                flag, dest=field.name, help=text.replace("%", "%%"), **_kind_of(hints[field.name])
            )


def _flag(old: str, name: str) -> str:
    """The flag of an option, negated as its old one was."""
    flag = "--" + name.replace("_", "-")
    return flag.replace("--", "--no-", 1) if old.startswith("--no-") else flag


def _shown(value: object) -> str:
    """A default as it is typed; nothing for what is empty or off."""
    if isinstance(value, list | tuple):
        return " ".join(map(str, cast("Sequence[object]", value)))
    return "" if value is False else str(value)


def _place(name: str) -> int:
    return FIRST.index(name) if name in FIRST else len(FIRST)


def _owner(kind: type[Any], name: str) -> str:
    """The first sentence of the dataclass that brings a field in, without its source."""
    owner = next(part for part in reversed(kind.__mro__) if name in inspect.get_annotations(part))
    return (owner.__doc__ or owner.__name__).splitlines()[0].partition(" (")[0].rstrip(".")


def _kind_of(hint: Any) -> dict[str, Any]:
    """What argparse needs to know of a type."""
    if hint is bool:
        return {"action": argparse.BooleanOptionalAction}
    if get_origin(hint) is Literal:
        return {"choices": get_args(hint)}
    if get_origin(hint) is tuple:
        item = get_args(hint)[0]
        return {"nargs": "+", **_kind_of(item)}
    if is_union(hint):
        own = next(part for part in get_args(hint) if get_origin(part) is not Literal)
        found = _kind_of(own)
        return {**found, "type": or_auto(found["type"]), "metavar": f"{found['metavar']}|{AUTO}"}
    return {"type": hint, "metavar": hint.__name__.upper()}


def or_auto(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a type for argparse: what `kind` reads, or "auto"."""

    def read(text: str) -> Any:
        return AUTO if text == AUTO else kind(text)

    read.__name__ = getattr(kind, "__name__", "value")  # argparse calls a wrong value by it
    return read


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


def add_ranges(parser: Arguments) -> None:
    """`--bits` and `--value-range`: what is black and white in pictures of more than 8 bits."""
    place = parser.group(READING)
    place.add_argument(
        "--bits",
        type=or_auto(int),
        default=AUTO,
        metavar="INT|auto",
        help="bits of the values in 16-bit and 32-bit files, such as 12 (default: auto, by a sample)",
    )
    place.add_argument(
        "--value-range",
        type=float,
        nargs=2,
        default=(),
        metavar=("BLACK", "WHITE"),
        help="black and white in files of 16 bits, 32 bits or floats, such as 0 1000 (default: by a sample)",
    )


def add_channels(parser: Arguments) -> None:
    """`--channels`: how many to read pictures with."""
    parser.group(READING).add_argument(
        "--channels",
        type=or_auto(int),
        default=AUTO,
        metavar="INT|auto",
        help="read as 1 (grey) or 3 (colour); auto: what the pictures have (default: auto)",
    )


def add_workers(parser: Arguments) -> None:
    """`--workers`: processes that read."""
    parser.group(READING).add_argument(
        "--workers",
        type=or_auto(int),
        default=AUTO,
        metavar="INT|auto",
        help="processes, 0 for none; auto: one a core, none for few files (default: auto)",
    )
