"""A plate: a picture, how to read it, and its numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray
from PIL import Image


@dataclass(frozen=True, eq=False)
class Plate:
    """`name` is that of its file; `numbers` go into `numbers.npz`.

    `caption` says how to read such a plate, `facts` what is to be said of this one.
    """

    name: str
    title: str
    caption: str
    image: Image.Image
    numbers: dict[str, NDArray[Any]] = field(default_factory=dict)
    facts: str = ""
