"""Opening of picture files with Pillow, and a one-line reason for every file that cannot be read."""

from __future__ import annotations

import io
import os
import re
import struct
import threading
import warnings
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from PIL import Image, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile

from kakera.data.images.kinds import described, formats
from kakera.data.images.mended import content_of, mended
from kakera.errors import UnreadableFileError

MOST_PIXELS = 100_000_000
MOST_SHRUNK = 16  # a JPEG may have 16 times MOST_PIXELS, since it can be decoded at a quarter of its size
TOO_MANY = "pixels, expected at most"  # a part of the reason for a picture with too many pixels
_KINDS = "expected a JPEG, PNG, WebP, TIFF, BMP, GIF, AVIF, JPEG 2000, PPM or TGA picture"
JPEG = b"\xff\xd8"
_HEAD = 1 << 16  # bytes that are read to describe a file
_REMARKS = re.compile(r"PIL\.")  # modules that warn about odd but readable files, without use for a user
_LOCK = threading.Lock()

Source: TypeAlias = Path | str | bytes


def opened(source: Source, most_pixels: int = MOST_PIXELS) -> Image.Image:
    """Open a picture file with Pillow, without reading its pixels.

    A JPEG with too many pixels is set to be decoded at a smaller size. Raises UnreadableFileError if more
    than `most_pixels` pixels remain, and the errors of Pillow.

    Example:

        >>> Image.new("RGB", (4, 2)).save("a.png")
        >>> with opened("a.png") as image:
        ...     print(image.format, image.size)
        PNG (4, 2)
    """
    _hush()
    image = _image(source)
    kind = str(image.format)
    if kind in ("TGA", "PCX", "SGI") and mended(kind, first_bytes(source)):
        content = source if isinstance(source, bytes) else Path(source).read_bytes()
        with suppress(ValueError, struct.error):  # Pillow then reports the damage
            image = Image.open(io.BytesIO(content_of(kind, content)), formats=(kind,))
    try:
        if isinstance(image, JpegImageFile):
            _shrink(image, most_pixels)
        require_few_pixels(image, name(source), most_pixels)
    except UnreadableFileError:
        image.close()
        raise
    return image


def _image(source: Source) -> Image.Image:
    file = io.BytesIO(source) if isinstance(source, bytes) else source
    try:
        return Image.open(file, formats=formats())
    except Image.DecompressionBombError:
        if not first_bytes(source).startswith(JPEG):
            raise
    if isinstance(file, io.BytesIO):
        file.seek(0)
    return JpegImageFile(file)  # as Image.open, but without Pillow's pixel limit: ours is checked later


def _shrink(image: JpegImageFile, most_pixels: int) -> None:
    """Set a JPEG to be decoded at a half or a quarter of its size if that is at most `most_pixels` pixels.

    Progressive JPEGs stay at full size, because all their coefficients are in memory in any case.
    """
    width, height = image.size
    pixels = width * height
    if not most_pixels < pixels <= MOST_SHRUNK * most_pixels or image.info.get("progressive"):
        return
    scale = 2 if pixels <= 4 * most_pixels else 4
    image.draft(None, (width // scale, height // scale))


def require_few_pixels(image: Image.Image, name: str, most_pixels: int) -> None:
    """Raise UnreadableFileError if an image has more than `most_pixels` pixels.

    Example:

        >>> require_few_pixels(Image.new("L", (4, 2)), "a.png", most_pixels=6)
        Traceback (most recent call last):
        kakera.errors.UnreadableFileError: a.png: got 4 x 2 pixels, expected at most 6; make it smaller
    """
    width, height = image.size
    if width * height > most_pixels:
        reason = f"got {width} x {height} {TOO_MANY} {most_pixels:,}; make it smaller"
        raise UnreadableFileError(name, reason)


def _hush() -> None:
    """Ignore Pillow's warnings from now on, also if other code has changed the warning filters.

    `warnings.catch_warnings` changes the filters of the whole process, so it is not safe with threads.
    """
    ours = ("ignore", None, Warning, _REMARKS, 0)
    with _LOCK:
        if not warnings.filters or warnings.filters[0] != ours:
            warnings.filterwarnings("ignore", module=_REMARKS.pattern)


def name(source: Source) -> str:
    """Return the name of a source for messages: its path, or "picture" for bytes.

    Example:

        >>> name(Path("a.png")), name(b"bytes of a file")
        ('a.png', 'picture')
    """
    return "picture" if isinstance(source, bytes) else os.fspath(source)


def reason(source: Source, error: Exception) -> str:
    """Return the reason why a file cannot be read, as a short phrase without the file's name.

    Example:

        >>> reason("a.png", FileNotFoundError())
        'got no file of this name, expected a picture'
    """
    if isinstance(error, FileNotFoundError):
        return "got no file of this name, expected a picture"
    if isinstance(error, IsADirectoryError):
        return "got a folder, expected a picture"
    if isinstance(error, PermissionError):
        return "got no permission to read it, expected a readable picture"
    if isinstance(error, Image.DecompressionBombError):
        return f"got too many {TOO_MANY} {MOST_PIXELS:,}; make it smaller"
    if isinstance(error, UnidentifiedImageError):
        return f"got {described(first_bytes(source))}, {_KINDS}"
    if isinstance(error, ValueError) and str(error).startswith("got "):
        return str(error)
    unusual = "" if isinstance(error, OSError) and error.errno else described(first_bytes(source))
    if unusual.startswith("a JPEG ("):
        return f"got {unusual}, {_KINDS}"
    detail = " ".join(str(error).split()) or type(error).__name__
    return f"got a damaged picture ({detail[:80]}), expected an undamaged one"


def first_bytes(source: Source) -> bytes:
    """Return the first 64 KiB of a file.

    Example:

        >>> len(first_bytes(bytes(100_000)))
        65536
    """
    if isinstance(source, bytes):
        return source[:_HEAD]
    with Path(source).open("rb") as file:
        return file.read(_HEAD)
