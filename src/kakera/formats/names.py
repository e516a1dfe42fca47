"""Tables of names: which tensor of another library is which of ours. Applied both ways, strictly."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from einops import EinopsError, rearrange
from torch import Tensor, nn

from kakera.errors import RunError
from kakera.formats import build
from kakera.formats.build import require_numbers

AS_IT_IS = ("...", "...")
ROW = ("1 1 d", "d")  # a token
ROWS = ("1 n d", "n d")  # positions
CONVOLUTION = ("d c ph pw", "d (ph pw c)")  # the embedding of patches, which are channels-last vectors here
SHOWN = 3  # names in an error; the rest is a count


@dataclass(frozen=True)
class Row:
    """A pattern of ours and of theirs: `{}` stands for a number, a last `*` for weight or bias.

    Several patterns of theirs are parts that we keep one below the other as one tensor. `form` is how
    theirs and ours are laid out, in einops' words.
    """

    ours: str
    theirs: str | tuple[str, ...]
    form: tuple[str, str] = AS_IT_IS

    @property
    def parts(self) -> tuple[str, ...]:
        """Their patterns, always several."""
        return (self.theirs,) if isinstance(self.theirs, str) else self.theirs


def below(ours: str, theirs: str, rows: Sequence[Row]) -> tuple[Row, ...]:
    """The same rows with a prefix on either side."""
    return tuple(Row(ours + row.ours, tuple(theirs + part for part in row.parts), row.form) for row in rows)


def read(
    tensors: Mapping[str, Tensor],
    rows: Sequence[Row],
    *,
    source: str,
    axes: Mapping[str, int],
    dropped: Sequence[str] = (),
) -> dict[str, Tensor]:
    """Their tensors under our names and in our layout; `axes` are lengths that a form speaks of.

    `dropped` are patterns of what we have no use for. Raises RunError that lists what is left over or
    missing, or names a tensor of another shape, of another type than floating point, or with NaN.
    """
    left, found, missing = dict(tensors), dict[str, Tensor](), list[str]()
    for pattern in dropped:
        for name, _ in list(_matches(pattern, left)):
            del left[name]
    require_numbers(left, source)
    for row in rows:
        for _, values in list(_matches(row.parts[0], left)):
            names = [_filled(part, values) for part in row.parts]
            missing += [name for name in names if name not in left]
            parts = [left.pop(name) for name in names if name in left]
            if len(parts) == len(names):
                moved = [_moved(part, row.form, names[0], source, axes) for part in parts]
                found[_filled(row.ours, values)] = (
                    moved[0] if len(moved) == 1 else _joined(moved, names, source)
                )
    if left or missing:
        raise _refusal(source, left=list(left), missing=missing)
    return found


def write(
    tensors: Mapping[str, Tensor], rows: Sequence[Row], *, source: str, axes: Mapping[str, int]
) -> dict[str, Tensor]:
    """The inverse of `read`. Raises RunError that lists what their names cannot say."""
    left, found = dict(tensors), dict[str, Tensor]()
    for row in rows:
        for name, values in list(_matches(row.ours, left)):
            parts = left.pop(name).chunk(len(row.parts))
            for pattern, part in zip(row.parts, parts, strict=True):
                moved = _moved(part, (row.form[1], row.form[0]), name, source, axes)
                found[_filled(pattern, values)] = moved.contiguous()
    if left:
        raise _refusal(source, left=list(left), missing=[])
    return found


def fill(model: nn.Module, found: Mapping[str, Tensor], rows: Sequence[Row], *, source: str) -> None:
    """Put tensors under our names into a model that was built `without_memory`.

    float64 stays what it is, all else becomes float32. Raises RunError where names or shapes are not the
    model's.
    """
    wanted = model.state_dict()
    spare = [_theirs(name, rows) for name in found.keys() - wanted.keys()]
    missing = [_theirs(name, rows) for name in wanted.keys() - found.keys()]
    if spare or missing:
        raise _refusal(source, left=spare, missing=missing)
    for name, tensor in found.items():
        if tensor.shape != wanted[name].shape:
            got, expected = _size(tensor), _size(wanted[name])
            raise RunError(
                source,
                got=f"{_theirs(name, rows)} as {got}",
                expected=f"{expected}, as its description says",
                do="take description and weights from the same model",
            )
    build.fill(model, found)


def _matches(pattern: str, names: Mapping[str, Tensor]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The names that a pattern describes, with what stands in its gaps."""
    expression = re.escape(pattern).replace(r"\{\}", r"(\d+)")
    if expression.endswith(r"\*"):
        expression = expression[:-2] + "(weight|bias)"
    compiled = re.compile(expression)
    for name in names:
        if match := compiled.fullmatch(name):
            yield name, match.groups()


def _filled(pattern: str, values: Sequence[str]) -> str:
    pattern = pattern[:-1] + "{}" if pattern.endswith("*") else pattern
    return pattern.format(*values)


def _theirs(name: str, rows: Sequence[Row]) -> str:
    nothing = torch.empty(0)
    for row in rows:
        for _, values in _matches(row.ours, {name: nothing}):
            return _filled(row.parts[0], values)
    return name


def _moved(tensor: Tensor, form: tuple[str, str], name: str, source: str, axes: Mapping[str, int]) -> Tensor:
    known = {axis: length for axis, length in axes.items() if re.search(rf"\b{axis}\b", form[0])}
    try:
        return rearrange(tensor, f"{form[0]} -> {form[1]}", **known)
    except EinopsError as error:
        sizes = "".join(f", {axis} = {length}" for axis, length in known.items())
        raise RunError(
            source,
            got=f"{name} as {_size(tensor)}",
            expected=f"axes {form[0]}{sizes}",
            do="take description and weights from the same model",
        ) from error


def _joined(parts: Sequence[Tensor], names: Sequence[str], source: str) -> Tensor:
    """Queries, keys and values below each other. Raises RunError where they do not fit together."""
    if not all(part.ndim for part in parts) or len({part.shape[1:] for part in parts}) > 1:
        got = ", ".join(f"{name} as {_size(part)}" for name, part in zip(names, parts, strict=True))
        do = "take description and weights from the same model"
        raise RunError(source, got=got, expected="tensors that fit below each other", do=do)
    return torch.cat([*parts])


def _size(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "one number"


def _refusal(source: str, *, left: Sequence[str], missing: Sequence[str]) -> RunError:
    said = [
        f"{len(names)} {kind} ({', '.join(sorted(names)[:SHOWN])}{', …' if len(names) > SHOWN else ''})"
        for names, kind in ((left, "unknown"), (missing, "missing"))
        if names
    ]
    return RunError(
        source,
        got=" and ".join(said),
        expected="every tensor of the model, and no other",
        do="name a model of a kind that is read, with all its weights",
    )
