import inspect
import pickle
import re

import pytest

from kakera import errors
from kakera.errors import (
    InputError,
    KakeraError,
    MissingExtraError,
    StoppedError,
    StorageError,
    UnreadableFileError,
    sentence,
)

TREE: list[type[KakeraError]] = [
    kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__
]


def drawn_tree() -> dict[str, str]:
    """Each name in the module's drawing with the name it hangs from: four columns are one level."""
    above: list[str] = []
    parents: dict[str, str] = {}
    for line in inspect.getdoc(errors).splitlines():
        if node := re.match(r"[ │├└─]*(?=\w+Error)", line):
            level = len(node[0]) // 4 - 1
            name = re.findall(r"\w+Error", line)[0]
            above[level:] = [name]
            if level:
                parents[name] = above[level - 1]
    return parents


def test_the_tree_drawn_at_the_top_is_the_tree_of_classes() -> None:
    ours = {kind.__name__: kind.__mro__[1].__name__ for kind in TREE if kind is not KakeraError}
    assert drawn_tree() == ours


@pytest.mark.parametrize("kind", TREE)
def test_every_error_is_caught_as_a_kakera_error_with_exit_code_2(kind: type[KakeraError]) -> None:
    assert issubclass(kind, KakeraError)
    assert kind.exit_code == (130 if kind is StoppedError else 2)  # as shells count signals


@pytest.mark.parametrize(
    ("kind", "builtin"), [(InputError, ValueError), (StorageError, OSError), (MissingExtraError, ImportError)]
)
def test_it_is_also_what_python_itself_would_raise(kind: type[KakeraError], builtin: type) -> None:
    assert issubclass(kind, builtin)


def test_a_sentence_says_subject_got_expected_and_what_to_do() -> None:
    assert (
        sentence("size", got=3, expected="4 or 5", do="choose 4") == "size: got 3, expected 4 or 5; choose 4"
    )


def test_a_sentence_is_one_line_whatever_goes_in() -> None:
    said = sentence("a\nb", got=ValueError("first\n  second"), expected="x\ty", do=" z ")
    assert said == "a b: got first second, expected x y; z"


def test_an_unreadable_file_is_named_before_the_reason() -> None:
    assert str(UnreadableFileError("a/b.png", "empty")) == "a/b.png: empty"


def test_an_unreadable_file_comes_back_whole_from_a_worker() -> None:
    back = pickle.loads(pickle.dumps(UnreadableFileError("a/b.png", "empty")))
    assert (type(back), str(back), back.path, back.reason) == (
        UnreadableFileError,
        "a/b.png: empty",
        "a/b.png",
        "empty",
    )
