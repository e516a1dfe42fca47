"""A class is a position: two positions of one name stay two classes."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import transformers as hf

from kakera.cli.main import main
from kakera.commands.predict import predict
from kakera.formats.classes import note_on_duplicates, unique_names
from kakera.formats.convert import convert
from kakera.formats.load import load
from kakera.formats.native import DESCRIPTION, save_model
from tests.formats.foreign.test_transformers import SMALL, drawn, saved
from tests.formats.test_inference import classifier
from tests.small import folder

PICTURES = {**SMALL, "image_size": 28, "patch_size": 4, "num_channels": 3}
LABELS = {0: "crane", 1: "tern", 2: "crane"}


@pytest.fixture
def cranes(tmp_path: Path) -> Path:
    """ImageNet, too, has a bird and a machine of this name, 134 and 517."""
    model = drawn(hf.ViTForImageClassification(hf.ViTConfig(**PICTURES, id2label=LABELS)))
    processor = {"image_mean": 0.5, "image_std": 0.5}
    return saved(model, tmp_path / "model", processor)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["a", "b"], ("a", "b")),
        (["a", "a", "a"], ("a", "a (2)", "a (3)")),
        (["a", "a (2)", "a"], ("a", "a (2)", "a (3)")),
        (["a", "a", "a (2)"], ("a", "a (3)", "a (2)")),
        (["", ""], ("", " (2)")),
    ],
)
def test_later_names_get_a_number_that_nobody_has(names: list[str], expected: tuple[str, ...]) -> None:
    assert unique_names(names) == expected
    assert len(set(expected)) == len(names)


def test_the_note_names_them() -> None:
    assert note_on_duplicates(["a", "b"]) == ()
    (note,) = note_on_duplicates(["a", "a", "b", "a"])
    assert '"a" as "a (2)"' in note


def test_each_class_of_a_shared_name_has_the_probability_that_transformers_gives_its_place(
    cranes: Path, tmp_path: Path
) -> None:
    path = folder(tmp_path / "d", count=1) / "bag" / "0.png"
    (ours,), found = predict(cranes, [path]), load(cranes)
    assert found.classes == ("crane", "tern", "crane (2)")
    assert any('"crane" as "crane (2)"' in note for note in found.notes)
    with torch.inference_mode():
        theirs = hf.ViTForImageClassification.from_pretrained(cranes)(found.prepare(path)).logits.softmax(1)
    expected = dict(zip(found.classes, theirs[0].tolist(), strict=True))
    assert ours.probabilities == pytest.approx(expected, abs=1e-5)
    assert sum(ours.probabilities.values()) == pytest.approx(1, abs=1e-5)


def test_the_table_has_a_column_for_each_class(
    cranes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = folder(tmp_path / "d", count=1)
    assert main(["predict", str(cranes), str(root), "--csv"]) == 0
    out, err = capsys.readouterr()
    rows = list(csv.DictReader(out.splitlines()))
    assert {"crane", "tern", "crane (2)"} <= rows[0].keys()
    assert sum(float(rows[0][name]) for name in ("crane", "tern", "crane (2)")) == pytest.approx(1, abs=1e-3)
    assert '"crane" as "crane (2)"' in err


def test_kakeras_own_folders_and_graphs_tell_them_apart_too(tmp_path: Path) -> None:
    save_model(tmp_path / "run", classifier())
    content = json.loads((tmp_path / "run" / DESCRIPTION).read_text())
    content["classes"] = ["crane"] * 10
    (tmp_path / "run" / DESCRIPTION).write_text(json.dumps(content))
    convert(tmp_path / "run", tmp_path / "graph", to="onnx")
    config = json.loads((tmp_path / "graph" / "config.json").read_text())
    config["id2label"] = {str(place): "crane" for place in range(10)}
    (tmp_path / "graph" / "config.json").write_text(json.dumps(config))
    root = folder(tmp_path / "d", count=1)
    ours, theirs = predict(tmp_path / "run", [root])[0], predict(tmp_path / "graph", [root])[0]
    assert len(ours.probabilities) == 10
    assert ours.probabilities == pytest.approx(theirs.probabilities, abs=1e-5)


def test_a_bundle_made_by_hand_has_a_name_for_each_class_and_keeps_its_one_note() -> None:
    made = replace(classifier(), classes=("a",) * 10)
    assert len(set(made.classes)) == 10
    again = replace(made, multi_label=True)
    assert (again.classes, again.notes) == (made.classes, made.notes)
    assert len(made.notes) == 1


def test_a_new_head_tells_them_apart(tmp_path: Path) -> None:
    save_model(tmp_path, classifier())
    assert load(tmp_path, classes=["crane", "crane"]).classes == ("crane", "crane (2)")
