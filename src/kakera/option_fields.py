"""Fields of option classes: automatic values, allowed ranges, and one function that checks them."""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import wraps
from typing import Any, Literal, ParamSpec, TypeAlias, TypeVar, Union, get_args, get_origin, get_type_hints

from kakera.errors import OptionError

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

AUTO: Literal["auto"] = "auto"
Auto: TypeAlias = Literal["auto"]
"""The type of an option that kakera can choose from the data, the machine or the recipe."""
_BOUNDS = "bounds"


def or_none(value: T | Auto) -> T | None:
    """Return `value`, or None if it is "auto".

    Example:

        >>> or_none(16), or_none("auto")
        (16, None)
    """
    return None if value == AUTO else value  # pyright: ignore[reportReturnType]  # "auto" is no T


@dataclass(frozen=True)
class Bounds:
    """The range of numbers that a field accepts, from `low` to `high`.

    The range includes both ends; with `open` it excludes them. If a field holds several numbers, each of them
    must be in the range.

    Example:

        >>> Bounds(0, 1).holds(1), Bounds(0, 1, open=True).holds(1)
        (True, False)
        >>> Bounds(0, 1).describe()
        'a number from 0 to 1'
    """

    low: float = -math.inf
    high: float = math.inf
    open: bool = False
    needed: bool = False
    """True if a field of several values requires at least one."""

    def holds(self, value: float) -> bool:
        """Return True if the range contains `value`; it never contains NaN."""
        return self.low < value < self.high if self.open else self.low <= value <= self.high

    def describe(self) -> str:
        """Return the range as text for error messages, such as "a number from 0 to 1"."""
        if math.isinf(self.high):
            return f"a number {'above' if self.open else 'from'} {self.low:g}"
        return f"a number {'between' if self.open else 'from'} {self.low:g} " + (
            f"and {self.high:g}" if self.open else f"to {self.high:g}"
        )


def within(
    default: T, low: float = -math.inf, high: float = math.inf, *, open: bool = False, needed: bool = False
) -> T:
    """Return a dataclass field with a default value and a range of numbers.

    `low`, `high`, `open` and `needed` are those of `Bounds`. By default the range has no limits.

    Example:

        >>> @dataclass(frozen=True)
        ... class Options:
        ...     mask_ratio: float = within(0.75, 0, 1)
        >>> Options()
        Options(mask_ratio=0.75)
    """
    bounds = Bounds(low, high, open, needed)
    found: Any = field(default=default, metadata={_BOUNDS: bounds})
    return found


def renamed(**names: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that raises OptionError for keyword arguments of an earlier version.

    `names` maps each old name to its new name.

    Example:

        >>> @renamed(lr="learning_rate")
        ... def train(learning_rate=0.1):
        ...     return learning_rate
        >>> train(lr=0.2)
        Traceback (most recent call last):
        kakera.errors.OptionError: lr is now learning_rate
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            for old in names.keys() & kwargs.keys():
                raise OptionError(f"{old} is now {names[old]}")
            return function(*args, **kwargs)

        return call

    return decorate


def is_union(hint: Any) -> bool:
    """Return True if a type hint is a union, such as a number or "auto".

    Example:

        >>> is_union(int | Auto), is_union(int)
        (True, False)
    """
    return get_origin(hint) in (Union, types.UnionType)


def check(options: Any) -> None:
    """Check the types, choices and ranges of all fields of an option dataclass.

    Raises OptionError for the first wrong field.

    Example:

        >>> @dataclass(frozen=True)
        ... class Options:
        ...     epochs: int = within(10, 1)
        >>> check(Options(epochs=0))
        Traceback (most recent call last):
        kakera.errors.OptionError: epochs: got 0, expected a number from 1; correct it
    """
    hints = get_type_hints(type(options))
    for each in fields(options):
        bounds = each.metadata.get(_BOUNDS, Bounds())
        _check(each.name, getattr(options, each.name), hints[each.name], bounds)


def _check(name: str, value: Any, hint: Any, bounds: Bounds, more: str = "") -> None:
    """Check one value against a type hint; `more` is added to the expected value in error messages."""
    if is_union(hint):
        if value == AUTO:
            return
        own = next(part for part in get_args(hint) if get_origin(part) is not Literal)
        _check(name, value, own, bounds, f", or {AUTO}")
    elif get_origin(hint) is Literal:
        *names, last = get_args(hint)
        _require(value in get_args(hint), name, value, f"{', '.join(names)} or {last}")
    elif get_origin(hint) is tuple:
        item = get_args(hint)[0]
        choices = get_args(item) if get_origin(item) is Literal else ()
        if choices:
            some = f"some of {', '.join(choices)}"
            _require(all(one in choices for one in value), name, value, some)
        _require(bool(value) or not bounds.needed, name, "nothing", "at least one value", quoted=False)
        for one in value if not choices else ():
            _check(name, one, item, bounds, more)
    elif hint is bool:
        _require(isinstance(value, bool), name, value, "true or false")
    elif hint is str:
        _require(isinstance(value, str), name, value, "text")
    elif hint in (int, float):
        check_number(name, value, hint, bounds, auto=bool(more))


def check_number(name: str, value: Any, kind: type[Any], bounds: Bounds, *, auto: bool = False) -> None:
    """Check that a number has the type `kind` (int or float) and is in its range.

    `name` is the option in the error message. With `auto` the message also offers "auto". Raises OptionError.

    Example:

        >>> check_number("epochs", 10, int, Bounds(1))
        >>> check_number("epochs", 1.5, int, Bounds(1))
        Traceback (most recent call last):
        kakera.errors.OptionError: epochs: got 1.5, expected a whole number; correct it
    """
    more, kinds = f", or {AUTO}" if auto else "", int if kind is int else (int, float)
    number = isinstance(value, kinds) and not isinstance(value, bool)
    _require(number, name, value, ("a whole number" if kind is int else "a number") + more)
    _require(bounds.holds(value), name, value, bounds.describe() + more)


def _require(holds: bool, name: str, value: object, expected: str, *, quoted: bool = True) -> None:
    if not holds:
        got = repr(value) if quoted else value
        raise OptionError(name, got=got, expected=expected, do="correct it")
