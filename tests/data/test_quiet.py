import ctypes
import platform

import pytest

from kakera.data.quiet import quiet

GLIBC = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc lets stderr be set")


def say(word: bytes) -> None:
    library = ctypes.CDLL(None)
    stream = ctypes.c_void_p.in_dll(library, "stderr")
    library.fputs(word, stream)
    library.fflush(stream)


@GLIBC
def test_what_c_writes_is_lost_within_and_seen_after(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet():
        say(b"within")
        with quiet():
            say(b"deeper")
        say(b"still")
    say(b"after")
    assert capfd.readouterr().err == "after"


@GLIBC
def test_an_error_ends_it(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="x"), quiet():
        raise ValueError("x")
    say(b"after")
    assert capfd.readouterr().err == "after"
