"""Every error kakera raises on purpose.

    KakeraError
    ├── InputError                 what the user gave cannot be used (exit code 2)
    │   ├── UnreadableFileError    one file: corrupt, empty, too large, no picture or recording
    │   ├── DataError              a data set as a whole
    │   ├── OptionError            an option, a recipe or an argument
    │   └── RunError               a run folder, a checkpoint or a model file
    │       └── DivergedError      a training whose loss is no longer finite
    ├── StorageError               the disk is full or refuses to be written (exit code 2)
    ├── OutOfMemoryError           more memory is needed than there is (exit code 2)
    ├── MissingExtraError          an optional dependency is not installed (exit code 2)
    └── StoppedError               a training that was asked to stop, and can go on (130, 143)

The text of each is one line, which the class makes of its parts: "subject: got …, expected …; do". For example:

>>> from kakera.errors import OptionError
>>> str(OptionError("mask_ratio", got=1.5, expected="a number from 0 to 1", do="correct it"))
'mask_ratio: got 1.5, expected a number from 0 to 1; correct it'
"""

from __future__ import annotations


def sentence(subject: object, *, got: object, expected: object, do: str) -> str:
    """Return one line of the form "subject: got …, expected …; do"."""
    return printable(" ".join(f"{subject}: got {got}, expected {expected}; {do}".split()))


def printable(text: object) -> str:
    """Return a text that can be written as UTF-8: what of a file's name is none is shown as \\udce9."""
    return str(text).encode(errors="backslashreplace").decode()


class KakeraError(Exception):
    """The base class: `except KakeraError` catches every error of this list.

    `subject` is what the error is about, such as an option or a file. Without `got` it is the whole text.
    """

    exit_code = 2
    """The exit code of the command that ends with this error."""

    def __init__(self, subject: object, *, got: object = None, expected: object = None, do: str = "") -> None:
        super().__init__(subject if got is None else sentence(subject, got=got, expected=expected, do=do))


class InputError(KakeraError, ValueError):
    """What the user gave cannot be used."""


class UnreadableFileError(InputError):
    """One file cannot be read as a picture or a recording. `reason` is a short phrase without the path."""

    def __init__(self, path: object, reason: str) -> None:
        self.path = printable(path)
        super().__init__(f"{self.path}: {reason}")
        self.reason = reason

    def __reduce__(self) -> tuple[type[UnreadableFileError], tuple[str, str]]:
        return type(self), (self.path, self.reason)


class DataError(InputError):
    """A data set as a whole cannot be used."""


class OptionError(InputError):
    """An option, a recipe or an argument cannot be used."""


class RunError(InputError):
    """A run folder, a checkpoint or a model file cannot be used."""


class DivergedError(RunError):
    """A training whose loss or gradient is no longer finite."""


class StorageError(KakeraError, OSError):
    """Something could not be written; what was there before is still whole."""


class OutOfMemoryError(KakeraError, MemoryError):
    """More memory is needed than there is, in this process, in one that reads for it, or on a GPU."""


class MissingExtraError(KakeraError, ImportError):
    """An optional dependency is not installed."""


class StoppedError(KakeraError):
    """A training was asked to stop by a signal; what it needs to go on is saved.

    The exit code is 128 and the signal's number, 130 of Ctrl-C and 143 of SIGTERM, so that neither `&&` nor
    SLURM's `afterok` goes on with a model that is not finished.
    """

    exit_code = 130

    def __init__(self, message: str, number: int = 2) -> None:
        super().__init__(message)
        self.number = number
        self.exit_code = 128 + number


def missing_extra(package: str, extra: str) -> MissingExtraError:
    """The error that names the extra which brings a package."""
    return MissingExtraError(
        package,
        got="no such package",
        expected=f"what kakera[{extra}] brings",
        do=f"pip install 'kakera[{extra}]'",
    )
