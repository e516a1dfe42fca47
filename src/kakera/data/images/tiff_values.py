"""8-bit values of TIFFs that Pillow cannot read or reads wrongly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import UnidentifiedImageError

from kakera.data.images.deep import by_tifffile, grey, kind_of_values
from kakera.data.images.picture_file import Source, name, opened, reason
from kakera.data.images.tiff import TiffHeader, as_black_is_zero
from kakera.data.images.value_range import Ranges, eight_bits
from kakera.errors import UnreadableFileError

Clipped = Callable[[int], None]
"""A function that receives the number of clipped values."""


def many_channels(
    source: Source, found: TiffHeader, most_pixels: int, ranges: Ranges, clipped: Clipped | None
) -> NDArray[np.uint8]:
    """Decode a TIFF with the header `found` to uint8 (H, W, C), with transparent pixels on white.

    Raises UnreadableFileError if it cannot be read or has more than `most_pixels` pixels.
    """
    channels = found.channels
    try:
        values = by_tifffile(source, name(source), found, most_pixels)
        eight = to_eight(values, kind_of_values(values), ranges, clipped, channels)
    except ValueError as error:
        if isinstance(error, UnreadableFileError):
            raise
        raise UnreadableFileError(name(source), str(error)) from error
    if found.opacity < 0:
        return np.ascontiguousarray(eight)
    shown = eight[..., channels:].astype(np.uint16)
    return ((eight[..., :channels] * shown + 255 * (255 - shown) + 127) // 255).astype(np.uint8)


def read_values(source: Source, header: TiffHeader, most_pixels: int) -> NDArray[Any]:
    """Return the deep values of a TIFF.

    Pillow reads the file if it can do so after a change of one tag; otherwise tifffile reads it.
    Raises UnreadableFileError.

    Example:

        >>> from kakera.data.images.tiff import read_header
        >>> from PIL import Image
        >>> Image.new("I;16", (2, 1), 1000).save("a.tif", tiffinfo={262: 0})
        >>> read_values("a.tif", read_header("a.tif"), most_pixels=2)
        array([[64535, 64535]], dtype=uint16)
    """
    if header.inverted and header.place:
        content = source if isinstance(source, bytes) else Path(source).read_bytes()
        try:
            with opened(as_black_is_zero(content, header), most_pixels) as image:
                return grey(image, header)
        except UnidentifiedImageError:
            pass
        except UnreadableFileError as error:
            raise UnreadableFileError(name(source), error.reason) from error
        except Exception as error:
            raise UnreadableFileError(name(source), reason(b"", error)) from error
    return by_tifffile(source, name(source), header, most_pixels)


def to_eight(
    values: NDArray[Any], kind: str, ranges: Ranges, clipped: Clipped | None, colours: int = 3
) -> NDArray[np.uint8]:
    """Convert deep values (H, W) or (H, W, C) to 8 bits; the channel after the first `colours` is opacity.

    `kind` is "uint16", "int32" or "float"; with "" the values have 8 bits and stay as they are.

    Example:

        >>> to_eight(np.array([[0, 65535]], np.uint16), "uint16", (), None)
        array([[  0, 255]], dtype=uint8)
    """
    if not kind:
        return values
    eight, outside = eight_bits(values[..., :colours] if values.ndim == 3 else values, kind, ranges)
    if outside and clipped is not None:
        clipped(outside)
    if values.ndim == 2 or values.shape[2] == colours:
        return eight
    return np.dstack([eight, eight_bits(values[..., colours], kind, ())[0]])
