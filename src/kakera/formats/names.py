"""Tables that map the tensor names of other libraries to kakera's names, in both directions, strictly."""

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
ROW = ("1 1 d", "d")  # one token
ROWS = ("1 n d", "n d")  # position embeddings
CONVOLUTION = (
    "d c ph pw",
    "d (ph pw c)",
)  # the patch embedding: kakera's patches are vectors with channels last
SHOWN = 3  # names in an error message, which counts the others


@dataclass(frozen=True)
class Row:
    """A name pattern of kakera (`ours`) and of another library (`theirs`).

    `{}` matches a number; a final `*` matches `weight` or `bias`. If `theirs` has several patterns, their
    tensors are concatenated along the first axis into one tensor of kakera (queries, keys and values, for
    example). `form` is the layout of theirs and of ours, as einops patterns.

    Example:

        >>> Row("attention.qkv.*", ("query.*", "key.*", "value.*")).parts
        ('query.*', 'key.*', 'value.*')
    """

    ours: str
    theirs: str | tuple[str, ...]
    form: tuple[str, str] = AS_IT_IS

    @property
    def parts(self) -> tuple[str, ...]:
        """The patterns of the other library, always as a tuple."""
        return (self.theirs,) if isinstance(self.theirs, str) else self.theirs


def with_prefix(ours: str, theirs: str, rows: Sequence[Row]) -> tuple[Row, ...]:
    """Return the same rows with a prefix before both names.

    Example:

        >>> with_prefix("layers.{}.", "blocks.{}.", [Row("norm1.*", "norm1.*")])[0].ours
        'layers.{}.norm1.*'
    """
    return tuple(Row(ours + row.ours, tuple(theirs + part for part in row.parts), row.form) for row in rows)


def read(
    tensors: Mapping[str, Tensor],
    rows: Sequence[Row],
    *,
    source: str,
    axes: Mapping[str, int],
    dropped: Sequence[str] = (),
) -> dict[str, Tensor]:
    """Return the tensors of another library under kakera's names and in kakera's layout.

    `axes` are the lengths of axes in `form`; `dropped` are patterns of tensors that kakera does not use.
    Raises RunError that lists unknown and missing tensors, or names a tensor with another shape, a tensor
    that is not floating point, or one with NaN or infinity.

    Example:

        >>> read({"fc.bias": torch.ones(2)}, [Row("head.*", "fc.*")], source="file", axes={})
        {'head.bias': tensor([1., 1.])}
    """
    left, mapped, missing = dict(tensors), dict[str, Tensor](), list[str]()
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
                mapped[_filled(row.ours, values)] = (
                    moved[0] if len(moved) == 1 else _joined(moved, names, source)
                )
    if left or missing:
        raise _refusal(source, left=list(left), missing=missing)
    return mapped


def write(
    tensors: Mapping[str, Tensor], rows: Sequence[Row], *, source: str, axes: Mapping[str, int]
) -> dict[str, Tensor]:
    """Return kakera's tensors under the names and in the layout of another library: the inverse of `read`.

    Raises RunError that lists the tensors without a name in that library.

    Example:

        >>> write({"head.bias": torch.ones(2)}, [Row("head.*", "fc.*")], source="timm", axes={})
        {'fc.bias': tensor([1., 1.])}
    """
    left, mapped = dict(tensors), dict[str, Tensor]()
    for row in rows:
        for name, values in list(_matches(row.ours, left)):
            parts = left.pop(name).chunk(len(row.parts))
            for pattern, part in zip(row.parts, parts, strict=True):
                moved = _moved(part, (row.form[1], row.form[0]), name, source, axes)
                mapped[_filled(pattern, values)] = moved.contiguous()
    if left:
        raise _refusal(source, left=list(left), missing=[])
    return mapped


def fill(model: nn.Module, mapped: Mapping[str, Tensor], rows: Sequence[Row], *, source: str) -> None:
    """Fill a model that was built `without_memory` with tensors under kakera's names.

    float64 stays float64, any other type becomes float32. Raises RunError if names or shapes do not match
    the model.

    Example:

        >>> with build.without_memory("file", expected="a layer", do="name another file"):
        ...     layer = nn.Linear(1, 1)
        >>> fill(layer, {"weight": torch.ones(1, 1), "bias": torch.zeros(1)}, [], source="file")
        >>> layer.weight.item()
        1.0
    """
    expected_shapes = model.state_dict()
    spare = [_theirs(name, rows) for name in mapped.keys() - expected_shapes.keys()]
    missing = [_theirs(name, rows) for name in expected_shapes.keys() - mapped.keys()]
    if spare or missing:
        raise _refusal(source, left=spare, missing=missing)
    for name, tensor in mapped.items():
        if tensor.shape != expected_shapes[name].shape:
            got, expected = _size(tensor), _size(expected_shapes[name])
            raise RunError(
                source,
                got=f"{_theirs(name, rows)} of shape {got}",
                expected=f"{expected}, as in its description",
                do="use description and weights of the same model",
            )
    build.fill(model, mapped)


def _matches(pattern: str, names: Mapping[str, Tensor]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the names that match a pattern, and the values of its gaps."""
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
            got=f"{name} of shape {_size(tensor)}",
            expected=f"axes {form[0]}{sizes}",
            do="use description and weights of the same model",
        ) from error


def _joined(parts: Sequence[Tensor], names: Sequence[str], source: str) -> Tensor:
    """Concatenate queries, keys and values. Raises RunError if their shapes do not match."""
    if not all(part.ndim for part in parts) or len({part.shape[1:] for part in parts}) > 1:
        got = ", ".join(f"{name} of shape {_size(part)}" for name, part in zip(names, parts, strict=True))
        do = "use description and weights of the same model"
        raise RunError(source, got=got, expected="tensors of the same shape after the first axis", do=do)
    return torch.cat([*parts])


def _size(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "()"


def _refusal(source: str, *, left: Sequence[str], missing: Sequence[str]) -> RunError:
    lists = [
        f"{len(names)} {kind} ({', '.join(sorted(names)[:SHOWN])}{', …' if len(names) > SHOWN else ''})"
        for names, kind in ((left, "unknown"), (missing, "missing"))
        if names
    ]
    return RunError(
        source,
        got=" and ".join(lists),
        expected="every tensor of the model, and no other",
        do="name a supported model with all its weights",
    )
