"""Command-line flags made from option dataclasses.

The dataclass defines the name, type, choices, default and help text of each flag, so each is written once.
"""

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
FIRST = (  # shown first in the help, because most users need only these
    *("data", "out", "init_from", "labels", "time", "image_size", "model", "epochs", "batch_size", "device"),
    *("workers", "budget"),
)
READING, WRITING = "reading files", "output"
KINDS = ("any", "pictures", "recordings")
KIND_HELP = "kind of file to read from a folder with both; any: the kind with more files (default: any)"
MOST_USED = "common options"
LONG = 20  # number of options above which the usage line does not list them


class Arguments(argparse.ArgumentParser):
    """An ArgumentParser that raises OptionError: one line on stderr, exit code 2.

    Example:

        >>> parser = Arguments("bench", "Measure the speed.")
        >>> parser.group("output").add_argument("--out").dest
        'out'
        >>> vars(parser.parse_args(["--out", "speed.json"]))
        {'out': 'speed.json'}
    """

    def __init__(self, verb: str, purpose: str) -> None:
        self.resolve: Resolve | None = None
        """Function from the passed options to all values that apply to them, or None; the verb may set it."""
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
        """Return the options that the user passed, without those left at their default.

        If the verb has a `resolve` and `--help` follows other words, print the help with the values that
        apply to those words, and exit. Raises OptionError for an unknown option, with the nearest name.
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
                do = "pass the data as the first argument, without a flag"
            for action in self._actions if do.startswith("did you mean") else ():
                if action.option_strings:
                    do = re.sub(rf"(mean|or) {action.dest}(?=\b)", rf"\1 {action.option_strings[0]}", do)
            raise self._refusal(f"unrecognized arguments: {' '.join(rest)}", do or f"try {self.prog} --help")
        return given

    def _show_values(self, words: list[str], resolve: Resolve) -> None:
        """Print the help with the values that apply to `words`, and exit."""
        try:
            given = vars(self.parse_known_args(words)[0])
            values = resolve(dict(given))
            self.epilog = f"These are the defaults for {given.get('data', 'this data')}."
        except (KakeraError, KeyError) as error:
            values = {}
            self.epilog = f"The defaults for this data are unknown: {error}"
        for action in self._actions:
            if action.dest in values and action.dest != "data":
                text = (action.help or "").rpartition(" (default: ")[0] or action.help or ""
                shown = _shown(values[action.dest]).replace("%", "%%")
                action.help = f"{text} (default: {shown})" if shown else text
        self.print_help()
        raise SystemExit(0)

    def group(self, title: str) -> Any:
        """Return the group of flags titled `title`; create it on first use."""
        return self._titled.get(title) or self._titled.setdefault(title, self.add_argument_group(title))

    def add_recipe(self, *verbs: str) -> None:
        """Add `--recipe`, which changes many defaults at once; `verbs` are the verbs whose recipes apply."""
        self._changed = changed_by_recipes(verbs)
        self.group(MOST_USED).add_argument(
            "--recipe",
            default="",
            help="micro, paper, another recipe of kakera, or a TOML file of options; flags override it "
            "(default: chosen from the data, the machine and the time; see docs/defaults.md)",
        )

    def add_plan(self) -> None:
        """Add `--plan`, which prints the plan and does nothing else."""
        text = "print the plan and exit: network, steps, time measured on a few real steps, memory, files"
        self.group(MOST_USED).add_argument("--plan", action="store_true", default=False, help=text)

    def add_options(self, kind: type[Any], *, without: Sequence[str] = ()) -> None:
        """Add one flag for each field of the dataclass `kind`; leave out the fields named in `without`.

        Only flags that the user passes appear in the result. A long list starts with the flags of `FIRST`;
        the other flags follow, in one group for each dataclass that defines them.
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
                shown = "chosen from the data; see docs/defaults.md"
            text = texts.get(field.name, "") + (f" (default: {shown})" if shown else "")
            place.add_argument(
                flag, dest=field.name, help=text.replace("%", "%%"), **_kind_of(hints[field.name])
            )


def _flag(old: str, name: str) -> str:
    """Return the flag of the option `name`, with `--no-` if the flag `old` has it."""
    flag = "--" + name.replace("_", "-")
    return flag.replace("--", "--no-", 1) if old.startswith("--no-") else flag


def _shown(value: object) -> str:
    """Return a default as the user types it; an empty string for an empty or False value."""
    if isinstance(value, list | tuple):
        return " ".join(map(str, cast("Sequence[object]", value)))
    return "" if value is False else str(value)


def _place(name: str) -> int:
    return FIRST.index(name) if name in FIRST else len(FIRST)


def _owner(kind: type[Any], name: str) -> str:
    """Return the first docstring line of the dataclass that defines a field, without its "(source)"."""
    owner = next(part for part in reversed(kind.__mro__) if name in inspect.get_annotations(part))
    return (owner.__doc__ or owner.__name__).splitlines()[0].partition(" (")[0].rstrip(".")


def _kind_of(hint: Any) -> dict[str, Any]:
    """Return the keyword arguments of `add_argument` for a type."""
    if hint is bool:
        return {"action": argparse.BooleanOptionalAction}
    if get_origin(hint) is Literal:
        return {"choices": get_args(hint)}
    if get_origin(hint) is tuple:
        item = get_args(hint)[0]
        return {"nargs": "+", **_kind_of(item)}
    if is_union(hint):
        own = next(part for part in get_args(hint) if get_origin(part) is not Literal)
        plain = _kind_of(own)
        return {**plain, "type": or_auto(plain["type"]), "metavar": f"{plain['metavar']}|{AUTO}"}
    return {"type": hint, "metavar": hint.__name__.upper()}


def or_auto(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return a type for argparse that accepts "auto", or a text that `kind` can read.

    Example:

        >>> read = or_auto(int)
        >>> read("4"), read("auto")
        (4, 'auto')
    """

    def read(text: str) -> Any:
        return AUTO if text == AUTO else kind(text)

    read.__name__ = getattr(kind, "__name__", "value")  # argparse shows this name in its error message
    return read


def help_texts(kind: type[Any]) -> dict[str, str]:
    """Return the string below each field of a dataclass and of its base classes, by field name.

    Example:

        >>> from kakera.training.options import PretrainOptions
        >>> help_texts(PretrainOptions)["mask_ratio"]
        'share of the patches to hide'
    """
    texts: dict[str, str] = {}
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
                texts[field.target.id] = " ".join(str(text.value.value).split())
    return texts


def add_ranges(parser: Arguments) -> None:
    """Add `--bits` and `--value-range`: the values of black and white in pictures of more than 8 bits.

    Example:

        >>> parser = Arguments("check", "Check a data set.")
        >>> add_ranges(parser)
        >>> parser.parse_args(["--value-range", "0", "1000"]).value_range
        [0.0, 1000.0]
    """
    place = parser.group(READING)
    place.add_argument(
        "--bits",
        type=or_auto(int),
        default=AUTO,
        metavar="INT|auto",
        help="bits used by the values in 16-bit and 32-bit files, such as 12; auto: measured on a sample of "
        "files (default: auto)",
    )
    place.add_argument(
        "--value-range",
        type=float,
        nargs=2,
        default=(),
        metavar=("BLACK", "WHITE"),
        help="values of black and white in 16-bit, 32-bit or float files, such as 0 1000 (default: measured "
        "on a sample of files)",
    )


def add_channels(parser: Arguments) -> None:
    """Add `--channels`: the number of channels to read pictures with.

    Example:

        >>> parser = Arguments("check", "Check a data set.")
        >>> add_channels(parser)
        >>> parser.parse_args(["--channels", "1"]).channels
        1
    """
    parser.group(READING).add_argument(
        "--channels",
        type=or_auto(int),
        default=AUTO,
        metavar="INT|auto",
        help="read pictures with 1 channel (grey) or 3 (colour); auto: as in the files (default: auto)",
    )


def add_workers(parser: Arguments) -> None:
    """Add `--workers`: the number of processes that read files.

    Example:

        >>> parser = Arguments("check", "Check a data set.")
        >>> add_workers(parser)
        >>> parser.parse_args(["--workers", "auto"]).workers
        'auto'
    """
    parser.group(READING).add_argument(
        "--workers",
        type=or_auto(int),
        default=AUTO,
        metavar="INT|auto",
        help="extra processes that read files, 0 for none; auto: one per CPU core, none for few files "
        "(default: auto)",
    )
