"""A folder of figures: PNG files, their numbers, and one page that shows everything."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kakera.explain.picture import png
from kakera.reports import html
from kakera.storage import write_atomically

PAGE, NUMBERS = "index.html", "numbers.npz"


class Gallery:
    """A writer of figures; it writes each PNG at once, and the numbers and the page at the end.

    Example:

        >>> gallery = Gallery(Path("page"))
        >>> figure = Figure("black", "A black picture", "Black is 0.", Image.new("L", (8, 8)))
        >>> gallery.section("Pictures", "first-", [figure])
        >>> gallery.finish("Figures", "One picture.")
        >>> gallery.written
        ['first-black.png', 'numbers.npz', 'index.html']
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.written: list[str] = []
        self.parts: list[str] = []
        self._explained: set[str] = set()
        self.numbers: dict[str, NDArray[Any]] = {}

    def section(self, title: str, prefix: str, plates: Sequence[Figure]) -> None:
        """Add a heading and its figures to the page, and write the figures; file names start with `prefix`.

        A caption, which explains how to read a figure, is printed once, below the first figure that has it.
        """
        self.parts.append(html.heading(title))
        for plate in plates:
            content = png(plate.image)
            write_atomically(self.folder / f"{prefix}{plate.name}.png", content)
            self.written.append(f"{prefix}{plate.name}.png")
            fresh = [] if plate.caption in self._explained else [plate.caption]
            self._explained.add(plate.caption)
            texts = [f"{plate.title}.", *([plate.facts] if plate.facts else []), *fresh]
            self.parts.append(html.picture(content, caption=" ".join(texts)))
            self.numbers |= {f"{prefix}{name}": values for name, values in plate.numbers.items()}

    def finish(self, title: str, opening: str) -> None:
        """Write the numbers, then the page; the page comes last, so a folder with a page is complete."""
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **self.numbers)  # type: ignore[arg-type]  # names are ours
        write_atomically(self.folder / NUMBERS, buffer.getvalue())
        page = html.page(title, html.paragraph(opening), *self.parts)
        write_atomically(self.folder / PAGE, page.encode())
        self.written += [NUMBERS, PAGE]


@dataclass(frozen=True, eq=False)
class Figure:
    """A figure of the page, with its file name (`name`) and the arrays for `numbers.npz` (`numbers`).

    `caption` explains how to read a figure of this kind; `facts` are numbers of this figure.

    Example:

        >>> Figure("black", "A black picture", "Black is 0.", Image.new("L", (8, 8))).numbers
        {}
    """

    name: str
    title: str
    caption: str
    image: Image.Image
    numbers: dict[str, NDArray[Any]] = field(default_factory=dict)
    facts: str = ""
