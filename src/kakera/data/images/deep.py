"""Deep pictures: values of 16 or 32 bits and floats, as they stand in the file."""

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

SCALED = ("PPM", "JPEG2000")  # formats that say their range themselves: Pillow makes it 0 … 65535
MOST_CHANNELS = 16


def kind_of(image: Image.Image) -> str:
    """uint16, int32 or float; "" where values have 8 bits, or Pillow makes 8 of them."""
    if image.mode == "F":
        return "float"
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in SCALED):
        return "uint16"
    return "int32" if image.mode.startswith("I") else ""


def is_scaled(image: Image.Image) -> bool:
    """Whether the file itself says what is white."""
    return image.format in SCALED and image.mode != "F"


def bits_of_jpeg2000(start: bytes) -> int:
    """Bits of the widest channel, from the SIZ segment of the codestream; 8 where it is not found."""
    place = start.find(b"\xff\x4f\xff\x51")
    if place < 0 or place + 43 > len(start):
        return 8
    count = int.from_bytes(start[place + 40 : place + 42], "big")
    return max(
        ((start[at] & 0x7F) + 1 for at in range(place + 42, min(place + 42 + 3 * count, len(start)), 3)),
        default=8,
    )


def require_readable(image: Image.Image, source: Source) -> None:
    """Raises UnreadableFileError for JPEG 2000 of more than 8 bits a colour: Pillow rounds past white."""
    if (
        image.format == "JPEG2000"
        and not kind_of(image)
        and (bits := bits_of_jpeg2000(first_bytes(source))) > 8
    ):
        got = f"got a JPEG 2000 of {bits} bits a colour, of which Pillow makes white black"
        raise UnreadableFileError(name_of(source), f"{got}, expected 8; write it as PNG or TIFF")


def is_wide(image: Image.Image) -> bool:
    """Whether colours have 16 bits, of which Pillow keeps the upper 8."""
    if image.mode not in ("RGB", "RGBA"):
        return False
    arguments = [tile[3] for tile in getattr(image, "tile", [])[:1]]  # of some formats there are none
    names = [one[0] if isinstance(one, tuple) and one else one for one in arguments]
    return any(str(name).endswith(("16B", "16L", "16N")) for name in names)


def grey(image: Image.Image, header: TiffHeader | None) -> NDArray[Any]:
    """(H, W) of a deep grey picture: turned around where zero is white, white where it is transparent."""
    values = np.asarray(image)
    clear = image.info.get("transparency")
    gone = values == clear if isinstance(clear, int) else None
    if values.dtype.kind == "u" and values.dtype.itemsize == 2 and header is not None and header.inverted:
        values = 65535 - values.astype(np.uint16)
    if gone is not None and gone.any():
        values = np.where(gone, 65535, values)
    return values


def colours(image: Image.Image, source: Source) -> NDArray[np.uint16]:
    """(H, W, 3 or 4) of a wide picture upright: Pillow decodes the upper bytes, and then the lower ones."""
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
    """A tile's arguments with the other byte of each value taken for the upper one."""
    name = args if isinstance(args, str) else args[0]
    native = "L" if np.little_endian else "B"
    order = native if name[-1] == "N" else name[-1]
    other = name[:-1] + ("L" if order == "B" else "B")
    return other if isinstance(args, str) else (other, *args[1:])


def by_tifffile(source: Source, name: str, header: TiffHeader, most_pixels: int) -> NDArray[Any]:
    """(H, W) or (H, W, C) of a TIFF that Pillow does not read, opacity last. Raises UnreadableFileError."""
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
        reason = f"got {header}, which tifffile reads; pip install 'kakera[tiff]', or write it in another way"
        raise UnreadableFileError(name, reason) from error
    logging.getLogger("tifffile").setLevel(logging.CRITICAL)
    try:
        with tifffile.TiffFile(io.BytesIO(source) if isinstance(source, bytes) else source) as file:
            values = np.asarray(file.pages[0].asarray())
    except Exception as error:  # as many kinds as there are ways to write it wrongly
        detail = " ".join(str(error).split())[:80] or type(error).__name__
        raise UnreadableFileError(name, f"got {header} that tifffile refuses ({detail})") from error
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
    """By the eight orientations of TIFF and EXIF: the first row and column as they are looked at."""
    if 5 <= orientation <= 8:
        values = values.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    return values[:, ::-1] if orientation in (2, 3, 6, 7) else values


def _turned(values: NDArray[Any], name: str, header: TiffHeader) -> NDArray[Any]:
    if values.dtype.kind != "u" or values.dtype.itemsize > 2:
        raise UnreadableFileError(
            name, f"got {header} whose zero is white, expected black; turn the values around"
        )
    return np.iinfo(values.dtype).max - values


def kind_of_values(values: NDArray[Any]) -> str:
    """As `kind_of`, of an array."""
    if values.dtype.kind == "f":
        return "float"
    return {"u1": "", "u2": "uint16"}.get(values.dtype.str[1:], "int32")
