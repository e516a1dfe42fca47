"""Mismatches with a known reason outside kakera.

Each row: a part of the setting, a part of the difference, the largest difference of values, the reason.
"""

from __future__ import annotations

RIFX = "libsndfile and ffmpeg read RIFX with plain formats only; SoX writes the extensible one"
KNOWN: tuple[tuple[str, str, float, str], ...] = (
    (
        "(.mp3)",
        " at 24000 Hz",
        0.05,
        "mpg123 has another band edge at 24 kHz than ffmpeg: LAME's decoder agrees with it",
    ),
    ("sox -D -B", "unimplemented format", 0, RIFX),
    (
        "sox -D -L",
        "unknown bytes",
        0,
        "SoX writes the magic of DEC, which neither libsndfile nor ffmpeg reads",
    ),
    ("pcm_s24le of 24 bits (.w64)", "got ", 0, "ffmpeg rounds the size of the samples up to 8 bytes"),
    ("PCM_S8 (.aiff)", "got ", 0, "libsndfile counts the byte that makes its chunk even as a sample"),
)


def reason(setting: str, difference: str, most: float) -> str:
    """Return the known reason of a mismatch, or an empty string."""
    return next(
        (why for name, words, far, why in KNOWN if name in setting and words in difference and most <= far),
        "",
    )
