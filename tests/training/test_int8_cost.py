"""What 8 bits cost: of recordings as little as of pictures; too much is refused unless asked for."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from kakera.cli.main import main
from kakera.commands.convert_int8 import Int8Result, _accuracies, _agreement, convert_int8
from kakera.commands.finetune import finetune
from kakera.data.loader import evaluation_batches
from kakera.data.sources.files import open_files
from kakera.data.sources.open import open_dataset
from kakera.errors import RunError
from kakera.formats.load import load
from kakera.formats.onnx import export as graphs
from kakera.formats.onnx import int8
from kakera.formats.onnx.int8 import front_end
from kakera.formats.onnx.model import feeds
from kakera.formats.verify import session_of
from kakera.sound.bank import filters
from tests.formats.exported import exported_once  # noqa: F401  # of all tests here
from tests.formats.test_inference import classifier
from tests.sound.test_logmel import formula
from tests.training.songs import SCRATCH, songs


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run that tells low tones from high ones, and their folder."""
    place = tmp_path_factory.mktemp("tones")
    root = songs(place / "songs", 24)
    options = SCRATCH | {"epochs": 80.0, "base_lr": 0.02, "workers": 0}
    return finetune(root, out=place / "run", **options).folder, root


@pytest.fixture(scope="module")
def written(trained: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Int8Result:
    return convert_int8(trained[0], tmp_path_factory.mktemp("int8") / "graph", calibrate=trained[1])


def without_protection(monkeypatch: pytest.MonkeyPatch) -> None:
    """The front end is quantised like all else: one scale for energies that span ten powers of ten."""
    monkeypatch.setattr(int8, "front_end", lambda model: [])


def test_recordings_lose_nothing_in_int8(written: Int8Result) -> None:
    assert written.accuracies is not None
    assert written.accuracies[0] > 0.8
    assert written.loss == 0
    assert written.agreement == 1
    assert written.difference < 0.02


def test_the_log_mel_spectrogram_of_the_int8_graph_is_that_of_the_formula(
    written: Int8Result, trained: tuple[Path, Path], tmp_path: Path
) -> None:
    graph = onnx.load(written.target / "model.onnx")
    (log,) = (node for node in graph.graph.node if node.op_type == "Log")
    graph.graph.output.append(onnx.helper.make_empty_tensor_value_info(log.output[0]))
    onnx.save(graph, tmp_path / "shown.onnx")
    inputs = load(trained[0]).inputs
    assert inputs.sound is not None
    batch = next(evaluation_batches(open_files(trained[1], inputs), inputs.size, batch=4))
    given = feeds(batch.pictures, batch.lengths)
    (found,) = session_of(tmp_path / "shown.onnx").run([log.output[0]], given)
    for row, wave in enumerate(given["waveforms"]):
        frames = inputs.sound.frames(int(given["lengths"][row]))
        expected, _ = formula(np.asarray(wave, np.float32), inputs.sound)
        ours = found[row].reshape(expected.shape)
        np.testing.assert_allclose(ours[:, :frames], expected[:, :frames], atol=0.05)


def test_the_mel_filters_stay_as_they_are_and_the_rest_is_in_8_bits(
    written: Int8Result, trained: tuple[Path, Path]
) -> None:
    spec = load(trained[0]).inputs.sound
    assert spec is not None
    graph = onnx.load(written.target / "model.onnx").graph
    kept = [numpy_helper.to_array(tensor) for tensor in graph.initializer]
    same = [one for one in kept if sorted(one.shape) == sorted(filters(spec).shape)]
    assert any(np.allclose(one if one.shape[0] == spec.bins else one.T, filters(spec)) for one in same)
    # Four matrices in each of three layers, the embedding and the head.
    assert sum(one.dtype == np.int8 and one.ndim == 2 for one in kept) == 3 * 4 + 2


def test_a_graph_of_pictures_has_no_such_part() -> None:
    content = graphs.files(classifier())[graphs.FILE]
    assert front_end(onnx.load_from_string(content)) == []


def test_a_large_loss_is_refused_and_nothing_is_written(
    trained: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    without_protection(monkeypatch)
    run, root = map(str, trained)
    words = ["convert", run, str(tmp_path / "out"), "--to", "onnx", "--int8", "--calibrate", root]
    assert main(words) == 2
    err = capsys.readouterr().err
    assert "points of accuracy lost, on" in err
    assert "expected at most 2; " in err
    assert "--allow-loss" in err
    assert err.splitlines()[-1].startswith("kakera: ")
    assert not (tmp_path / "out").exists()
    assert main([*words, "--allow-loss"]) == 0
    out = capsys.readouterr().out
    assert float(out.split(" points lost")[0].split()[-1]) > 2
    assert (tmp_path / "out" / "model.onnx").exists()


def test_where_no_label_is_known_the_share_of_equal_labels_decides(
    trained: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = replace(open_dataset(str(trained[1])), labels=None, classes=())
    without_protection(monkeypatch)
    with pytest.raises(RunError, match=r"got only [\d.]+ % have the same label, .* expected at least 95 %"):
        convert_int8(trained[0], tmp_path / "again", calibrate=plain)


def test_of_several_labels_the_same_ones_are_counted() -> None:
    before = np.array([[0.9, 0.6, 0.1], [0.1, 0.2, 0.3]], np.float32)
    after = np.array([[0.8, 0.4, 0.1], [0.1, 0.2, 0.7]], np.float32)
    assert _agreement(before, after, multi_label=True) == pytest.approx(
        1 / 3
    )  # of 0, 1 and 2 only 0 is both's
    assert _agreement(before, after, multi_label=False) == 1.0
    assert _agreement(before * 0, after * 0, multi_label=True) == 1.0


def test_the_measures_are_accuracy_and_of_several_labels_mean_average_precision() -> None:
    before = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]], np.float32)
    after = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]], np.float32)
    names = ("a", "b")
    assert _accuracies(np.array([0, 1, -1]), before, after, names) == (1.0, 0.5)
    assert _accuracies(np.array([-1, -1, -1]), before, after, names) is None
    found = _accuracies(np.array([[1, 0], [0, 1], [0, 1]], bool), before, after, names)
    # By hand, after: a's one true sample is the first of three; of b's two one is first, the other second.
    assert found == (1.0, 1.0)
    # And with b's true samples first and last of three: (1/1 + 2/3) / 2; a's one is the second: 1/2.
    found = _accuracies(np.array([[0, 1], [1, 0], [0, 1]], bool), before, np.flip(after, 1), names)
    assert found is not None
    assert found[1] == pytest.approx(((1 / 1 + 2 / 3) / 2 + 1 / 2) / 2)


@pytest.mark.parametrize(
    ("accuracies", "agreement", "multi_label", "words"),
    [
        ((0.9, 0.8801), 0.5, False, ""),
        ((0.9, 0.8799), 1.0, False, "2.01 points of accuracy lost"),
        ((0.9, 0.95), 0.5, False, ""),
        ((0.9, 0.8), 1.0, True, "10.00 points of mean average precision lost"),
        (None, 0.95, False, ""),
        (None, 0.94, False, "only 94.0 % have the same label"),
        (None, 0.94, True, "only 94.0 % of the labels are the same"),
    ],
)
def test_what_is_too_much(
    accuracies: tuple[float, float] | None, agreement: float, multi_label: bool, words: str
) -> None:
    saved = classifier(multi_label=multi_label)
    assert Int8Result(saved, Path("x"), 10, 10, agreement, 0.0, accuracies).costly == words


def test_the_command_refuses_the_flag_without_int8(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", "a", "b", "--to", "onnx", "--allow-loss"]) == 2
    assert "with --int8" in capsys.readouterr().err
