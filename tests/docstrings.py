"""Lists the docstrings of `src/kakera`: `python -m tests.docstrings --sample 40` prints a sample."""

from __future__ import annotations

import argparse
import ast
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "kakera"
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True)
class Item:
    """A module, class, function, method or property, with its docstring."""

    path: Path
    line: int
    kind: str
    name: str
    """With the class before it: "ViT.forward"."""
    docstring: str
    raises: frozenset[str]
    """The exceptions that its own body raises."""
    arguments: tuple[str, ...]

    @property
    def is_public(self) -> bool:
        """True if no part of the name begins with an underscore."""
        return not any(part.startswith("_") for part in self.name.split("."))

    @property
    def place(self) -> str:
        """The file below `src/kakera` and the line."""
        return f"{self.path.relative_to(SOURCE)}:{self.line}"

    @property
    def first_line(self) -> str:
        """The summary."""
        return self.docstring.strip().split("\n")[0]


def items() -> Iterator[Item]:
    """Yield every module, class, function and method that has a docstring."""
    for path in sorted(SOURCE.rglob("*.py")):
        tree = ast.parse(path.read_text())
        text = ast.get_docstring(tree)
        if text:
            yield Item(path, 1, "module", path.stem.strip("_"), text, frozenset(), ())
        yield from _below(path, tree, "")


def _below(path: Path, node: ast.Module | ast.ClassDef, prefix: str) -> Iterator[Item]:
    for child in node.body:
        if isinstance(child, ast.ClassDef):
            name = f"{prefix}{child.name}"
            yield Item(path, child.lineno, "class", name, ast.get_docstring(child) or "", frozenset(), ())
            yield from _below(path, child, f"{name}.")
        elif isinstance(child, FUNCTIONS) and not _is_overload(child):
            kind = _kind(child, in_class=bool(prefix))
            arguments = (*child.args.posonlyargs, *child.args.args, *child.args.kwonlyargs)
            names = tuple(arg.arg for arg in arguments if arg.arg not in ("self", "cls"))
            text = ast.get_docstring(child) or ""
            yield Item(path, child.lineno, kind, f"{prefix}{child.name}", text, _raised(child), names)


def _is_overload(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    return any(isinstance(each, ast.Name) and each.id == "overload" for each in node.decorator_list)


def _kind(node: ast.FunctionDef | ast.AsyncFunctionDef, *, in_class: bool) -> str:
    names = {part.id for each in node.decorator_list for part in ast.walk(each) if isinstance(part, ast.Name)}
    if "property" in names or "cached_property" in names:
        return "property"
    return "method" if in_class else "function"


def _raised(node: ast.AST) -> frozenset[str]:
    """Return the names of the errors that leave a function, by its own `raise` statements."""
    caught: set[int] = set()
    for block in ast.walk(node):
        if isinstance(block, ast.Try):
            names = {
                part.id
                for h in block.handlers
                for part in ast.walk(h.type or h)
                if isinstance(part, ast.Name)
            }
            inner = [part for line in block.body for part in ast.walk(line) if isinstance(part, ast.Raise)]
            caught |= {id(each) for each in inner if _error(each) in names}
    raised = (each for each in ast.walk(node) if isinstance(each, ast.Raise) and id(each) not in caught)
    return frozenset(name for each in raised if (name := _error(each)).endswith("Error"))


def _error(node: ast.Raise) -> str:
    call = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
    return call.id if isinstance(call, ast.Name) else ""


def main() -> None:
    """Print public functions, classes and methods that a seed draws, with file and line."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--sample", type=int, default=40, help="number of items")
    parser.add_argument("--seed", type=int, default=0, help="seed of the draw")
    parser.add_argument("--without", nargs="*", default=["cli", "web"], help="rooms that are left out")
    given = parser.parse_args()
    public = [
        item
        for item in items()
        if item.is_public and item.kind in ("class", "function", "method") and item.docstring
        if item.path.relative_to(SOURCE).parts[0] not in given.without
    ]
    for item in random.Random(given.seed).sample(public, given.sample):
        print(f"{item.place} {item.kind} {item.name}({', '.join(item.arguments)})\n{item.docstring}\n")


if __name__ == "__main__":
    main()
