import doctest
import importlib
import inspect
import re
from pathlib import Path

import pytest

import kakera
from kakera import errors
from tests.docstrings import SOURCE, Item, items
from tests.messages import messages

WORDS = Path(__file__).parent / "words"
ALL = [item for item in items() if item.docstring]
PUBLIC = [item for item in ALL if item.is_public]
VERBS = frozenset((WORDS / "verbs.txt").read_text().split())
VOCABULARY = frozenset((WORDS / "vocabulary.txt").read_text().split())
PRIVATE = frozenset((WORDS / "private.txt").read_text().split())
OPENINGS = re.compile(r"(Of|What|Whether|Where|Which|How|As|All|From|By|Its|Those|So|Both) ")
SENTENCE = re.compile(
    r"(?:^|[.;:] )(Of (?:a|an|the|this|these|all|pictures|recordings)|What|Whether) [^.?]*\."
)
TECHNICAL = re.compile(r"\b(told|heard|wanted|begun|gone on|goes on)\b", re.IGNORECASE)
ERRORS = frozenset(name for name, kind in vars(errors).items() if isinstance(kind, type))
EXAMPLES = (
    *("model", "explain", "sound", "reports"),
    *("masking.py", "inputs.py", "frontend.py", "grid.py", "seeding.py", "errors.py"),
    *("duration.py", "option_fields.py", "progress.py", "storage.py"),
)


def places(found: list[Item]) -> list[str]:
    return [f"{item.place} {item.name}: {item.first_line}" for item in found]


def test_every_public_function_and_class_has_a_docstring() -> None:
    bare = [item for item in items() if item.is_public and not item.docstring and not _is_trivial(item)]
    assert not places(bare)


def _is_trivial(item: Item) -> bool:
    return item.name.split(".")[-1].startswith("__") or item.path.parts[-2] == "web"


def test_a_docstring_of_a_function_begins_with_a_verb() -> None:
    functions = [item for item in ALL if item.kind in ("function", "method")]
    assert not places([item for item in functions if item.first_line.split(" ")[0].lower() not in VERBS])


def test_a_docstring_begins_with_no_fragment() -> None:
    assert not places([item for item in ALL if OPENINGS.match(item.docstring)])


def test_a_function_that_raises_an_error_names_it() -> None:
    """A caller reads which errors to expect; the base classes of the tree may stand for their kinds."""
    silent = [
        item
        for item in PUBLIC
        if item.kind in ("function", "method")
        and not all(name in item.docstring for name in item.raises & ERRORS)
    ]
    assert not places(silent)


def test_no_text_that_a_user_reads_has_a_private_word() -> None:
    found = [m for m in messages() if m.kind != "docstring" and TECHNICAL.search(m.text)]
    assert not [f"{m.path.relative_to(SOURCE)}:{m.line}: {m.text}" for m in found]


def test_no_text_has_a_sentence_that_is_a_fragment() -> None:
    found = [m for m in messages() if SENTENCE.search(" ".join(m.text.split()))]
    assert not [f"{m.path.relative_to(SOURCE)}:{m.line}: {m.text}" for m in found]


def _words(name: str) -> list[str]:
    """Split snake_case and CamelCase into lower-case words."""
    parts = re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+", name.split(".")[-1])
    return [part.lower() for part in parts]


def test_public_names_are_made_of_words_of_the_field() -> None:
    """`tests/words/vocabulary.txt` lists the words; a new one is added there if the field uses it."""
    named = [item for item in PUBLIC if item.kind != "module"]
    strange = [item for item in named for word in _words(item.name) if word not in VOCABULARY]
    assert not places(strange)


def test_the_vocabulary_has_no_private_word() -> None:
    assert not VOCABULARY & PRIVATE


@pytest.mark.parametrize("name", kakera.__all__)
def test_every_name_of_the_package_has_an_example(name: str) -> None:
    assert ">>>" in (inspect.getdoc(getattr(kakera, name)) or "")


@pytest.mark.parametrize("room", EXAMPLES)
def test_every_public_function_and_class_of_a_room_has_an_example(room: str) -> None:
    own = [item for item in PUBLIC if item.path.relative_to(SOURCE).parts[0] == room]
    needed = [item for item in own if item.kind in ("function", "class")]
    assert not places(
        [item for item in needed if ">>>" not in item.docstring and "See `" not in item.docstring]
    )


WITH_EXAMPLES = sorted({item.path for item in ALL if ">>>" in item.docstring})


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_the_examples_of_a_module_run(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    module = importlib.import_module(".".join(part for part in parts if part != "__init__"))
    result = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert not result.failed
