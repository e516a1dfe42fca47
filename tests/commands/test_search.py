"""Search by picture, recording, span and region: the answers are those of NumPy."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from sklearn.neighbors import NearestNeighbors

import kakera
from kakera.commands.build_index import build_index
from kakera.commands.embed import embed
from kakera.commands.pages.search import write_search_page
from kakera.commands.search import search
from kakera.data.audio.wav import wav
from kakera.errors import DataError, OptionError, RunError
from kakera.formats.bundle import Pretrained
from kakera.inputs import InputSpec
from kakera.model.vit import ViT
from kakera.retrieval.folder import open_index
from kakera.sound.spec import SoundSpec
from tests.small import folder
from tests.training.songs import RATE, songs, tone

SPEC = SoundSpec(rate=8000, bins=32)
SOUND = InputSpec(1, 32, 40, (-5.0,), (3.0,), 1.0, ("frequency", "time"), SPEC)
WINDOW = SPEC.samples(40) / 8000  # seconds


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KAKERA_CACHE", str(tmp_path / "cache"))
    folder(tmp_path / "pictures", count=6)
    inputs = InputSpec(3, 28, 28, (0.5,) * 3, (0.5,) * 3)
    Pretrained(ViT("nano", channels=3, image_size=28, seed=0), inputs).save("encoder")
    return tmp_path


@pytest.fixture
def ears(here: Path) -> Path:
    songs(here / "songs", count=5)
    Pretrained(ViT("nano", channels=1, image_size=(32, 40), patch=8, seed=0), SOUND).save("ears")
    return here


def unit(vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    return vectors / np.linalg.norm(vectors.astype(np.float64), axis=-1, keepdims=True)


def tokens_of(files: object, encoder: str = "encoder") -> NDArray[np.float32]:
    """The patch tokens (n, patches, d) before the norm."""
    saved = kakera.load(encoder)
    with torch.inference_mode():
        return saved.encoder.tokens(saved.prepare(files))[:, 1:].numpy()


def normed(tokens: NDArray[np.float32]) -> NDArray[np.float32]:
    with torch.inference_mode():
        return kakera.load("encoder").encoder.norm(torch.from_numpy(tokens)).numpy()


@pytest.mark.parametrize("out", ["i.npz", "index"])
def test_the_matches_are_the_neighbours_of_scikit_learn_without_the_query(out: str, here: Path) -> None:
    build_index("pictures", init_from="encoder", out=out)
    found = search(out, ["pictures/bag/3.png", "pictures/boot/0.png"], top=4)
    expected = embed("encoder", "pictures")
    theirs = NearestNeighbors(n_neighbors=5, metric="cosine", algorithm="brute").fit(expected.vectors)
    for query, matches in zip(found.queries, found.matches, strict=True):
        row = expected.names.index(query)
        distances, places = theirs.kneighbors(expected.vectors[row : row + 1])
        others = [(n, d) for n, d in zip(places[0], distances[0], strict=True) if n != row][:4]
        assert [match.file for match in matches] == [expected.names[n] for n, _ in others]
        np.testing.assert_allclose([1 - match.cosine for match in matches], [d for _, d in others], atol=1e-5)
        assert [match.rank for match in matches] == [1, 2, 3, 4]
        assert matches[0].label == Path(matches[0].file).parent.name
    assert found.left_out == (("pictures/bag/3.png",), ("pictures/boot/0.png",))


def test_the_query_is_left_out_by_its_content_wherever_it_lies_and_all_its_copies_are_named(
    here: Path,
) -> None:
    Path("pictures/boot/copy.png").write_bytes(Path("pictures/bag/0.png").read_bytes())
    Path("elsewhere.png").write_bytes(Path("pictures/bag/0.png").read_bytes())
    build_index("pictures", init_from="encoder", out="i.npz")
    found = search("i.npz", "elsewhere.png", top=20)
    assert found.left_out == (("pictures/bag/0.png", "pictures/boot/copy.png"),)
    assert len(found.matches[0]) == 11
    with_it = search("i.npz", "elsewhere.png", top=20, include_query=True)
    assert len(with_it.matches[0]) == 13
    assert {match.file for match in with_it.matches[0][:2]} == set(found.left_out[0])
    assert with_it.matches[0][0].cosine == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("scale", [1e-20, 1e20])
def test_vectors_of_any_length_have_the_same_matches(scale: float, here: Path) -> None:
    build_index("pictures", init_from="encoder", out="i.npz")
    index = open_index("i.npz")
    stretched = replace(index, vectors=index.vectors * np.float32(scale))
    one, other = (search(each, "pictures/bag/0.png").matches[0] for each in (index, stretched))
    assert [match.file for match in one] == [match.file for match in other]
    np.testing.assert_allclose([m.cosine for m in one], [m.cosine for m in other], atol=1e-6)


def test_a_picture_that_is_in_no_index_loses_nobody(here: Path) -> None:
    build_index("pictures", init_from="encoder", out="i.npz")
    picture = np.full((28, 28, 3), 90, np.uint8)
    found = search("i.npz", picture, top=20)
    assert len(found.matches[0]) == 12
    assert found.left_out == ((),)
    expected = unit(embed("encoder", picture).vectors) @ unit(embed("encoder", "pictures").vectors).T
    np.testing.assert_allclose([m.cosine for m in found.matches[0]], -np.sort(-expected[0]), atol=1e-5)


@pytest.mark.parametrize("pool", ["mean", "normed mean"])
def test_a_region_pools_only_its_patches(pool: str, here: Path) -> None:
    build_index("pictures", init_from="encoder", out="i.npz", pool=pool)
    found = search("i.npz", "pictures/bag/0.png", region=(4, 8, 8, 4), top=11)
    own = tokens_of("pictures/bag/0.png")[0].reshape(7, 7, -1)[2, 1:3]  # patches of 4 pixels
    vector = normed(own.mean(axis=0, keepdims=True)) if pool == "mean" else normed(own).mean(axis=0)[None]
    names = embed("encoder", "pictures").names
    expected = (unit(vector) @ unit(embed("encoder", "pictures", pool=pool).vectors).T)[0]
    order = [n for n in np.argsort(-expected) if names[n] != "pictures/bag/0.png"]
    assert [match.file for match in found.matches[0]] == [names[n] for n in order]
    np.testing.assert_allclose([m.cosine for m in found.matches[0]], expected[order], atol=1e-5)


def test_among_patches_a_picture_has_the_cosine_of_its_best_patch_and_its_place(here: Path) -> None:
    build_index("pictures", init_from="encoder", out="i.npz", tokens=True)
    for region, own in (((0, 0, 4, 4), np.s_[0:1]), (None, np.s_[:])):
        found = search("i.npz", "pictures/bag/0.png", region=region, top=11)
        vector = normed(tokens_of("pictures/bag/0.png")[0])[own].mean(axis=0)
        names = embed("encoder", "pictures").names
        scores = unit(normed(tokens_of("pictures"))) @ unit(vector)
        for match in found.matches[0]:
            row = scores[names.index(match.file)]
            assert match.cosine == pytest.approx(row.max(), abs=1e-5)
            down, right = divmod(int(row.argmax()), 7)
            assert match.patch == (down + 1, right + 1)
        order = [names[n] for n in np.argsort(-scores.max(axis=1)) if names[n] != "pictures/bag/0.png"]
        assert [match.file for match in found.matches[0]] == order


def test_a_region_follows_the_crop_of_a_large_picture(here: Path) -> None:
    build_index("pictures", init_from="encoder", out="i.npz", pool="mean")
    wide = np.random.default_rng(0).integers(0, 256, (56, 112, 3)).astype(np.uint8)
    Image.fromarray(wide).save("wide.png")
    # the model sees the middle 56 x 56 pixels, so each patch is 8 pixels wide, from 28 on
    found = search("i.npz", "wide.png", region=(28 + 16, 8, 8, 16), top=1)
    assert found.opened.region is not None
    assert np.flatnonzero(found.opened.region).tolist() == [7 + 2, 14 + 2]
    tiny = search("i.npz", "wide.png", region=(28 + 17, 9, 2, 2), top=1)
    assert tiny.opened.region is not None
    assert np.flatnonzero(tiny.opened.region).tolist() == [7 + 2]
    with pytest.raises(OptionError, match="expected one in the part that the model sees: 28,0,56,56"):
        search("i.npz", "wide.png", region=(0, 0, 10, 10))


def test_a_span_finds_the_moment_and_windows_that_overlap_it_are_left_out(ears: Path) -> None:
    long = np.concatenate(
        [tone(300, WINDOW), tone(1900, WINDOW, 1), tone(300, WINDOW, 2), tone(1900, WINDOW, 3)]
    )
    Path("songs/low/long.wav").write_bytes(wav(long[:, None], RATE, "FLOAT"))
    build_index("songs", init_from="ears", out="i.npz", windows=True)
    found = search("i.npz", f"songs/low/long.wav:{WINDOW}-{2 * WINDOW}", top=1)
    match = found.matches[0][0]
    assert match.file == "songs/low/long.wav"
    assert (match.start, match.end) == (pytest.approx(3 * WINDOW), pytest.approx(4 * WINDOW))
    assert found.left_out == (("songs/low/long.wav",),)
    everything = search("i.npz", f"songs/low/long.wav:{WINDOW}-{2 * WINDOW}", top=100).matches[0]
    spans = [(one.start, one.end) for one in everything if one.file == "songs/low/long.wav"]
    assert len(spans) == 3
    whole = search("i.npz", "songs/low/long.wav", top=100).matches[0]
    assert not [one for one in whole if one.file == "songs/low/long.wav"]


def test_a_recording_has_the_neighbours_of_its_embedding(ears: Path) -> None:
    build_index("songs", init_from="ears", out="index")
    found = search("index", "songs/high/2.wav", top=9)
    vectors = embed("ears", "songs")
    row = vectors.names.index("songs/high/2.wav")
    expected = unit(vectors.vectors) @ unit(vectors.vectors[row])
    order = [vectors.names[n] for n in np.argsort(-expected) if n != row]
    assert [match.file for match in found.matches[0]] == order


def test_a_file_that_has_changed_or_is_gone_is_told_of(here: Path) -> None:
    build_index("pictures", init_from="encoder", out="i.npz")
    Path("pictures/bag/1.png").unlink()
    Image.new("RGB", (28, 28), "red").save("pictures/bag/2.png")
    found = search("i.npz", "pictures/bag/0.png", top=20).matches[0]
    states = {match.file: match.state for match in found if match.state}
    assert states == {
        "pictures/bag/1.png": "no longer there",
        "pictures/bag/2.png": "changed since it was embedded",
    }


def test_it_works_from_another_folder_and_with_a_moved_encoder(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_index("pictures", init_from="encoder", out="i.npz")
    expected = [match.file for match in search("i.npz", "pictures/bag/0.png").matches[0]]
    Path("other").mkdir()
    monkeypatch.chdir("other")
    found = search("../i.npz", "../pictures/bag/0.png")
    assert [match.file for match in found.matches[0]] == expected
    assert not [match for match in found.matches[0] if match.state]
    Path("../encoder").rename("../moved")
    with pytest.raises(RunError, match="encoder: got"):
        search("../i.npz", "../pictures/bag/0.png")
    assert [
        m.file for m in search("../i.npz", "../pictures/bag/0.png", init_from="../moved").matches[0]
    ] == expected


def test_spans_of_a_table_are_found_from_another_folder(ears: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f"songs/low/4.wav,low,{start},{start + 0.3}" for start in (0.0, 0.3)]
    Path("table.csv").write_text("\n".join(["file,label,start,end", *lines, "songs/high/4.wav,high,0,0.4"]))
    build_index("table.csv", init_from="ears", out="i.npz")
    Path("other").mkdir()
    for place in (".", "other"):
        monkeypatch.chdir(ears / place)
        found = search(str(ears / "i.npz"), str(ears / "songs/low/0.wav"))
        assert len(found.matches[0]) == 3
        assert not [match for match in found.matches[0] if match.state]
        assert write_search_page("page.html", found) == 3
        assert Path("page.html").read_text().count("<audio") == 4
    same = search(str(ears / "i.npz"), f"{ears}/songs/low/4.wav:0.05-0.25").left_out[0]
    assert same == ("songs/low/4.wav[0–0.3 s]",)


def test_members_of_arrays_are_found_and_shown(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (6, 28, 28, 3)).astype(np.uint8)
    np.savez("some.npz", x_train=pixels, y_train=np.arange(6) % 2)
    build_index("some.npz", init_from="encoder", out="index")
    found = search("index", pixels[2], top=9)
    assert len(found.matches[0]) == 5
    assert len(found.left_out[0]) == 1
    assert not [match for match in found.matches[0] if match.state]
    assert write_search_page("page.html", found) == 5


@pytest.mark.parametrize("query", [b"no picture", "nowhere.png"])
def test_a_query_that_cannot_be_read_is_named_and_the_others_are_answered(query: object, here: Path) -> None:
    build_index("pictures", init_from="encoder", out="i.npz")
    found = search("i.npz", [query, "pictures/bag/0.png"], top=2)
    assert found.queries == ("pictures/bag/0.png",)
    assert len(found.unreadable) == 1
    assert len(found.matches[0]) == 2


def test_what_cannot_be_searched_is_refused_in_one_line(ears: Path) -> None:
    build_index("pictures", init_from="encoder", out="i.npz")
    build_index("pictures", init_from="encoder", out="mean.npz", pool="mean")
    build_index("songs", init_from="ears", out="s.npz")
    inputs = InputSpec(3, 28, 28, (0.5,) * 3, (0.5,) * 3)
    Pretrained(ViT("nano", channels=3, image_size=28, seed=1), inputs).save("other")
    Path("empty").mkdir()
    query = "pictures/bag/0.png"
    cases: list[tuple[Callable[[], object], type[Exception], str]] = [
        (lambda: search("i.npz", query, top=0), OptionError, "top: got 0, expected 1 or more"),
        (lambda: search("i.npz", query, init_from="other"), DataError, "got other, whose weights are others"),
        (lambda: search("i.npz", query, region=(0, 0, 4, 4)), OptionError, "got an index of pool class"),
        (
            lambda: search("mean.npz", query, region=(0, 0, 0, 4)),
            OptionError,
            "in a picture of 28 x 28 pixels",
        ),
        (
            lambda: search("mean.npz", query, region=(20, 0, 9, 4)),
            OptionError,
            "in a picture of 28 x 28 pixels",
        ),
        (lambda: search("mean.npz", query, region=(np.nan, 0, 9, 4)), OptionError, "in a picture of 28 x 28"),
        (
            lambda: search("mean.npz", [query] * 2, region=(0, 0, 4, 4)),
            OptionError,
            "got 2 queries, expected one",
        ),
        (lambda: search("s.npz", "songs/low/0.wav", region=(0, 0, 4, 4)), OptionError, "got recordings"),
        (lambda: search("s.npz", "songs/low/0.wav:2-1"), OptionError, "with an end after the start"),
        (
            lambda: search("s.npz", "songs/low/0.wav:0-60"),
            OptionError,
            r"query: got 0-60, expected a span in the \S+ s of songs/low/0\.wav",
        ),
        (lambda: search("i.npz", f"{query}:0-1"), OptionError, "query: got a span in seconds, expected pict"),
        (lambda: search("i.npz", "empty"), DataError, "empty: got no picture"),
        (lambda: search("i.npz", []), DataError, "queries: got none, expected at least one file"),
        (
            lambda: search("nowhere", query),
            DataError,
            "nowhere: got no such file or folder, expected an index",
        ),
        (
            lambda: search("pictures", query),
            DataError,
            r"got a folder without index\.json, expected an index",
        ),
    ]
    for call, kind, words in cases:
        with pytest.raises(kind, match=words) as caught:
            call()
        assert "\n" not in str(caught.value)


def test_the_page_shows_each_match_with_its_map_and_a_player(ears: Path) -> None:
    build_index("songs", init_from="ears", out="i.npz", windows=True)
    found = search("i.npz", "songs/low/3.wav:0.1-0.4", top=3)
    assert write_search_page("page.html", found) == 3
    page = Path("page.html").read_text()
    assert page.count("<audio") == page.count("<img") == 4
    assert "http" not in re.sub(r"data:[^\"]*", "", page)
    assert "Left out, because it has the content of the query: songs/low/3.wav." in page
    Path(found.matches[0][1].file).unlink()
    found = search("i.npz", "songs/low/3.wav:0.1-0.4", top=3)
    assert write_search_page("page.html", found) == 3
    assert "no longer there" in Path("page.html").read_text()


def test_an_index_that_is_open_already_gives_the_same_answer(here: Path) -> None:
    build_index("pictures", init_from="encoder", out="i.npz")
    index = open_index("i.npz")
    one, other = (search(each, "pictures/bag/0.png").matches for each in (index, "i.npz"))
    assert one == other
