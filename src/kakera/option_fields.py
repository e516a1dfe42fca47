"""What a field of options may hold: one type for automatic values, ranges beside the fields, one checker."""

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
"""A value that follows from the data, the machine or the recipe."""
_BOUNDS = "bounds"


def or_none(value: T | Auto) -> T | None:
    """Return a value, or None where it is to be chosen automatically."""
    return None if value == AUTO else value  # pyright: ignore[reportReturnType]  # "auto" is no T


@dataclass(frozen=True)
class Bounds:
    """What numbers a field takes, each of several alike; the ends belong to it unless it is `open`."""

    low: float = -math.inf
    high: float = math.inf
    open: bool = False
    needed: bool = False
    """Whether at least one value must be given, where several may be."""

    def holds(self, value: float) -> bool:
        """Return whether a number lies within; NaN never does."""
        return self.low < value < self.high if self.open else self.low <= value <= self.high

    def words(self) -> str:
        """For errors: a number from 0 to 1, a number above 0."""
        if math.isinf(self.high):
            return f"a number {'above' if self.open else 'from'} {self.low:g}"
        return f"a number {'between' if self.open else 'from'} {self.low:g} " + (
            f"and {self.high:g}" if self.open else f"to {self.high:g}"
        )


def within(
    default: T, low: float = -math.inf, high: float = math.inf, *, open: bool = False, needed: bool = False
) -> T:
    """Return the field of a dataclass with its default and the range of its numbers: see `Bounds`."""
    bounds = Bounds(low, high, open, needed)
    found: Any = field(default=default, metadata={_BOUNDS: bounds})
    return found


def renamed(**names: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that refuses keyword arguments of an earlier version: old names, and today's."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            for old in names.keys() & kwargs.keys():
                raise OptionError(f"{old} is now {names[old]}")
            return function(*args, **kwargs)

        return call

    return decorate


def is_union(hint: Any) -> bool:
    """Return whether a type is one of several, such as a number or "auto"."""
    return get_origin(hint) in (Union, types.UnionType)


def check(options: Any) -> None:
    """Check every field of a dataclass of options: types, choices and ranges. Raises OptionError."""
    hints = get_type_hints(type(options))
    for each in fields(options):
        bounds = each.metadata.get(_BOUNDS, Bounds())
        _check(each.name, getattr(options, each.name), hints[each.name], bounds)


def _check(name: str, value: Any, hint: Any, bounds: Bounds, more: str = "") -> None:
    """One value of a type; `more` is what else it might have been, for errors."""
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
    """Check that a number is of a kind, int or float, and in its range. Raises OptionError."""
    more, kinds = f", or {AUTO}" if auto else "", int if kind is int else (int, float)
    number = isinstance(value, kinds) and not isinstance(value, bool)
    _require(number, name, value, ("a whole number" if kind is int else "a number") + more)
    _require(bounds.holds(value), name, value, bounds.words() + more)


def _require(holds: bool, name: str, value: object, expected: str, *, quoted: bool = True) -> None:
    if not holds:
        got = repr(value) if quoted else value
        raise OptionError(name, got=got, expected=expected, do="correct it")
