import io
import pickle
import shutil
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import kakera
from kakera.formats.bundle import Pretrained
from kakera.inputs import InputSpec
from kakera.retrieval.files import read_file
from kakera.sklearn import Embedder
from kakera.sound.spec import SoundSpec
from tests.data.recordings import record
from tests.sklearn.rows import RowEmbedder
from tests.small import pictures
from tests.training.songs import tone

Files = tuple[list[str], list[str]]


def test_vectors_are_those_of_kakera_embed(start: str, files: Files, tmp_path: Path) -> None:
    kakera.build_index(tmp_path / "pictures", init_from=start, out=tmp_path / "index.npz", pool="mean")
    index = read_file(tmp_path / "index.npz")
    expected = dict(zip(index.rows["file"].tolist(), index.vectors, strict=True))
    for cache in (True, False):
        found = Embedder(start, pool="mean", cache=cache).fit(files[0]).transform(files[0])
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, [expected[file] for file in files[0]], atol=1e-6)


def test_tokens_come_from_the_cache_that_a_fit_has_filled(
    start: str, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kakera.fit(tmp_path / "pictures", init_from=start, out=tmp_path / "run", announce=False, baselines=False)

    def refused(*words: Any, **named: Any) -> None:
        raise AssertionError("tokens are computed again")

    monkeypatch.setattr("kakera.formats.features.each_features", refused)
    assert Embedder(start).fit_transform(files[0]).shape == (24, 64)
    with pytest.raises(AssertionError, match="computed again"):
        Embedder(start, cache=False).fit_transform(files[0])


def test_every_form_of_the_same_pictures_gives_the_same_vectors(start: str, files: Files) -> None:
    paths, embedder = [*map(Path, files[0])], Embedder(start, cache=False)
    expected = embedder.fit_transform(files[0])
    images = [Image.open(path).convert("L") for path in paths]
    stack = np.stack([np.asarray(image) for image in images])
    forms = [
        paths,
        tuple(paths),
        np.array(files[0]),
        np.array(files[0])[:, None],
        pd.Series(files[0]),
        pd.DataFrame({"path": files[0]}),
        [path.read_bytes() for path in paths],
        images,
        [*stack],
        stack,
        stack[..., None],
        torch.from_numpy(stack)[:, None],
        torch.from_numpy(stack),
        [paths[0], images[1], stack[2], *files[0][3:]],
    ]
    for form in forms:
        np.testing.assert_allclose(embedder.fit_transform(form), expected, atol=1e-6)


def test_recordings_are_paths_or_pairs_of_waveform_and_rate(tmp_path: Path) -> None:
    spec = SoundSpec(rate=8000, bins=32)
    inputs = InputSpec(1, 32, 40, (-5.0,), (3.0,), 1.0, ("frequency", "time"), spec)
    Pretrained(kakera.ViT("nano", channels=1, image_size=(32, 40), seed=0), inputs).save(tmp_path / "sound")
    waves = [tone(300 + 100 * number, 0.5 + 0.1 * number) for number in range(3)]
    paths = [tmp_path / f"{number}.wav" for number in range(3)]
    for path, wave in zip(paths, waves, strict=True):
        record(path, wave, 8000)
    embedder = Embedder(str(tmp_path / "sound"))
    found = embedder.fit_transform(paths)
    np.testing.assert_allclose(embedder.transform([(wave, 8000) for wave in waves]), found, atol=1e-2)
    np.testing.assert_allclose(kakera.embed(tmp_path / "sound", paths).vectors, found, atol=1e-6)
    with pytest.raises(ValueError, match="X: got a single waveform, expected a list of files"):
        embedder.fit((waves[0], 8000))


def test_black_and_white_of_deep_pictures_are_those_of_the_fit(start: str, tmp_path: Path) -> None:
    """12-bit values in 16-bit files: the training files show it, one dark file alone would not."""
    values = [np.full((28, 28), level, np.uint16) for level in (100, 1000, 4095)]
    paths = [tmp_path / f"{number}.png" for number in range(3)]
    for path, one in zip(paths, values, strict=True):
        Image.fromarray(one).save(path)
    embedder = Embedder(start).fit(paths)
    eight = [np.full((28, 28), round(level * 255 / 4095), np.uint8) for level in (100, 1000, 4095)]
    np.testing.assert_allclose(embedder.transform(paths[:1]), embedder.transform(eight[:1]), atol=1e-6)
    np.testing.assert_allclose(embedder.transform(paths), embedder.transform(eight), atol=1e-6)


def test_scikit_learn_finds_its_conventions_kept(start: str) -> None:
    """Its checks pass rows of numbers, so they run on an embedder that draws each row as a picture."""
    checked = check_estimator(RowEmbedder(start), on_skip=None)
    assert {one["status"] for one in checked} == {"passed", "skipped"}
    assert {one["check_name"] for one in checked if one["status"] == "skipped"} == {"check_array_api_input"}


def test_a_column_has_a_name_and_works_in_a_column_transformer(start: str, files: Files) -> None:
    frame = pd.DataFrame({"path": files[0], "weight": np.arange(24.0)})
    embedder = Embedder(start).fit(frame[["path"]])
    assert (embedder.n_features_in_, embedder.feature_names_in_.tolist()) == (1, ["path"])
    with pytest.raises(ValueError, match="feature names"):
        embedder.transform(frame[["path"]].rename(columns={"path": "file"}))
    for column in ("path", ["path"]):
        both = ColumnTransformer([("e", Embedder(start), column), ("s", StandardScaler(), ["weight"])])
        assert both.fit_transform(frame).shape == (24, 65)
        assert both.get_feature_names_out()[[0, 64]].tolist() == ["e__embedder0", "s__weight"]
    table = Embedder(start).set_output(transform="pandas").fit_transform(frame[["path"]])
    assert table.columns[0] == "embedder0"
    assert table.index.tolist() == frame.index.tolist()


def test_a_clone_has_the_parameters_and_is_not_fitted(start: str, files: Files) -> None:
    embedder = Embedder(start, pool="class and mean", cache=False).fit(files[0])
    assert embedder.transform(files[0][:2]).shape == (2, 128)
    assert len(embedder.get_feature_names_out()) == 128
    copy = clone(embedder)
    assert copy.get_params() == embedder.get_params()
    with pytest.raises(NotFittedError):
        copy.transform(files[0])
    with pytest.raises(NotFittedError):
        make_pipeline(copy).transform(files[0])


def test_a_pickle_names_the_encoder_and_refuses_other_weights(
    start: str, files: Files, tmp_path: Path
) -> None:
    embedder = Embedder(start, cache=False).fit(files[0])
    content = pickle.dumps(embedder)
    assert len(content) < 2000
    again = pickle.loads(content)
    np.testing.assert_array_equal(again.transform(files[0]), embedder.transform(files[0]))
    other = kakera.ViT("nano", channels=1, image_size=28, seed=1)
    shutil.rmtree(start)
    Pretrained(other, InputSpec(1, 28, 28, (0.3,), (0.3,))).save(start)
    with pytest.raises(ValueError, match="other weights than at fit, expected the same encoder; fit again"):
        again.transform(files[0])
    shutil.rmtree(start)
    with pytest.raises(ValueError, match="no such file or folder"):
        again.transform(files[0])


def test_two_processes_of_joblib_give_the_same_vectors(start: str, files: Files) -> None:
    embedder = Embedder(start, cache=False).fit(files[0])
    halves = joblib.Parallel(n_jobs=2)(
        joblib.delayed(embedder.transform)(part) for part in (files[0][:12], files[0][12:])
    )
    np.testing.assert_allclose(np.concatenate([*halves]), embedder.transform(files[0]), atol=1e-6)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ([], "X: got 0 samples, expected at least one"),
        (np.zeros((0, 8, 8), np.uint8), "X: got 0 samples"),
        ("a.png", "X: got a single str, expected a list of files"),
        (Image.new("L", (8, 8)), "X: got a single Image"),
        (np.zeros((5, 3)), r"X: got an array of shape \(5, 3\) and type float64"),
        (None, "X: got a NoneType"),
        ({"a": 1}, "X: got a dict"),
        ([1, 2], r"X\[0\]: got a int, expected a file"),
        (["a.png", None], r"X\[1\]: got a NoneType, expected a file"),
        ([np.zeros(8)], r"X\[0\]: got an array of shape \(8,\)"),
        (["."], r"\.: got a folder or an archive, expected one file for each sample; list its files"),
        (["no.png"], r"X: got 1 unreadable file, .*; leave out no\.png \(got no file of this name"),
        ([b"no picture", "no.png"], r"got 2 unreadable files, .*leave out picture\[0\] .*and the others"),
        ([(np.zeros(800, np.float32), 8000)], "got a waveform, expected pictures, which the model reads"),
    ],
)
def test_what_is_no_list_of_files_is_refused_in_one_line(start: str, samples: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        Embedder(start).fit_transform(samples)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"init_from": ""}, "init_from: got nothing, expected the folder of a run"),
        ({"init_from": 3}, "init_from: got a int"),
        ({"init_from": "no-run"}, "no-run: got no such file or folder"),
        ({"pool": "max"}, "pool: got max, expected auto, class, mean"),
        ({"device": "abacus"}, "abacus"),
        ({"workers": -1}, "workers: got -1"),
    ],
)
def test_wrong_parameters_are_refused_in_one_line(
    start: str, files: Files, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Embedder(**{"init_from": start, **options}).fit_transform(files[0])


def test_open_files_are_read_by_fit_and_again_by_transform(start: str, tmp_path: Path) -> None:
    values = pictures(2, 0).pictures.read(0)[..., 0]
    path = tmp_path / "a.png"
    Image.fromarray(values).save(path)
    memory = io.BytesIO(b"head" + path.read_bytes())
    memory.seek(4)
    with path.open("rb") as file:
        found = Embedder(start, cache=False).fit_transform([file, memory, path])
    np.testing.assert_array_equal(found[0], found[2])
    np.testing.assert_array_equal(found[1], found[2])
    assert memory.tell() == 4
