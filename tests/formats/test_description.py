"""A description that says what cannot be is refused in one line, before memory is taken for it."""

import json
from pathlib import Path
from typing import Any

import pytest

from kakera.errors import OptionError, RunError
from kakera.formats.bundle import Pretrained
from kakera.formats.description import inputs_of
from kakera.formats.load import load
from kakera.formats.native import DESCRIPTION, save_model
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.configs import vit_config
from kakera.model.mae import MAE
from kakera.model.vit import ViT
from kakera.sound.spec import SoundSpec

INPUTS = InputSpec(1, 16, 16, (0.3,), (0.35,))
SOUND = SoundSpec(rate=8000, bins=16)
HEARD = InputSpec(1, 16, 16, (0.3,), (0.35,), 1.0, ("frequency", "time"), SOUND)


def encoder() -> ViT:
    return ViT(vit_config("nano"), channels=1, image_size=(16, 16))


def described(place: Path, path: tuple[str, ...], value: Any, *, inputs: InputSpec = INPUTS) -> Path:
    """A folder whose description has another value; the weights are what they were."""
    kind = "mae" if path[0] in ("decoder", "norm_pix_loss") else "classifier"
    mae = MAE(encoder(), vit_config("nano").decoder)
    saved = (
        Pretrained(mae, inputs) if kind == "mae" else Pretrained(Classifier(encoder(), 2), inputs, ("a", "b"))
    )
    save_model(place, saved)
    content = json.loads((place / DESCRIPTION).read_text())
    inner = content
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    (place / DESCRIPTION).write_text(json.dumps(content))
    return place


def refusal(place: Path) -> str:
    with pytest.raises(RunError) as caught:
        load(place)
    assert "\n" not in str(caught.value)
    assert DESCRIPTION in str(caught.value)
    return str(caught.value)


WRONG: list[tuple[tuple[str, ...], Any, str]] = [
    (("kind",), "poem", "kind: got 'poem'"),
    (("config",), "nano", "config: got 'nano'"),
    (("config", "heads"), 0, "encoder's heads: got 0"),
    (("config", "heads"), 3, "3 heads for a width of 64"),
    (("config", "heads"), True, "encoder's heads: got True"),
    (("config", "depth"), 10**9, "encoder's depth: got 1000000000"),
    (("config", "depth"), 1e9, "encoder's depth: got 1000000000.0"),
    (("config", "depth"), 9999, "9999 layers"),
    (("config", "depth"), -1, "encoder's depth: got -1"),
    (("config", "width"), 2**31 - 4, "a description that matches its weights"),
    (("config", "width"), "64", "encoder's width: got '64'"),
    (("config", "patch"), [0, 4], "patch: got 0"),
    (("config", "patch"), 4, "patch: got 4"),
    (("config", "registers"), 10**9, "a description that matches its weights"),
    (("config", "block", "epsilon"), "1e-6", "encoder's epsilon: got '1e-6'"),
    (("config", "block", "gated"), 1, "encoder's gated: got 1"),
    (("config", "decoder", "depth"), 10**9, "decoder's depth: got 1000000000"),
    (("decoder", "depth"), 10**9, "decoder's depth: got 1000000000"),
    (("decoder", "heads"), 0, "decoder's heads: got 0"),
    (("norm_pix_loss",), "yes", "norm_pix_loss: got 'yes'"),
    (("learned_positions",), None, "learned_positions: got None"),
    (("pool",), "max", "pool: got 'max'"),
    (("classes",), [["a"], ["b"]], "classes: got ['a']"),
    (("classes",), {"a": 0}, "classes: got {'a': 0}"),
    (("classes",), "ab", "classes: got 'ab'"),
    (("multi_label",), "no", "multi_label: got 'no'"),
    (("multi_label",), 0, "multi_label: got 0"),
    (("inputs",), None, "inputs: got None"),
    (("inputs", "height"), 10**9, "1 channels of 1000000000 x 16"),
    (("inputs", "channels"), 10**9, "channels: got 1000000000"),
    (("inputs", "mean"), ["0.3"], "mean: got '0.3'"),
    (("inputs", "mean"), [0.3, 0.3], "2 and 1 values"),
    (("inputs", "std"), [0.0], "expected positive numbers"),
    (("inputs", "std"), [float("nan")], "std: got nan"),
    (("inputs", "scale"), "255", "scale: got '255'"),
    (("inputs", "axes"), ["rows"], "axes: got ['rows']"),
]


@pytest.mark.parametrize(("path", "value", "words"), WRONG, ids=[f"{'.'.join(p)}={v}" for p, v, _ in WRONG])
def test_a_value_that_cannot_be_gets_one_line(
    path: tuple[str, ...], value: Any, words: str, tmp_path: Path
) -> None:
    assert words in refusal(described(tmp_path, path, value))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("rate", 10**9, "sound's rate: got 1000000000"),
        ("rate", "8000", "sound's rate: got '8000'"),
        ("centred", "no", "sound's centred: got 'no'"),
        ("fft", 2**30, "1073741824 points"),
        ("hop", 1e12, "samples for 16 frames"),
        ("window", ["hann"], "sound's window"),
        ("floor", 0, "sound's floor"),
        ("pitch", 3, "pitch"),
    ],
)
def test_a_spectrogram_that_cannot_be_gets_one_line(
    name: str, value: Any, words: str, tmp_path: Path
) -> None:
    assert words in refusal(described(tmp_path, ("inputs", "sound", name), value, inputs=HEARD))


def test_filters_that_fit_no_memory_are_refused_whatever_the_model_is() -> None:
    wide = {**HEARD.to_json(), "height": 2**22, "sound": {**SOUND.to_json(), "bins": 2**22}}
    with pytest.raises(OptionError, match="4194304 filters of 256 points"):
        inputs_of(wide)


@pytest.mark.parametrize("content", ["[]", "null", '"mae"', "[" * 100_000, '{"kind": "mae"}'])
def test_what_is_no_description_gets_one_line(content: str, tmp_path: Path) -> None:
    save_model(tmp_path, Pretrained(encoder(), INPUTS))
    (tmp_path / DESCRIPTION).write_text(content)
    with pytest.raises(RunError) as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


def test_a_description_from_before_there_were_kinds_and_registers_is_read(tmp_path: Path) -> None:
    save_model(tmp_path, Pretrained(encoder(), INPUTS))
    content = json.loads((tmp_path / DESCRIPTION).read_text())
    for name in ("block", "registers", "stride"):
        content["config"].pop(name)
    (tmp_path / DESCRIPTION).write_text(json.dumps(content))
    assert load(tmp_path).encoder.config == vit_config("nano")
