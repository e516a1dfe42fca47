"""The errors that kakera raises on purpose.

    KakeraError
    ├── InputError                 the user's input cannot be used (exit code 2)
    │   ├── UnreadableFileError    one file: corrupt, empty, too large, no picture or recording
    │   ├── DataError              a data set as a whole
    │   ├── OptionError            an option, a recipe or an argument
    │   └── RunError               a run folder, a checkpoint or a model file
    │       └── DivergedError      a training whose loss is no longer finite
    ├── StorageError               the disk is full, or a file cannot be written (exit code 2)
    ├── OutOfMemoryError           the memory is too small (exit code 2)
    ├── MissingExtraError          an optional dependency is not installed (exit code 2)
    └── StoppedError               a signal stopped a training that can be resumed (130, 143)

Every error message is one line. The class builds it from its parts: "subject: got …, expected …; do".

Example:

    >>> from kakera.errors import OptionError
    >>> str(OptionError("mask_ratio", got=1.5, expected="a number from 0 to 1", do="correct it"))
    'mask_ratio: got 1.5, expected a number from 0 to 1; correct it'
"""

from __future__ import annotations


def sentence(subject: object, *, got: object, expected: object, do: str) -> str:
    """Return one line of the form "subject: got …, expected …; do".

    Runs of white space become one space. Characters that UTF-8 cannot encode are escaped, see `printable`.

    Example:

        >>> sentence("patch", got=5, expected="4", do="choose 4")
        'patch: got 5, expected 4; choose 4'
    """
    return printable(" ".join(f"{subject}: got {got}, expected {expected}; {do}".split()))


def printable(text: object) -> str:
    """Return a text that can be written as UTF-8.

    File names may contain bytes that are not UTF-8. Each of them is shown as an escape such as \\udce9.

    Example:

        >>> printable("picture.png")
        'picture.png'
    """
    return str(text).encode(errors="backslashreplace").decode()


class KakeraError(Exception):
    """The base class of all errors of kakera.

    `except KakeraError` catches every error of this module. `subject` is what the error is about, such as an
    option or a file. Without `got`, `subject` is the whole message.

    Example:

        >>> str(KakeraError("width", got=5, expected="a multiple of 4", do="choose another width"))
        'width: got 5, expected a multiple of 4; choose another width'
    """

    exit_code = 2
    """The exit code of a command that ends with this error."""

    def __init__(self, subject: object, *, got: object = None, expected: object = None, do: str = "") -> None:
        whole = got is None and not do  # else None is the wrong value itself
        super().__init__(subject if whole else sentence(subject, got=got, expected=expected, do=do))


class InputError(KakeraError, ValueError):
    """The user's input cannot be used.

    Example:

        >>> issubclass(InputError, ValueError)
        True
    """


class UnreadableFileError(InputError):
    """One file cannot be read as a picture or a recording.

    `reason` is a short phrase without the path.

    Example:

        >>> str(UnreadableFileError("a.png", "the file is empty"))
        'a.png: the file is empty'
    """

    def __init__(self, path: object, reason: str) -> None:
        self.path = printable(path)
        super().__init__(f"{self.path}: {reason}")
        self.reason = reason

    def __reduce__(self) -> tuple[type[UnreadableFileError], tuple[str, str]]:
        return type(self), (self.path, self.reason)


class DataError(InputError):
    """A data set as a whole cannot be used.

    Example:

        >>> str(DataError("flowers", got="no pictures", expected="at least one", do="choose another folder"))
        'flowers: got no pictures, expected at least one; choose another folder'
    """


class OptionError(InputError):
    """An option, a recipe or an argument cannot be used.

    Example:

        >>> str(OptionError("epochs", got=0, expected="1 or more", do="correct the number"))
        'epochs: got 0, expected 1 or more; correct the number'
    """


class RunError(InputError):
    """A run folder, a checkpoint or a model file cannot be used.

    Example:

        >>> str(RunError("runs/a", got="no checkpoint", expected="a run folder", do="choose another folder"))
        'runs/a: got no checkpoint, expected a run folder; choose another folder'
    """


class DivergedError(RunError):
    """The loss or the gradient of a training is no longer finite.

    Example:

        >>> issubclass(DivergedError, RunError)
        True
    """


class StorageError(KakeraError, OSError):
    """A file could not be written; its previous content is unchanged.

    Example:

        >>> issubclass(StorageError, OSError)
        True
    """


class OutOfMemoryError(KakeraError, MemoryError):
    """The memory is too small: of this process, of a process that reads data for it, or of a GPU.

    Example:

        >>> issubclass(OutOfMemoryError, MemoryError)
        True
    """


class MissingExtraError(KakeraError, ImportError):
    """An optional dependency is not installed.

    Example:

        >>> issubclass(MissingExtraError, ImportError)
        True
    """


class StoppedError(KakeraError):
    """A signal stopped a training; a checkpoint is saved, so the training can be resumed.

    The exit code is 128 plus the number of the signal: 130 for Ctrl-C and 143 for SIGTERM. A non-zero code
    keeps `&&` and SLURM's `afterok` from starting the next command with an unfinished model.

    Example:

        >>> StoppedError("stopped", 15).exit_code
        143
    """

    exit_code = 130

    def __init__(self, message: str, number: int = 2) -> None:
        super().__init__(message)
        self.number = number
        self.exit_code = 128 + number


def missing_extra(package: str, extra: str) -> MissingExtraError:
    """Build the error that names the extra which installs a package.

    Example:

        >>> type(missing_extra("onnx", "onnx")).__name__
        'MissingExtraError'
    """
    return MissingExtraError(
        package,
        got="a package that is not installed",
        expected=f"the extra kakera[{extra}]",
        do=f"pip install 'kakera[{extra}]'",
    )
