import json
import shutil
from pathlib import Path
from typing import Any

import onnx
import pytest

from kakera.cli.main import main
from kakera.commands.predict import predict
from kakera.errors import RunError
from kakera.formats.convert import convert
from kakera.formats.native import save_model
from kakera.formats.onnx.model import open_onnx
from tests.formats.test_inference import classifier
from tests.small import folder


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run, and the graph of it."""
    place = tmp_path_factory.mktemp("written")
    save_model(place / "run", classifier())
    convert(place / "run", place / "graph", to="onnx")
    return place / "run", place / "graph"


def test_a_graph_predicts_what_its_model_does(written: tuple[Path, Path], tmp_path: Path) -> None:
    root = folder(tmp_path / "d", count=3)
    (root / "bag" / "0.png").write_text("no picture")
    ours = predict(written[0], [root])
    for graph in (written[1], written[1] / "model.onnx", open_onnx(written[1])):
        theirs = predict(graph, [root])
        assert [each.file for each in ours] == [each.file for each in theirs]
        assert [each.labels for each in ours] == [each.labels for each in theirs]
        assert theirs[0].unreadable == ours[0].unreadable != ""
        for one, other in zip(ours, theirs, strict=True):
            assert one.probabilities == pytest.approx(other.probabilities, abs=1e-5)


def test_the_command_takes_a_graph(
    written: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = folder(tmp_path / "d", count=1)
    said = []
    for model in written:
        assert main(["predict", str(model), str(root), "--csv"]) == 0
        said.append([line.split(",")[:2] for line in capsys.readouterr().out.splitlines()])
    assert said[0] == said[1]
    assert len(said[0]) == 1 + 2


def test_a_graph_that_cannot_be_used_says_why(written: tuple[Path, Path], tmp_path: Path) -> None:
    place = tmp_path / "graph"
    shutil.copytree(written[1], place)
    content = (place / "model.onnx").read_bytes()
    (place / "model.onnx").write_bytes(content[: len(content) // 2])
    with pytest.raises(RunError, match=r"model.onnx: got .* expected an ONNX graph;"):
        open_onnx(place)
    description = json.loads((place / "config.json").read_text())
    (place / "config.json").write_text(json.dumps({**description, "output_names": ["tokens"]}))
    with pytest.raises(RunError, match=r"model.onnx: got a graph with the outputs tokens, expected"):
        open_onnx(place)
    for damaged in ("{", "[]", '{"inputs": {}}'):
        (place / "config.json").write_text(damaged)
        with pytest.raises(RunError, match=r"config.json: got .* expected the description"):
            open_onnx(place)
    (place / "config.json").unlink()
    with pytest.raises(RunError, match=r"config.json: got .*No such file"):
        open_onnx(place)


def test_many_files_are_read_by_processes_and_predicted_alike(
    written: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = folder(tmp_path / "d", count=3)
    alone = predict(written[0], [root], workers=0)
    monkeypatch.setattr("kakera.commands.prediction.FEW", 2)
    monkeypatch.setattr("kakera.formats.preparation.PIXELS", 2 * 28 * 28)
    assert predict(written[0], [root]) == alone


def described(place: Path, **changes: Any) -> Path:
    content = json.loads((place / "config.json").read_text())
    (place / "config.json").write_text(json.dumps({**content, **changes}))
    return place


OTHER = {"channels": 1, "height": 32, "width": 32, "mean": [0.5], "std": [0.5], "scale": 255.0}
COLOUR = {**OTHER, "channels": 3, "height": 28, "width": 28, "mean": [0.5] * 3, "std": [0.5] * 3}
SOUND = {**OTHER, "scale": 1.0, "sound": {"rate": 8000, "bins": 32}}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"inputs": OTHER}, "pictures of any x 1 x 28 x 28, expected pictures of any x 1 x 32 x 32"),
        ({"inputs": COLOUR}, "pictures of any x 1 x 28 x 28, expected pictures of any x 3 x 28 x 28"),
        ({"inputs": SOUND}, "expected waveforms of any x"),
        ({"id2label": {"0": "a", "1": "b"}}, "probabilities of any x 10, expected probabilities of any x 2"),
        ({"id2label": {"0": "a", "2": "b"}}, "got '1', expected the description"),
        ({"id2label": ["a"]}, "id2label: got ['a']"),
        ({"multi_label": "no"}, "multi_label: got 'no'"),
        ({"inputs": {**OTHER, "height": 10**9}}, "1 channels of 1000000000 x 32"),
        ({"inputs": {**OTHER, "std": [0]}}, "expected positive numbers"),
    ],
    ids=["size", "channels", "sound", "classes", "places", "list", "several", "memory", "deviation"],
)
def test_a_graph_beside_another_description_gets_one_line(
    changes: dict[str, Any],
    words: str,
    written: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(written[1], tmp_path / "graph")
    place, root = described(tmp_path / "graph", **changes), folder(tmp_path / "d", count=1)
    assert main(["predict", str(place), str(root)]) == 2
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") == 1


def test_a_graph_of_something_else_gets_one_line(written: tuple[Path, Path], tmp_path: Path) -> None:
    shutil.copytree(written[1], tmp_path / "graph")
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1, 2])
    result = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1, 2])
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "g", [value], [result])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, tmp_path / "graph" / "model.onnx")
    with pytest.raises(
        RunError, match=r"got x of 1 x 2, expected pictures of any x 1 x 28 x 28, as"
    ) as caught:
        open_onnx(tmp_path / "graph")
    assert "\n" not in str(caught.value)
