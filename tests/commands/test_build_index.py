"""An index is made, grows, and goes on after an interruption without computing anything twice."""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from kakera.cli.main import main
from kakera.commands.build_index import build_index
from kakera.commands.embed import embed
from kakera.commands.indexing import vectors as computing
from kakera.errors import DataError, OptionError, RunError, StorageError
from kakera.formats import window_tokens as tokens_module
from kakera.formats.bundle import Pretrained
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.vit import ViT
from kakera.retrieval.folder import open_index
from kakera.retrieval.index import Index
from kakera.sound.spec import SoundSpec
from tests.small import folder
from tests.training.songs import songs

ROOT = Path(__file__).parents[2]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KAKERA_CACHE", str(tmp_path / "cache"))
    folder(tmp_path / "pictures", count=5)
    inputs = InputSpec(3, 28, 28, (0.5,) * 3, (0.5,) * 3)
    Pretrained(ViT("nano", channels=3, image_size=28, seed=0), inputs).save("encoder")
    return tmp_path


@pytest.fixture
def ears(here: Path) -> Path:
    songs(here / "songs", count=4)
    spec = SoundSpec(rate=8000, bins=32)
    inputs = InputSpec(1, 32, 40, (-5.0,), (3.0,), 1.0, ("frequency", "time"), spec)
    Pretrained(ViT("nano", channels=1, image_size=(32, 40), patch=8, seed=0), inputs).save("ears")
    return here


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files whose tokens a network computes."""
    names: list[str] = []
    original = ViT.tokens

    def counted(self: ViT, pictures: torch.Tensor, *rest: Any) -> torch.Tensor:
        names.extend(["one"] * len(pictures))
        return original(self, pictures, *rest)

    monkeypatch.setattr(ViT, "tokens", counted)
    return names


def by_file(index: Index) -> dict[str, NDArray[np.float32]]:
    return dict(zip(index.rows["file"].tolist(), index.vectors, strict=True))


@pytest.mark.parametrize("out", ["i.npz", "index"])
def test_the_vectors_are_those_of_embed_beside_file_part_and_label(out: str, here: Path) -> None:
    found = build_index("pictures", init_from="encoder", out=out)
    index, expected = open_index(out), embed("encoder", "pictures")
    assert (found.vectors, found.files, found.computed) == (10, 10, 10)
    assert set(index.rows["part"]) == {"train", "test"}
    assert {name.split("/")[1] for name in index.rows["file"]} == set(index.rows["label"]) == {"bag", "boot"}
    stored = by_file(index)
    for name, vector in zip(expected.names, expected.vectors, strict=True):
        np.testing.assert_allclose(stored[name], vector, atol=1e-6)
    assert np.isnan(index.rows["start"]).all()


def test_a_classifier_gives_what_its_head_reads(here: Path) -> None:
    network = Classifier(ViT("nano", channels=3, image_size=28, seed=0), 2, "mean")
    inputs = InputSpec(3, 28, 28, (0.5,) * 3, (0.5,) * 3)
    Pretrained(network, inputs, ("a", "b")).save("classifier")
    build_index("pictures", init_from="classifier", out="i.npz")
    assert open_index("i.npz").info.pool == "mean"


def test_patch_tokens_are_those_of_the_encoder_after_its_norm(here: Path) -> None:
    build_index("pictures", init_from="encoder", out="i.npz", tokens=True)
    index = open_index("i.npz")
    from kakera import load

    saved = load("encoder")
    with torch.inference_mode():
        expected = saved.encoder.norm(saved.encoder.tokens(saved.prepare("pictures")))[:, 1:].numpy()
    np.testing.assert_allclose(index.vectors, expected, atol=1e-6)


def test_windows_have_their_spans_and_the_mean_of_their_vectors_is_that_of_the_recording(ears: Path) -> None:
    build_index("songs", init_from="ears", out="windows.npz", windows=True)
    build_index("songs", init_from="ears", out="whole.npz")
    windows, whole = open_index("windows.npz"), open_index("whole.npz")
    for name, vector in by_file(whole).items():
        rows = windows.rows["file"] == name
        np.testing.assert_allclose(windows.vectors[rows].mean(axis=0), vector, atol=1e-6)
        number = int(Path(name).stem)
        assert windows.rows["start"][rows][0] == 0
        assert windows.rows["end"][rows][-1] == pytest.approx(0.3 + 0.1 * number)
        (one,) = np.flatnonzero(whole.rows["file"] == name)
        assert whole.rows["end"][one] == pytest.approx(0.3 + 0.1 * number)
    widest = windows.rows["end"] - windows.rows["start"]
    assert widest.max() == pytest.approx(SoundSpec(rate=8000, bins=32).samples(40) / 8000)


def test_patches_of_a_short_recording_end_where_it_ends(ears: Path) -> None:
    build_index("songs", init_from="ears", out="i.npz", tokens=True, windows=True)
    index = open_index("i.npz")
    (short,) = np.flatnonzero(index.rows["file"] == "songs/low/0.wav")  # 0.3 of 0.4 s
    assert index.rows["columns"][short] == 4
    grid = index.vectors[short].reshape(4, 5, -1)
    assert not grid[:, 4].any()
    assert np.abs(grid[:, :4]).sum(axis=-1).min() > 0


@pytest.mark.parametrize(("out", "options"), [("i.npz", {}), ("index", {}), ("index", {"tokens": True})])
def test_a_second_run_adds_new_files_embeds_changed_ones_again_and_drops_missing_ones(
    out: str, options: dict[str, Any], here: Path, computed: list[str]
) -> None:
    build_index("pictures", init_from="encoder", out=out, **options)
    before = by_file(open_index(out))
    assert len(computed) == 10
    Image.new("RGB", (28, 28), "red").save("pictures/bag/new.png")
    Image.new("RGB", (28, 28), "blue").save("pictures/bag/1.png")
    Path("pictures/boot/2.png").unlink()
    found = build_index("pictures", init_from="encoder", out=out, **options)
    assert len(computed) == 12
    assert found.changes == (
        "1 new",
        "1 changed, embedded again (pictures/bag/1.png)",
        "1 no longer there, dropped (pictures/boot/2.png)",
    )
    after = by_file(open_index(out))
    build_index("pictures", init_from="encoder", out="fresh", **options)
    fresh = by_file(open_index("fresh"))
    assert after.keys() == fresh.keys()
    for name, vector in after.items():
        np.testing.assert_array_equal(vector, fresh[name])
        if name in before and name != "pictures/bag/1.png":
            np.testing.assert_array_equal(vector, before[name])


def test_a_moved_file_and_a_new_label_need_no_vector(here: Path, computed: list[str]) -> None:
    build_index("pictures", init_from="encoder", out="index", tokens=True)
    Path("pictures/bag").rename("pictures/sack")
    computed.clear()
    found = build_index("pictures", init_from="encoder", out="index", tokens=True)
    assert not computed
    assert found.computed == 0
    assert set(open_index("index").rows["label"]) == {"sack", "boot"}


def test_an_update_from_another_folder_changes_nothing(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build_index("pictures", init_from="encoder", out="index")
    Path("other").mkdir()
    monkeypatch.chdir("other")
    found = build_index("../pictures", init_from="../encoder", out="../index")
    assert (found.computed, found.changes) == (0, ())
    assert len(open_index("../index")) == 10


def test_the_token_cache_is_that_of_fit(here: Path, computed: list[str]) -> None:
    import kakera

    kakera.fit("pictures", init_from="encoder", out="run", pool="class", baselines=False, announce=False)
    computed.clear()
    assert build_index("pictures", init_from="encoder", out="i.npz").computed == 0
    assert not computed


def stopped_after(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the computation after so many files, each in its own block."""
    original = tokens_module.file_batches

    def some(inputs: Any, dataset: Any, workers: int, progress: str) -> Iterator[Any]:
        for number in range(len(dataset)):
            if number == count:
                raise KeyboardInterrupt
            for part in original(inputs, dataset.take([number]), 0, ""):
                yield module_replace(part, number)

    monkeypatch.setattr(tokens_module, "file_batches", some)
    monkeypatch.setattr(computing, "SECONDS", 0.0)


def module_replace(part: Any, number: int) -> Any:
    from dataclasses import replace

    return replace(part, samples=torch.full_like(part.samples, number))


@pytest.mark.parametrize("out", ["i.npz", "index"])
def test_an_interrupted_run_goes_on_and_computes_nothing_twice(
    out: str, here: Path, computed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    build_index("pictures", init_from="encoder", out="whole.npz", tokens=True)
    computed.clear()
    with monkeypatch.context() as patch:
        stopped_after(6, patch)
        with pytest.raises(KeyboardInterrupt):
            build_index("pictures", init_from="encoder", out=out, tokens=True)
    stored = len(computed) - 1  # the last one was in no block yet
    assert stored >= 4
    with pytest.raises(DataError, match="got an unfinished index, expected a whole one; run the same kakera"):
        open_index(out)
    computed.clear()
    build_index("pictures", init_from="encoder", out=out, tokens=True)
    assert len(computed) <= 10 - stored + 1
    np.testing.assert_array_equal(open_index(out).vectors, open_index("whole.npz").vectors)
    assert not Path("i.npz.unfinished").exists()


@pytest.mark.slow
def test_a_killed_run_goes_on(here: Path) -> None:
    script = (
        "import time\n"
        "from kakera.commands.indexing import vectors\n"
        "from kakera.formats import window_tokens as module\n"
        "vectors.SECONDS = 0.0\n"
        "original = module.file_batches\n"
        "def slow(inputs, dataset, workers, progress):\n"
        "    from dataclasses import replace\n"
        "    import torch\n"
        "    for number in range(len(dataset)):\n"
        "        for part in original(inputs, dataset.take([number]), 0, ''):\n"
        "            yield replace(part, samples=torch.full_like(part.samples, number))\n"
        "            time.sleep(0.2)\n"
        "module.file_batches = slow\n"
        "from kakera.commands.build_index import build_index\n"
        "build_index('pictures', init_from='encoder', out='index', tokens=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": str(ROOT / "src")}
    )
    deadline = time.monotonic() + 60
    while len([*Path("index/vectors").glob("*.npz")]) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    blocks = len([*Path("index/vectors").glob("*.npz")])
    assert blocks >= 3
    found = build_index("pictures", init_from="encoder", out="index", tokens=True)
    assert found.computed <= 10 - blocks
    build_index("pictures", init_from="encoder", out="whole", tokens=True)
    np.testing.assert_array_equal(open_index("index").vectors, open_index("whole").vectors)


def test_a_damaged_block_is_named_and_computed_again(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build_index("pictures", init_from="encoder", out="index", tokens=True)
    (block,) = Path("index/vectors").glob("*.npz")
    whole = open_index("index").vectors
    content = bytearray(block.read_bytes())
    content[len(content) // 2] ^= 1
    block.write_bytes(content)
    with pytest.raises(
        DataError, match="missing or damaged file .*; run the same kakera embed command again"
    ):
        open_index("index")
    build_index("pictures", init_from="encoder", out="index", tokens=True)
    assert f"index: {block} is damaged; its vectors are computed again" in capsys.readouterr().err
    np.testing.assert_array_equal(open_index("index").vectors, whole)


def test_much_waste_is_removed_and_nothing_else(here: Path) -> None:
    build_index("pictures", init_from="encoder", out="index", tokens=True)
    for path in [*Path("pictures/bag").iterdir(), *Path("pictures/boot").iterdir()][:8]:
        path.unlink()
    build_index("pictures", init_from="encoder", out="index", tokens=True)
    (block,) = Path("index/vectors").glob("*.npz")
    with np.load(block) as file:
        assert len(file["vector"]) == 2
    assert len(open_index("index")) == 2
    assert len([*Path("index").glob("rows-*")]) == 1


def test_copies_of_a_file_are_computed_once_and_each_has_its_row(here: Path, computed: list[str]) -> None:
    Path("pictures/bag/copy.png").write_bytes(Path("pictures/bag/0.png").read_bytes())
    for out in ("i.npz", "index"):
        build_index("pictures", init_from="encoder", out=out, tokens=True)
        build_index("pictures", init_from="encoder", out=out, tokens=True)
        stored = by_file(open_index(out))
        assert len(stored) == 11
        np.testing.assert_array_equal(stored["pictures/bag/copy.png"], stored["pictures/bag/0.png"])
    assert len(computed) == 20


def test_an_unreadable_file_is_named_and_the_others_are_there(here: Path) -> None:
    Path("pictures/bag/broken.png").write_bytes(b"no picture")
    for options in ({}, {"tokens": True}):
        found = build_index("pictures", init_from="encoder", out=f"i{len(options)}.npz", **options)
        assert [Path(error.path).name for error in found.unreadable] == ["broken.png"]
        assert (found.vectors, found.files, found.computed) == (10, 10, 10)


@pytest.mark.parametrize("options", [{}, {"tokens": True}])
def test_unreadable_files_of_the_same_content_are_all_named(here: Path, options: dict[str, Any]) -> None:
    for name in ("broken", "copy", "second_copy"):
        Path(f"pictures/bag/{name}.png").write_bytes(b"no picture")
    found = build_index("pictures", init_from="encoder", out="i.npz", **options)
    assert [Path(each.path).stem for each in found.unreadable] == ["broken", "copy", "second_copy"]
    assert (found.vectors, found.files) == (10, 10)


def test_names_that_are_no_text_are_shown_and_found(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    strange = os.fsencode("pictures/bag/") + b"caf\xe9.png"
    Path(os.fsdecode(strange)).write_bytes(Path("pictures/bag/0.png").read_bytes())
    Path("pictures/bag/0.png").unlink()
    for out in ("index", "i.npz"):
        build_index("pictures", init_from="encoder", out=out)
        build_index("pictures", init_from="encoder", out=out)
        words = ["search", out, "pictures/bag/1.png", "--top", "20"]
        assert main([*words, "--html", "page.html"]) == 0
        shown, error = capsys.readouterr()
        assert "caf\\udce9.png" in shown
        assert "no longer there" not in error
        assert main([*words, "--json"]) == main([*words, "--csv"]) == 0


def test_an_index_of_others_is_refused_and_stays(here: Path) -> None:
    Pretrained(
        ViT("nano", channels=3, image_size=28, seed=1), InputSpec(3, 28, 28, (0.5,) * 3, (0.5,) * 3)
    ).save("other")
    folder(here / "more", count=2)
    for out in ("i.npz", "index"):
        build_index("pictures", init_from="encoder", out=out)
        before = open_index(out).vectors
        for data, changes, words in (
            ("pictures", {"init_from": "other"}, "got an index with another encoder, expected that of"),
            ("pictures", {"pool": "mean"}, "expected pool mean; pass --pool 'class', or choose"),
            ("pictures", {"tokens": True}, "got an index with pool class, expected pool patches"),
            ("more", {}, "got an index of pictures, expected one of more"),
        ):
            with pytest.raises(DataError, match=words):
                build_index(data, **({"init_from": "encoder", "out": out} | changes))
        np.testing.assert_array_equal(open_index(out).vectors, before)


def test_what_cannot_be_embedded_is_refused_in_one_line(here: Path) -> None:
    Path("empty").mkdir()
    Path("notes").mkdir()
    Path("notes/text.txt").write_text("mine")
    Path("file").write_text("mine")
    songs(here / "songs", count=2)
    for data, changes, kind, words in (
        ("empty", {}, DataError, "empty: got no "),
        ("nowhere", {}, DataError, "nowhere: got no such file or folder"),
        ("pictures", {"init_from": "nowhere"}, RunError, "nowhere: got"),
        (
            "pictures",
            {"out": "notes"},
            OptionError,
            "got notes, a folder with other files, expected an index",
        ),
        ("pictures", {"out": "i.csv"}, OptionError, r"got i\.csv, expected \.npz, \.parquet, or a folder"),
        ("pictures", {"out": "file"}, OptionError, "got file, a file, expected a folder"),
        ("pictures", {"pool": "sum"}, OptionError, "pool: got sum, expected auto, class"),
        ("pictures", {"pool": "attention"}, OptionError, "pool: got attention, expected class"),
        ("pictures", {"pool": "mean", "tokens": True}, OptionError, "got mean with tokens"),
        ("pictures", {"windows": True}, OptionError, "windows: got an encoder of pictures"),
        ("songs", {}, DataError, "songs: got no picture"),
    ):
        with pytest.raises(kind, match=words) as caught:
            build_index(data, **({"init_from": "encoder", "out": "i.npz"} | changes))
        assert "\n" not in str(caught.value)
    assert Path("notes/text.txt").read_text() == "mine"
    assert not Path("i.npz").exists()


def test_a_full_disk_is_one_line_and_leaves_the_old_index(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_index("pictures", init_from="encoder", out="index")
    build_index("pictures", init_from="encoder", out="i.npz")
    Image.new("RGB", (28, 28), "red").save("pictures/bag/new.png")

    def full(place: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    for out in ("index", "i.npz"):
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(StorageError, match="got No space left on device, expected room to write"):
                build_index("pictures", init_from="encoder", out=out)
        assert len(open_index(out)) == 10
        assert not Path("i.npz.unfinished").exists()
        assert build_index("pictures", init_from="encoder", out=out).vectors == 11
        assert len(open_index(out)) == 11
