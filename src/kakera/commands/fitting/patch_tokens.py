"""The patch tokens of a fit with an attentive head: which files may have them, and what they cost."""

from __future__ import annotations

from kakera.data.dataset import Dataset
from kakera.errors import OptionError
from kakera.formats.tokens.encoder import FrozenEncoder
from kakera.machine import free_memory
from kakera.option_fields import AUTO

MOST = 8 << 30  # bytes of the patch tokens of all files: half of the token cache
COPIES = 3  # of the tokens of a part, while they are computed
VALUE_SECONDS = 2e-8  # of training for a value of a token in a step, measured on one busy core
USUAL = 3 * 320 * 64  # three trainings of 320 steps with 64 files
OTHERS = "use kakera finetune, or --head auto"


def patch_bytes(encoder: FrozenEncoder, files: int) -> int:
    """Return the bytes of the patch tokens of so many files."""
    return 4 * files * encoder.patches * encoder.width


def training_seconds(encoder: FrozenEncoder) -> float:
    """Return a rough forecast of the seconds that the training of an attentive head takes."""
    return VALUE_SECONDS * USUAL * encoder.patches * encoder.width


def require_patch_tokens(pool: str, encoder: FrozenEncoder, train: Dataset, test: Dataset) -> None:
    """Check that an attentive head can be fitted to these files.

    Raises OptionError for recordings, for pictures of any shape, for a chosen pooling, and for patch tokens
    that are too large.
    """
    if train.sounds is not None:
        raise OptionError("head", got="attentive for recordings", expected="pictures", do=OTHERS)
    if encoder.inputs.any_shape:
        got = "attentive for an encoder that keeps the shape of pictures (NaFlex)"
        raise OptionError("head", got=got, expected="one number of patches", do=OTHERS)
    if pool != AUTO:
        got, expected = f"{pool} with an attentive head", "nothing: it reads class and patch tokens"
        raise OptionError("pool", got=got, expected=expected, do="leave it out")
    count, largest = len(train) + len(test), max(len(train), len(test))
    needed, free = patch_bytes(encoder, count), free_memory()
    working = needed + (COPIES - 1) * patch_bytes(encoder, largest)
    do = f"use fewer --labels or test files, or {OTHERS}"
    if needed > MOST:
        got = f"{size_in_words(needed)} of patch tokens of {count:,} files"
        raise OptionError("head", got=got, expected=f"at most {size_in_words(MOST)}", do=do)
    if working > free:
        got = f"patch tokens of {count:,} files that need {size_in_words(working)} of memory"
        raise OptionError("head", got=got, expected=f"at most the free {size_in_words(free)}", do=do)


def size_in_words(count: float) -> str:
    """Return a number of bytes in words.

    Example:

        >>> size_in_words(3 << 30), size_in_words(5 << 20)
        ('3.0 GiB', '5 MiB')
    """
    return f"{count / (1 << 30):.1f} GiB" if count >= 1 << 30 else f"{count / (1 << 20):.0f} MiB"
