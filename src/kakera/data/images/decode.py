"""Decoding of one picture file of any format to 8-bit values (H, W, C)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from kakera.data.images.deep import (
    by_tifffile,
    colours,
    grey,
    is_scaled,
    is_wide,
    kind_of,
    kind_of_values,
    require_readable,
)
from kakera.data.images.jpeg import plain_jpeg
from kakera.data.images.kinds import suffixes
from kakera.data.images.picture_file import (
    MOST_PIXELS,
    Source,
    name,
    opened,
    reason,
    require_few_pixels,
)
from kakera.data.images.tiff import RGB, TiffHeader, read_header
from kakera.data.images.tiff_values import Clipped, many_channels, read_values, to_eight
from kakera.data.images.value_range import Extremes, Ranges
from kakera.errors import UnreadableFileError
from kakera.out_of_memory import raise_out_of_memory

SUFFIXES = suffixes()
GREY_OR_COLOUR = (1, 3)  # channels; only TIFFs can have others
STRIP = 1 << 20  # pixels converted at a time, to save memory

_WEIGHTS = np.array([299, 587, 114], dtype=np.uint32)  # of red, green, blue: ITU-R BT.601
_ORIENTATION = 0x0112  # the EXIF tag; the values 5 to 8 swap height and width


def decode(
    source: Source,
    channels: int,
    *,
    most_pixels: int = MOST_PIXELS,
    ranges: Ranges = (),
    clipped: Clipped | None = None,
) -> NDArray[np.uint8]:
    """Decode a picture file to 8-bit values.

    `source` is a path or the bytes of a file. `channels` is 1 (grey), 3 (colour), or the number of channels
    of a TIFF. Returns uint8 (H, W, channels): the first frame, upright, with transparent pixels on white.

    `ranges` defines black and white of values with more than 8 bits; see `value_range.choose_ranges`.
    `clipped` is called with the number of values outside of the range.

    A JPEG with more than `most_pixels` pixels is decoded at a half or a quarter of its size. Raises
    UnreadableFileError for every file that cannot be read, and before decoding if the result would have more
    than `most_pixels` pixels.

    Example:

        >>> import io
        >>> file = io.BytesIO()
        >>> Image.new("RGB", (2, 1), "red").save(file, "PNG")
        >>> decode(file.getvalue(), 3).tolist()
        [[[255, 0, 0], [255, 0, 0]]]
    """
    if channels not in GREY_OR_COLOUR:
        return many_channels(source, _of_channels(source, channels), most_pixels, ranges, clipped)
    quick = plain_jpeg(source, channels, most_pixels)
    if quick is not None:
        return quick
    try:
        with opened(source, most_pixels) as image:
            header = read_header(source) if image.format == "TIFF" else None
            require_readable(image, source)
            if header is not None and header.many:
                return _foreign(source, channels, header, most_pixels, ranges, clipped)
            deep = header is not None and header.separate and bool(ranges) and is_wide(image)
            if header is not None and (header.unsafe or deep):
                return _foreign(source, channels, header, most_pixels, ranges, clipped)
            return _values(image, channels, source, header, ranges, clipped)
    except UnreadableFileError:
        raise
    except Exception as error:  # decoders raise nearly every kind of error on broken files
        raise_out_of_memory(error)
        header = read_header(source) if isinstance(error, UnidentifiedImageError) else None
        if header is not None:
            return _foreign(source, channels, header, most_pixels, ranges, clipped)
        raise UnreadableFileError(name(source), reason(source, error)) from error


def from_image(
    image: Image.Image, channels: int, name: str = "picture", ranges: Ranges = ()
) -> NDArray[np.uint8]:
    """Convert a Pillow image in the same way as `decode` converts a file.

    `channels` is 1 (grey) or 3 (colour). `name` is the subject of error messages. Returns uint8
    (H, W, channels). Raises UnreadableFileError if the image cannot be read.

    Example:

        >>> from_image(Image.new("L", (2, 1), 7), 3).tolist()
        [[[7, 7, 7], [7, 7, 7]]]
    """
    try:
        require_few_pixels(image, name, MOST_PIXELS)
        return _values(image, channels, ranges=ranges)
    except UnreadableFileError as error:
        raise UnreadableFileError(name, error.reason) from error
    except Exception as error:  # an image that has been opened and not read yet
        raise UnreadableFileError(name, reason(b"", error)) from error


def header(source: Source) -> tuple[int, int, int]:
    """Return (height, width, channels) of a picture file, without decoding it.

    The height and width are those of the upright picture. `channels` is 1 for grey, 3 for colour, or the
    number of channels of a TIFF. Raises UnreadableFileError.

    Example:

        >>> import io
        >>> file = io.BytesIO()
        >>> Image.new("L", (4, 2)).save(file, "PNG")
        >>> header(file.getvalue())
        (2, 4, 1)
    """
    try:
        with opened(source) as image:
            height, width = image.size if _on_its_side(image) else image.size[::-1]
            found = read_header(source) if image.format == "TIFF" else None
            if found is not None and found.many:
                return height, width, found.channels
            return height, width, 1 if _grey(image) else 3
    except UnreadableFileError:
        raise
    except Exception as error:
        found = read_header(source) if isinstance(error, UnidentifiedImageError) else None
        if found is not None and found.width and found.height:
            return *found.upright, found.channels
        raise UnreadableFileError(name(source), reason(source, error)) from error


def extremes(source: Source, most_pixels: int = MOST_PIXELS) -> Extremes | None:
    """Return the lowest and highest value of a picture with more than 8 bits; None for 8 bits.

    `source` is a path or the bytes of a file. Raises UnreadableFileError.

    Example:

        >>> import io
        >>> file = io.BytesIO()
        >>> Image.fromarray(np.array([[0, 1000]], np.uint16)).save(file, "PNG")
        >>> extremes(file.getvalue())
        Extremes(kind='uint16', low=0.0, high=1000.0)
    """
    try:
        with opened(source, most_pixels) as image:
            header = read_header(source) if image.format == "TIFF" else None
            if header is not None and (header.unsafe or header.many or (header.separate and is_wide(image))):
                values = _colours(by_tifffile(source, name(source), header, most_pixels), header)
            elif is_scaled(image) or not (kind_of(image) or is_wide(image)):
                return None
            else:
                values = grey(image, header) if kind_of(image) else colours(image, source)[..., :3]
            kind = kind_of(image) or kind_of_values(values)
    except UnreadableFileError:
        raise
    except Exception as error:
        raise_out_of_memory(error)
        header = read_header(source) if isinstance(error, UnidentifiedImageError) else None
        if header is None:
            raise UnreadableFileError(name(source), reason(source, error)) from error
        values = _colours(read_values(source, header, most_pixels), header)
        kind = kind_of_values(values)
    return Extremes(kind, float(values.min()), float(values.max())) if kind else None


def with_depth(values: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    """Convert grey values to colour, or colour values to grey.

    `values` is uint8 (…, 1) or (…, 3), and the result is uint8 (…, channels). Grey values are repeated three
    times. Colours become grey by the weights of ITU-R BT.601. Raises ValueError for other numbers of
    channels.

    Example:

        >>> with_depth(np.array([[[255, 0, 0]]], np.uint8), 1).tolist()
        [[[76]]]
    """
    if values.shape[-1] == channels:
        return values
    if {values.shape[-1], channels} != {1, 3}:
        raise ValueError(f"got {_counted(values.shape[-1])}, expected {channels}; leave it out")
    if channels == 3:
        return np.repeat(values, 3, axis=-1)
    grey = (values.astype(np.uint32) @ _WEIGHTS + 500) // 1000
    return grey.astype(np.uint8)[..., None]


def _of_channels(source: Source, channels: int) -> TiffHeader:
    """Return the header of a TIFF with `channels` channels. Raises UnreadableFileError for other files."""
    tiff = read_header(source)
    if tiff is None or tiff.channels != channels:
        got = tiff.channels if tiff is not None else header(source)[2]
        raise UnreadableFileError(name(source), f"got {_counted(got)}, expected {channels}; leave it out")
    return tiff


def _counted(channels: int) -> str:
    return f"{channels} channel{'' if channels == 1 else 's'}"


def _on_its_side(image: Image.Image) -> bool:
    """Return True if height and width of `image.size` must be swapped; for TIFF Pillow swaps them itself."""
    return image.format != "TIFF" and image.getexif().get(_ORIENTATION) in (5, 6, 7, 8)


def _grey(image: Image.Image) -> bool:
    if image.mode == "P" and image.palette is not None:
        colours = np.asarray(image.getpalette("RGB") or [0, 0, 0]).reshape(-1, 3)
        return bool((colours == colours[:, :1]).all())
    return image.mode in ("1", "L", "LA", "La", "F") or image.mode.startswith("I")


def _values(
    image: Image.Image,
    channels: int,
    source: Source | None = None,
    header: TiffHeader | None = None,
    ranges: Ranges = (),
    clipped: Clipped | None = None,
) -> NDArray[np.uint8]:
    wide = source is not None and any(kind == "uint16" for kind, *_ in ranges) and is_wide(image)
    ImageOps.exif_transpose(image, in_place=True)
    kind = kind_of(image)
    if kind or wide:
        values = grey(image, header) if kind else colours(image, source or b"")
        given = () if is_scaled(image) else ranges
        image = Image.fromarray(to_eight(values, kind or "uint16", given, clipped))
    values = np.empty((image.height, image.width, channels), np.uint8)
    rows = max(1, STRIP // max(image.width, 1))
    for top in range(0, image.height, rows):  # in strips: at once it would need several times the memory
        box = (0, top, image.width, min(top + rows, image.height))
        strip = _opaque(image if rows >= image.height else image.crop(box))
        values[top : box[3]] = _array(strip.convert("L" if channels == 1 else "RGB"), channels)
    return values


def _colours(values: NDArray[Any], header: TiffHeader) -> NDArray[Any]:
    """Return the values without the opacity channel."""
    return values[..., : header.channels] if values.ndim == 3 else values


def _foreign(
    source: Source,
    channels: int,
    header: TiffHeader,
    most_pixels: int,
    ranges: Ranges,
    clipped: Clipped | None,
) -> NDArray[np.uint8]:
    """Decode a TIFF that Pillow cannot read or reads wrongly. Raises UnreadableFileError."""
    if header.many and (channels != 3 or header.photometric != RGB):
        got = f"got {header}, expected grey or colour"
        raise UnreadableFileError(name(source), f"{got}; use --channels {header.channels} for all of them")
    try:
        values = read_values(source, header, most_pixels)
        if header.many:  # red, green and blue, without the other channels
            values = values[..., [*range(3), *range(header.channels, values.shape[2])]]
        eight = to_eight(values, kind_of_values(values), ranges, clipped, min(header.channels, 3))
        eight = eight.reshape(eight.shape[:2]) if eight.ndim == 3 and eight.shape[2] == 1 else eight
        return _values(Image.fromarray(np.ascontiguousarray(eight)), channels)
    except ValueError as error:
        if isinstance(error, UnreadableFileError):
            raise
        raise UnreadableFileError(name(source), str(error)) from error


def _opaque(image: Image.Image) -> Image.Image:
    """Return the image with its transparent pixels on white."""
    if not image.has_transparency_data:
        return image
    layer = image.convert("RGBA")
    white = Image.new("RGBA", layer.size, "white")
    return Image.alpha_composite(white, layer).convert("RGB")


def _array(image: Image.Image, channels: int) -> NDArray[np.uint8]:
    return np.asarray(image).reshape(image.height, image.width, channels)
