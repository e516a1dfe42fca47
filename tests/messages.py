"""Lists every text that a user may read: `python -m tests.messages` prints file, line, kind and text.

Help texts and string constants come from the syntax trees of `src/kakera`, page texts from `web/static`.
"""

from __future__ import annotations

import argparse
import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "kakera"
WORDS = re.compile(r"[A-Za-z]{2,}[ ,.;:…]+[A-Za-z{(]|^[A-Z][a-z]+$")
SHAPE = re.compile(r"^ ?[a-zA-Z*]\w*( [a-zA-Z\d*]+\w*)*$")  # jaxtyping: "b c H W"


@dataclass(frozen=True)
class Message:
    """One text: its place, and its kind: docstring, help, message or page."""

    path: Path
    line: int
    kind: str
    text: str


def in_python(path: Path) -> Iterator[Message]:
    """Yield the texts of a module: docstrings, help texts (strings below fields), and messages."""
    tree = ast.parse(path.read_text())
    docs: set[int] = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for place, child in enumerate(node.body):
            if not (isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant)):
                continue
            if isinstance(child.value.value, str):
                docs.add(id(child.value))
                yield Message(path, child.lineno, "docstring" if place == 0 else "help", child.value.value)
    skipped = _annotations(tree) | docs
    parts = {id(value) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for value in node.values}
    for node in ast.walk(tree):
        if id(node) in skipped or id(node) in parts:
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            text = node.value
        elif isinstance(node, ast.JoinedStr):
            text = "".join(v.value if isinstance(v, ast.Constant) else "{}" for v in node.values)
        else:
            continue
        if WORDS.search(text):
            yield Message(path, node.lineno, "message", text)


def _annotations(tree: ast.AST) -> set[int]:
    """Return the ids of all nodes inside annotations and subscripts, whose strings are shapes."""
    found: set[int] = set()
    for node in ast.walk(tree):
        inside = [getattr(node, "annotation", None), getattr(node, "returns", None)]
        if isinstance(node, ast.Subscript):
            inside.append(node.slice)
        for part in inside:
            if part is not None:
                found |= {id(child) for child in ast.walk(part)}
    return found


def in_page(path: Path) -> Iterator[Message]:
    """Yield the texts of the explorer's page: quoted strings of scripts, text between tags."""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if path.suffix == ".js":
            code = re.sub(r"(^|\s)//.*", "", line)
            quoted = re.findall(r'"([^"]*)"|\'([^\']*)\'|`([^`]*)`', code)
            found = [text for groups in quoted for text in groups]
        else:
            found = re.findall(r">([^<>{}]+)<", line)
            found += re.findall(r'(?:title|placeholder|aria-label)="([^"]+)"', line)
        for text in found:
            if WORDS.search(text.strip()):
                yield Message(path, number, "page", text.strip())


def messages() -> list[Message]:
    """Return every text of the sources, in the order of files and lines."""
    found: list[Message] = []
    for path in sorted(SOURCE.rglob("*.py")):
        found += sorted(in_python(path), key=lambda message: message.line)
    for path in sorted((SOURCE / "web" / "static").rglob("*")):
        if path.suffix in (".js", ".html"):
            found += in_page(path)
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kind", choices=["docstring", "help", "message", "page"])
    kind = parser.parse_args().kind
    for message in messages():
        if kind in (None, message.kind):
            print(f"{message.path.relative_to(SOURCE)}:{message.line}: {message.kind}: {message.text!r}")
