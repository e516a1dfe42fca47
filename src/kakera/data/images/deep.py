"""Reading of deep pictures, that is values of 16 or 32 bits and floats, without conversion."""

from __future__ import annotations

import io
import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from kakera.data.images.picture_file import Source, first_bytes
from kakera.data.images.picture_file import name as name_of
from kakera.data.images.tiff import TiffHeader
from kakera.errors import UnreadableFileError

SCALED = ("PPM", "JPEG2000")  # formats whose header has the range: Pillow scales it to 0 … 65535
MOST_CHANNELS = 16


def kind_of(image: Image.Image) -> str:
    """Return "uint16", "int32" or "float"; "" if Pillow returns 8-bit values.

    Example:

        >>> [kind_of(Image.new(mode, (4, 2))) for mode in ("I;16", "F", "RGB")]
        ['uint16', 'float', '']
    """
    if image.mode == "F":
        return "float"
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in SCALED):
        return "uint16"
    return "int32" if image.mode.startswith("I") else ""


def is_scaled(image: Image.Image) -> bool:
    """Return True if the file's header defines the value of white.

    Example:

        >>> file = io.BytesIO()
        >>> Image.new("L", (4, 2)).save(file, "PPM")
        >>> is_scaled(Image.open(file))
        True
    """
    return image.format in SCALED and image.mode != "F"


def bits_of_jpeg2000(start: bytes) -> int:
    """Return the bits of the widest channel from the SIZ segment of the codestream; 8 without one.

    Example:

        >>> bits_of_jpeg2000(bytes.fromhex("ff4fff51") + bytes(37) + bytes([1, 15, 1, 1]))
        16
    """
    place = start.find(b"\xff\x4f\xff\x51")
    if place < 0 or place + 43 > len(start):
        return 8
    count = int.from_bytes(start[place + 40 : place + 42], "big")
    return max(
        ((start[at] & 0x7F) + 1 for at in range(place + 42, min(place + 42 + 3 * count, len(start)), 3)),
        default=8,
    )


def require_readable(image: Image.Image, source: Source) -> None:
    """Raise UnreadableFileError for a colour JPEG 2000 of more than 8 bits: Pillow rounds white to black."""
    if (
        image.format == "JPEG2000"
        and not kind_of(image)
        and (bits := bits_of_jpeg2000(first_bytes(source))) > 8
    ):
        got = f"got a JPEG 2000 with {bits} bits per colour, in which Pillow turns white to black"
        raise UnreadableFileError(name_of(source), f"{got}, expected 8; convert it to PNG or TIFF")


def is_wide(image: Image.Image) -> bool:
    """Return True if the colours have 16 bits; Pillow keeps only the upper 8.

    Example:

        >>> is_wide(Image.new("RGB", (4, 2)))
        False
    """
    if image.mode not in ("RGB", "RGBA"):
        return False
    arguments = [tile[3] for tile in getattr(image, "tile", [])[:1]]  # some formats have no tiles
    names = [each[0] if isinstance(each, tuple) and each else each for each in arguments]
    return any(str(name).endswith(("16B", "16L", "16N")) for name in names)


def grey(image: Image.Image, header: TiffHeader | None) -> NDArray[Any]:
    """Return the values (H, W) of a deep grey picture.

    Values are inverted if zero is white, and transparent pixels become white.

    Example:

        >>> grey(Image.fromarray(np.array([[0, 40_000]], np.uint16)), None)
        array([[    0, 40000]], dtype=uint16)
    """
    values = np.asarray(image)
    clear = image.info.get("transparency")
    transparent = values == clear if isinstance(clear, int) else None
    if values.dtype.kind == "u" and values.dtype.itemsize == 2 and header is not None and header.inverted:
        values = 65535 - values.astype(np.uint16)
    if transparent is not None and transparent.any():
        values = np.where(transparent, 65535, values)
    return values


def colours(image: Image.Image, source: Source) -> NDArray[np.uint16]:
    """Return 16-bit colours (H, W, 3 or 4), upright.

    Pillow decodes the file twice: first the upper byte of each value, then the lower byte.
    """
    high = np.asarray(image).astype(np.uint16)
    place = io.BytesIO(source) if isinstance(source, bytes) else source
    with Image.open(place, formats=[str(image.format)]) as low:
        pairs = str(low.tile[0].args).startswith("LA;")  # grey and opacity: four bytes, as RGBA has
        low.tile = [tile._replace(args="RGBA" if pairs else _lower(tile.args)) for tile in low.tile]
        ImageOps.exif_transpose(low, in_place=True)
        lower = np.asarray(low).astype(np.uint16)
    if pairs:
        values, opacity = (lower[..., at] * 256 + lower[..., at + 1] for at in (0, 2))
        return np.dstack([values, values, values, opacity]).astype(np.uint16)
    return (high * 256 + lower).astype(np.uint16)


def _lower(args: Any) -> Any:
    """Change the arguments of a Pillow tile so that Pillow reads the other byte of each value."""
    name = args if isinstance(args, str) else args[0]
    native = "L" if np.little_endian else "B"
    order = native if name[-1] == "N" else name[-1]
    other = name[:-1] + ("L" if order == "B" else "B")
    return other if isinstance(args, str) else (other, *args[1:])


def by_tifffile(source: Source, name: str, header: TiffHeader, most_pixels: int) -> NDArray[Any]:
    """Read a TIFF with tifffile, as (H, W) or (H, W, C) with opacity as the last channel.

    `name` is the subject of error messages. Raises UnreadableFileError if the picture has more than
    `most_pixels` pixels, has more than 16 channels, or cannot be read.
    """
    if header.width * header.height > most_pixels:
        reason = (
            f"got {header.width} x {header.height} pixels, expected at most {most_pixels:,}; make it smaller"
        )
        raise UnreadableFileError(name, reason)
    if not 1 <= header.channels <= MOST_CHANNELS:
        expected = f"expected at most {MOST_CHANNELS} channels; choose some of them"
        raise UnreadableFileError(name, f"got {header}, {expected}")
    try:
        import tifffile
    except ImportError as error:
        reason = f"got {header}, which needs tifffile; pip install 'kakera[tiff]', or convert the file"
        raise UnreadableFileError(name, reason) from error
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    try:
        with tifffile.TiffFile(io.BytesIO(source) if isinstance(source, bytes) else source) as file:
            values = np.asarray(file.pages[0].asarray())
    except Exception as error:  # tifffile raises many kinds of error on broken files
        detail = " ".join(str(error).split())[:80] or type(error).__name__
        raise UnreadableFileError(name, f"got {header} that tifffile cannot read ({detail})") from error
    if header.samples > 1 and header.separate and values.ndim == 3:
        values = values.transpose(1, 2, 0)
    if values.ndim != 2 + (header.samples > 1) or values.shape[2:] not in ((), (header.samples,)):
        raise UnreadableFileError(name, f"got {header} of shape {values.shape}, expected one picture")
    if header.photometric == 0:
        values = _turned(values, name, header)
    if header.opacity >= 0:
        values = np.concatenate([np.delete(values, header.opacity, 2), values[..., [header.opacity]]], axis=2)
    return _upright(values, header.orientation)


def _upright(values: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Rotate and flip values to the upright picture, by the eight orientations of TIFF and EXIF."""
    if 5 <= orientation <= 8:
        values = values.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    return values[:, ::-1] if orientation in (2, 3, 6, 7) else values


def _turned(values: NDArray[Any], name: str, header: TiffHeader) -> NDArray[Any]:
    if values.dtype.kind != "u" or values.dtype.itemsize > 2:
        raise UnreadableFileError(
            name, f"got {header} in which zero is white, expected zero as black; invert the values"
        )
    return np.iinfo(values.dtype).max - values


def kind_of_values(values: NDArray[Any]) -> str:
    """Return the kind of an array's values, with the same names as `kind_of`.

    Example:

        >>> kind_of_values(np.zeros((4, 2), np.float32)), kind_of_values(np.zeros((4, 2), np.uint16))
        ('float', 'uint16')
    """
    if values.dtype.kind == "f":
        return "float"
    return {"u1": "", "u2": "uint16"}.get(values.dtype.str[1:], "int32")
