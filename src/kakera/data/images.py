"""One picture file, whatever its kind, to 8-bit values (H, W, C)."""

from __future__ import annotations

import io
import os
import re
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from kakera.data.jpeg import plain_jpeg
from kakera.errors import UnreadableFileError
from kakera.out_of_memory import raise_lack

SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif"})
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF")  # MPO, two pictures of a stereo camera, is a JPEG
MOST_PIXELS = 100_000_000
STRIP = 1 << 20  # pixels converted at a time
_KINDS = "expected a JPEG, PNG, WebP, TIFF, BMP or GIF picture"

_WEIGHTS = np.array([299, 587, 114], dtype=np.uint32)  # of red, green, blue: ITU-R BT.601
_ORIENTATION = 0x0112  # the EXIF tag; 5 to 8 lie on their side
_REMARKS = re.compile(r"PIL\.")  # modules whose warnings on odd but readable files nobody can act on
_LOCK = threading.Lock()

Source = Path | str | bytes


def decode(
    source: Source,
    channels: int,
    *,
    at_least: tuple[int, int] | None = None,
    most_pixels: int = MOST_PIXELS,
) -> NDArray[np.uint8]:
    """Values 0 … 255, (H, W, channels), upright, first frame, transparency laid on white.

    `at_least` (height, width) permits a JPEG to be decoded at a fraction of its size, not below that.
    Raises UnreadableFileError, whatever the bytes, before decoding where there are more than `most_pixels`.
    """
    quick = None if at_least else plain_jpeg(source, channels, most_pixels)
    if quick is not None:
        return quick
    try:
        with _open(source, most_pixels) as image:
            if at_least is not None:
                height, width = at_least[::-1] if _on_its_side(image) else at_least
                image.draft(None, (width, height))
            return _values(image, channels)
    except UnreadableFileError:
        raise
    except Exception as error:  # decoders raise nearly every kind of error on broken files
        raise_lack(error)
        raise UnreadableFileError(_name(source), _reason(source, error)) from error


def from_image(image: Image.Image, channels: int, name: str = "picture") -> NDArray[np.uint8]:
    """Convert an image of Pillow as `decode` does a file. Raises UnreadableFileError, which names `name`."""
    try:
        _require_few_pixels(image, name, MOST_PIXELS)
        return _values(image, channels)
    except UnreadableFileError as error:
        raise UnreadableFileError(name, error.reason) from error
    except Exception as error:  # an image that has been opened and not read yet
        raise UnreadableFileError(name, _reason(b"", error)) from error


def header(source: Source) -> tuple[int, int, int]:
    """(height, width, channels) without decoding; channels is 1 (grey) or 3. Raises UnreadableFileError."""
    try:
        with _open(source) as image:
            height, width = image.size if _on_its_side(image) else image.size[::-1]
            return height, width, 1 if _grey(image) else 3
    except UnreadableFileError:
        raise
    except Exception as error:
        raise UnreadableFileError(_name(source), _reason(source, error)) from error


def with_depth(values: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    """(…, 1 or 3) as (…, channels): grey three times, or what the eye takes colours for."""
    if values.shape[-1] == channels:
        return values
    if channels == 3:
        return np.repeat(values, 3, axis=-1)
    grey = (values.astype(np.uint32) @ _WEIGHTS + 500) // 1000
    return grey.astype(np.uint8)[..., None]


def _open(source: Source, most_pixels: int = MOST_PIXELS) -> Image.Image:
    _hush()
    image = Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=FORMATS)
    try:
        _require_few_pixels(image, _name(source), most_pixels)
    except UnreadableFileError:
        image.close()
        raise
    return image


def _require_few_pixels(image: Image.Image, name: str, most_pixels: int) -> None:
    width, height = image.size
    if width * height > most_pixels:
        reason = f"got {width} x {height} pixels, expected at most {most_pixels:,}; make it smaller"
        raise UnreadableFileError(name, reason)


def _hush() -> None:
    """Pillow's warnings ignored from now on, whatever filters others have set since.

    `warnings.catch_warnings` swaps the filters of the whole process and so is not for threads.
    """
    ours = ("ignore", None, Warning, _REMARKS, 0)
    with _LOCK:
        if not warnings.filters or warnings.filters[0] != ours:
            warnings.filterwarnings("ignore", module=_REMARKS.pattern)


def _on_its_side(image: Image.Image) -> bool:
    """Whether `image.size` is still to be swapped; Pillow does so itself for TIFF."""
    return image.format != "TIFF" and image.getexif().get(_ORIENTATION) in (5, 6, 7, 8)


def _grey(image: Image.Image) -> bool:
    if image.mode == "P" and image.palette is not None:
        colours = np.asarray(image.getpalette("RGB") or [0, 0, 0]).reshape(-1, 3)
        return bool((colours == colours[:, :1]).all())
    return image.mode in ("1", "L", "LA", "La", "F") or image.mode.startswith("I")


def _values(image: Image.Image, channels: int) -> NDArray[np.uint8]:
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode.startswith("I") or image.mode == "F":
        image = Image.fromarray(_eight_bits(np.asarray(image), image))
    values = np.empty((image.height, image.width, channels), np.uint8)
    rows = max(1, STRIP // max(image.width, 1))
    for top in range(0, image.height, rows):  # a large picture would take several times its memory at once
        box = (0, top, image.width, min(top + rows, image.height))
        strip = _opaque(image if rows >= image.height else image.crop(box))
        values[top : box[3]] = _array(strip.convert("L" if channels == 1 else "RGB"), channels)
    return values


def _opaque(image: Image.Image) -> Image.Image:
    """Laid on white."""
    if not image.has_transparency_data:
        return image
    layer = image.convert("RGBA")
    white = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(white, layer).convert("RGB")


def _array(image: Image.Image, channels: int) -> NDArray[np.uint8]:
    return np.asarray(image).reshape(image.height, image.width, channels)


def _eight_bits(values: NDArray[Any], image: Image.Image) -> NDArray[np.uint8]:
    """16-bit values by their range; 32-bit and float ones by what they fit (8 bits, 16, floats 0 … 1)."""
    low, high = float(values.min()), float(values.max())
    if not (np.isfinite(low) and np.isfinite(high)) or low < 0 or high > 65535:
        raise UnreadableFileError(
            getattr(image, "filename", "picture") or "picture",
            f"got values from {low:g} to {high:g}, expected 0 to 65535 or 0 to 1; rescale them",
        )
    if image.mode in ("I", "F"):
        shares = image.mode == "F" and high <= 1
        scale = 255.0 if shares else 1.0 if high <= 255 else 1 / 257
        return (values * scale + 0.5).astype(np.uint8)
    return ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)


def _name(source: Source) -> str:
    return "picture" if isinstance(source, bytes) else os.fspath(source)


def _reason(source: Source, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "got no file of this name, expected a picture"
    if isinstance(error, IsADirectoryError):
        return "got a folder, expected a picture"
    if isinstance(error, PermissionError):
        return "got no permission to read it, expected a readable picture"
    if isinstance(error, Image.DecompressionBombError):
        return f"got too many pixels, expected at most {MOST_PIXELS:,}; make it smaller"
    if isinstance(error, UnidentifiedImageError):
        return f"got {_start(source)}, {_KINDS}"
    detail = " ".join(str(error).split()) or type(error).__name__
    return f"got a damaged picture ({detail[:80]}), expected a whole one"


def _start(source: Source) -> str:
    """What a file that is no picture seems to be, from its first bytes."""
    if isinstance(source, bytes):
        start = source[:64]
    else:
        with Path(source).open("rb") as file:
            start = file.read(64)
    if not start:
        return "an empty file"
    if start.startswith(b"%PDF"):
        return "a PDF file"
    if start.startswith(b"PK\x03\x04"):
        return "a ZIP file"
    if start.lstrip()[:1] == b"<":
        return "an HTML or XML file"
    return "a text file" if all(32 <= byte < 127 or byte in b"\t\r\n" for byte in start) else "unknown bytes"
