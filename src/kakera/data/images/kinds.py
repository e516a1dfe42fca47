"""Picture formats: the supported suffixes, and a guess at the format of other files from their bytes."""

from __future__ import annotations

import importlib
import importlib.util
from functools import cache

# Suffix: Pillow's name of the format.
READ: dict[str, str] = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), "JPEG"),
    **dict.fromkeys((".png", ".apng"), "PNG"),
    **dict.fromkeys((".tif", ".tiff"), "TIFF"),
    **dict.fromkeys((".bmp", ".dib"), "BMP"),
    **dict.fromkeys((".jp2", ".j2k", ".jpc", ".jpf", ".jpx", ".j2c"), "JPEG2000"),
    **dict.fromkeys((".ppm", ".pgm", ".pbm", ".pnm", ".pfm"), "PPM"),
    **dict.fromkeys((".tga", ".icb", ".vda", ".vst"), "TGA"),
    **dict.fromkeys((".sgi", ".bw", ".rgb", ".rgba"), "SGI"),
    **dict.fromkeys((".avif", ".avifs"), "AVIF"),
    ".webp": "WEBP",
    ".gif": "GIF",
    ".pcx": "PCX",
    ".qoi": "QOI",
    ".ico": "ICO",
}
# Suffix: Pillow's name of the format, the package that contains the decoder, and the extra.
EXTRA: dict[str, tuple[str, str, str]] = {
    **dict.fromkeys((".heic", ".heif", ".hif"), ("HEIF", "pillow_heif", "heif")),
    ".jxl": ("JXL", "pillow_jxl", "jxl"),
}
# Suffix of a picture format that kakera cannot read: a description.
LEFT: dict[str, str] = {
    **dict.fromkeys(
        (".cr2", ".cr3", ".nef", ".arw", ".dng", ".raf", ".orf", ".rw2", ".pef"), "a camera raw file"
    ),
    **dict.fromkeys((".svg", ".eps", ".ai", ".pdf", ".wmf", ".emf"), "a vector drawing, not pixels"),
    **dict.fromkeys((".psd", ".psb", ".xcf", ".kra"), "a layered file of a painting program"),
    **dict.fromkeys((".exr", ".hdr"), "a high dynamic range picture"),
    **dict.fromkeys((".dcm", ".dicom", ".nii", ".mha", ".czi", ".nd2", ".lif", ".svs"), "a scanner file"),
    **dict.fromkeys(
        (".fits", ".fit", ".jls", ".jxr", ".bpg", ".flif", ".mng", ".xpm", ".ras"), "an unsupported format"
    ),
}
START: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "a PDF file"),
    (b"PK\x03\x04", "a ZIP file"),
    (b"\xff\x0a", "a JPEG XL file"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL file"),
    (b"\xff\xd8\xff\xf7", "a JPEG-LS file"),
    (b"8BPS", "a Photoshop file"),
    (b"v/1\x01", "an OpenEXR file"),
    (b"#?R", "a Radiance HDR file"),
    (b"II\xbc", "a JPEG XR file"),
    (b"BPG\xfb", "a BPG file"),
    (b"FLIF", "a FLIF file"),
    (b"SIMPLE  =", "a FITS file"),
    (b"\x1aE\xdf\xa3", "a video (Matroska, WebM)"),
    (b"\x1f\x8b", "a gzip file"),
    (b"version https://git-lfs", "a Git LFS pointer instead of the file"),
)
BRANDS = {  # of the ISO base media file format
    **dict.fromkeys((b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"), "an HEIC file"),
    **dict.fromkeys((b"avif", b"avis"), "an AVIF file"),
    b"crx ": "a camera raw file",
}
FRAMES = {
    0xC3: "lossless",
    0xC5: "hierarchical",
    0xC6: "hierarchical",
    0xC7: "lossless and hierarchical",
    0xC9: "arithmetically coded",
    0xCB: "lossless and arithmetically coded",
}
HOW = {"an HEIC file": "heif", "a JPEG XL file": "jxl"}


@cache
def load_plugins(package: str) -> bool:
    """Return True if a package that adds a format to Pillow is installed, and register it once.

    Example:

        >>> load_plugins("package_that_is_not_installed")
        False
    """
    if importlib.util.find_spec(package) is None:
        return False
    module = importlib.import_module(package)  # pillow_jxl registers itself
    if package == "pillow_heif":
        module.register_heif_opener()
    return True


@cache
def suffixes() -> frozenset[str]:
    """Return the suffixes of all formats that can be read here, including those of installed extras.

    Example:

        >>> ".png" in suffixes(), ".txt" in suffixes()
        (True, False)
    """
    return frozenset({*READ, *(suffix for suffix, (_, package, _) in EXTRA.items() if load_plugins(package))})


@cache
def formats() -> tuple[str, ...]:
    """Return Pillow's names of all formats that can be read here. MPO (stereo cameras) counts as JPEG.

    Example:

        >>> formats()[:3]
        ('JPEG', 'PNG', 'TIFF')
    """
    return (
        *dict.fromkeys(READ.values()),
        *sorted({f for f, package, _ in EXTRA.values() if load_plugins(package)}),
    )


def why_left(suffix: str) -> str:
    """Return the reason why files with a suffix are not read; "" if the suffix is not a picture format.

    Example:

        >>> why_left(".svg")
        'a vector drawing, not pixels'
    """
    if suffix in EXTRA:
        return f"pip install 'kakera[{EXTRA[suffix][2]}]'"
    return LEFT.get(suffix, "")


def described(start: bytes) -> str:
    """Describe a file that is not a readable picture, from its first bytes; add the extra that reads it.

    Example:

        >>> described(b"%PDF-1.7"), described(b"")
        ('a PDF file', 'an empty file')
    """
    if not start:
        return "an empty file"
    for magic, name in START:
        if start.startswith(magic):
            return _with_extra(name)
    if start[4:8] == b"ftyp":
        return _with_extra(BRANDS.get(start[8:12], "a video (MP4, MOV)"))
    if start.startswith(b"\xff\xd8"):
        return "a JPEG" + _frame(start)
    if start.lstrip()[:1] == b"<":
        return "an HTML or XML file"
    text = all(32 <= byte < 127 or byte in b"\t\r\n" for byte in start[:64])
    return "a text file" if text else "unknown bytes"


def _with_extra(name: str) -> str:
    return f"{name} (pip install 'kakera[{HOW[name]}]')" if name in HOW else name


def _frame(content: bytes) -> str:
    """Return the unusual properties of a JPEG in brackets (bits per value, coding); "" without any."""
    place = 2
    while place + 9 < len(content) and content[place] == 0xFF:
        marker, length = content[place + 1], int.from_bytes(content[place + 2 : place + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            bits, coding = content[place + 4], FRAMES.get(marker, "")
            words = [coding] if coding else []
            words += [f"with {bits} bits per value, not 8"] if bits != 8 else []
            return f" ({', '.join(words)})" if words else ""
        place += 2 + length
    return ""
