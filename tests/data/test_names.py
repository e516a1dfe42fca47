import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kakera.data import names as module
from kakera.data.folders.tree import suffix_of
from kakera.data.names import Names, NamesBuilder, Paths, take_rows

# What the names of files may be: a byte that is no UTF-8 is a lone surrogate.
texts = st.one_of(st.text(st.characters(exclude_categories=["Cs"])), st.binary(max_size=12).map(os.fsdecode))
lists = st.lists(texts, max_size=20)
files = st.text("aA./\\é", max_size=6)


@given(lists, st.slices(20), st.data())
def test_names_are_the_list_that_they_were_made_of(
    given_: list[str], part: slice, data: st.DataObject
) -> None:
    found = Names.of(given_)
    rows = data.draw(st.lists(st.integers(0, len(given_) - 1), max_size=9)) if given_ else []
    assert [*found] == given_
    assert [found[row] for row in rows] == [given_[row] for row in rows]
    assert [*found[part]] == given_[part]
    assert [*found.take(np.array(rows, np.int64))] == [given_[row] for row in rows]
    assert [*found.take(np.array(rows, np.int64))[::-1]] == [given_[row] for row in rows[::-1]]
    assert [*pickle.loads(pickle.dumps(found))] == given_


@given(st.lists(lists, max_size=4))
def test_blocks_are_put_one_behind_the_other(blocks: list[list[str]]) -> None:
    builder = NamesBuilder()
    for block in blocks:
        builder.extend(block)
    assert [*builder.names()] == [text for block in blocks for text in block]
    assert [*builder.names()] == []


@given(lists, st.data())
def test_some_can_be_replaced(given_: list[str], data: st.DataObject) -> None:
    rows = st.integers(0, len(given_) - 1) if given_ else st.nothing()
    others = data.draw(st.dictionaries(rows, texts))
    assert [*Names.of(given_).replaced(others)] == [others.get(n, text) for n, text in enumerate(given_)]


@given(st.lists(st.tuples(files, st.sampled_from(["", ".png", ".PNG", ".Jpeg", ".webp", ".p", "png"]))))
def test_suffixes_are_those_of_each_name(parts: list[tuple[str, str]]) -> None:
    given_ = [name + suffix for name, suffix in parts]
    for suffixes in ({".png"}, {".png", ".jpeg", ".webp"}):
        found = Names.of(given_).with_suffix(suffixes)
        assert found.tolist() == [suffix_of(name) in suffixes for name in given_]


def test_a_part_shares_the_letters() -> None:
    found = Names.of(["a", "b", "c"])
    assert found.take(np.array([2, 0])).buffer is found.buffer
    assert found[1:].buffer is found.buffer


def test_a_name_beyond_the_end_is_an_error() -> None:
    with pytest.raises(IndexError):
        Names.of(["a"])[1]


@given(st.lists(files, max_size=9), st.sampled_from([".", "/", "/x y", "deep/er", "../a"]))
def test_paths_are_those_of_pathlib(given_: list[str], root: str) -> None:
    found, expected = Paths(Path(root), Names.of(given_)), [Path(root) / name for name in given_]
    assert [*found] == expected
    assert [*found[::-2]] == expected[::-2]
    assert found.texts() == [*map(str, expected)]
    assert [*found.take(np.arange(len(given_))[::-1])] == expected[::-1]
    assert found[-1:].texts() == [*map(str, expected[-1:])]


def test_many_names_go_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 3)
    assert [*Names.of([*"abcdefgh"])] == [*"abcdefgh"]


def test_what_cannot_be_taken_at_once_is_taken_one_by_one() -> None:
    assert take_rows("abc", np.array([2, 0])) == ["c", "a"]
