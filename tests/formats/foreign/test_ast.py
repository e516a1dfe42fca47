"""The Audio Spectrogram Transformer: of transformers, and the files of its own code."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
import transformers as hf
from safetensors.torch import load_file
from torch import Tensor

from kakera.commands.predict import predict
from kakera.errors import RunError
from kakera.formats.bundle import Pretrained
from kakera.formats.convert import convert
from kakera.formats.folder import write_folder
from kakera.formats.foreign import ast_inputs
from kakera.formats.foreign.ast import _window
from kakera.formats.foreign.transformers_writer import files
from kakera.formats.load import load
from kakera.formats.native import load_model, save_model
from kakera.grid import Grid
from kakera.model.classifier import Classifier
from kakera.model.configs import DecoderConfig, ViTConfig
from kakera.model.vit import ViT
from tests.formats.foreign.test_transformers import LABELS, drawn, far, read_without_memory

SMALL: dict[str, Any] = {
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 40,
    "max_length": 64,
    "num_mel_bins": 32,
}
EXTRACTOR = {"num_mel_bins": 32, "max_length": 64, "sampling_rate": 16000, "mean": -4.0, "std": 4.5}


def theirs(**options: Any) -> Any:
    return drawn(hf.ASTForAudioClassification(hf.ASTConfig(**SMALL, id2label=LABELS, **options)))


def saved(model: Any, folder: Path, **extractor: Any) -> Path:
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({**EXTRACTOR, **extractor}))
    return folder


def spectrograms(bins: int = 32, frames: int = 64) -> Tensor:
    return torch.randn(2, 1, bins, frames, generator=torch.Generator().manual_seed(4))


def as_theirs(x: Tensor) -> Tensor:
    """(b, frames, bands)."""
    return x[:, 0].transpose(1, 2)


@pytest.mark.parametrize("stride", [10, 16])
def test_a_classifier_gives_the_same_scores(stride: int, tmp_path: Path) -> None:
    model, x = theirs(frequency_stride=stride, time_stride=stride), spectrograms()
    with torch.inference_mode():
        assert far(model(as_theirs(x)).logits, load(saved(model, tmp_path)).model(x)) < 1e-5
        model, x = model.double(), x.double()
        assert (
            far(model(as_theirs(x)).logits, load(saved(model, tmp_path), dtype=torch.float64).model(x))
            < 1e-10
        )


def test_a_bare_model_gives_the_same_tokens(tmp_path: Path) -> None:
    model, x = drawn(hf.ASTModel(hf.ASTConfig(**SMALL))).double(), spectrograms().double()
    found = load(saved(model, tmp_path), dtype=torch.float64)
    assert isinstance(found.model, ViT)
    with torch.inference_mode():
        assert far(model(as_theirs(x)).last_hidden_state, found.model(x)) < 1e-10


def test_a_base_model_of_ten_seconds_gives_the_same_scores(tmp_path: Path) -> None:
    model = drawn(hf.ASTForAudioClassification(hf.ASTConfig(num_labels=4, num_hidden_layers=2)))
    model.save_pretrained(tmp_path)
    found, x = load(tmp_path), spectrograms(128, 1024)[:1]
    assert (found.encoder.grid, found.inputs.size) == (Grid(12, 101), (128, 1024))
    assert any("AudioSet's mean and standard deviation assumed" in note for note in found.notes)
    with torch.inference_mode():
        assert far(model(as_theirs(x)).logits, found.model(x)) < 1e-5
        model, x = model.double(), x.double()
        model.save_pretrained(tmp_path)
        assert far(model(as_theirs(x)).logits, load(tmp_path, dtype=torch.float64).model(x)) < 1e-10


def test_all_names_and_shapes_of_a_whole_base_model_are_read() -> None:
    found = read_without_memory(lambda: hf.ASTForAudioClassification(hf.ASTConfig(num_labels=4)))
    assert (found.encoder.config.width, found.encoder.config.depth) == (768, 12)
    assert (found.encoder.grid, found.inputs.size) == (Grid(12, 101), (128, 1024))


@pytest.mark.parametrize("seconds", [0.3, 0.655], ids=["short", "whole"])
def test_a_recording_gets_the_probabilities_that_their_pipeline_gives(seconds: float, tmp_path: Path) -> None:
    """Short ones are filled up with zeros, which AST looks at."""
    model, draws = theirs(), np.random.default_rng(0)
    folder = saved(model, tmp_path / "model")
    wave = (0.1 * draws.standard_normal(round(16000 * seconds))).astype(np.float32)
    soundfile.write(tmp_path / "wave.wav", wave, 16000, subtype="FLOAT")
    extractor = hf.ASTFeatureExtractor(**EXTRACTOR)
    with torch.inference_mode():
        expected = model(**extractor(wave, sampling_rate=16000, return_tensors="pt")).logits.softmax(-1)[0]
    found = predict(folder, [tmp_path / "wave.wav"])[0].probabilities
    for number, name in LABELS.items():
        assert found[name] == pytest.approx(expected[number].item(), abs=1e-4)


def test_it_is_written_as_it_was_read_bit_for_bit(tmp_path: Path) -> None:
    start = saved(theirs(problem_type="multi_label_classification"), tmp_path / "theirs")
    write_folder(tmp_path / "ours", files(load(start)))
    before, after = (load(tmp_path / name) for name in ("theirs", "ours"))
    assert (before.inputs, before.classes, before.multi_label) == (
        after.inputs,
        after.classes,
        after.multi_label,
    )
    first, second = before.model.state_dict(), after.model.state_dict()
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    names = load_file(start / "model.safetensors").keys()
    assert load_file(tmp_path / "ours" / "model.safetensors").keys() == names


def test_what_is_written_is_run_by_transformers(tmp_path: Path) -> None:
    found = convert(saved(theirs(), tmp_path / "theirs"), tmp_path / "ours", to="transformers")
    assert found.judge == "transformers"
    assert found.difference < 1e-5


def test_our_own_format_keeps_all_of_it(tmp_path: Path) -> None:
    first, x = load(saved(theirs(), tmp_path / "theirs")), spectrograms()
    save_model(tmp_path / "run", first)
    second = load_model(tmp_path / "run")
    assert second.inputs == first.inputs
    with torch.inference_mode():
        assert torch.equal(first.model(x), second.model(x))


@pytest.mark.parametrize(
    ("pool", "blank", "reason"),
    [("mean", 0.0, "a head that differs from AST's"), ("halves", None, "does not attend to padding")],
)
def test_a_model_of_recordings_that_is_not_asts_is_refused(
    pool: Any, blank: float | None, reason: str
) -> None:
    shape = ViTConfig(24, 1, 3, (16, 16), DecoderConfig(16, 1, 1), registers=1, stride=(10, 10))
    inputs = ast_inputs.spectrograms(64, -4.0, 4.0, 32)
    inputs = type(inputs).from_json({**inputs.to_json(), "blank": blank})
    encoder = ViT(shape, channels=1, image_size=inputs.size)
    with pytest.raises(RunError, match=reason):
        files(Pretrained(Classifier(encoder, 3, pool, 1e-6), inputs, tuple(LABELS.values())))


@pytest.mark.parametrize("wrong", [{"num_mel_bins": 40}, {"max_length": 65}, {"sampling_rate": 8000}])
def test_a_feature_extractor_that_contradicts_the_model_gets_one_line(
    wrong: dict[str, int], tmp_path: Path
) -> None:
    with pytest.raises(RunError) as caught:
        load(saved(theirs(), tmp_path, **wrong))
    name, value = next(iter(wrong.items()))
    assert f"{name} {value}" in str(caught.value)
    assert "\n" not in str(caught.value)


TINY = {"hidden_size": 192, "num_hidden_layers": 1, "num_attention_heads": 3, "intermediate_size": 768}


def own_file(
    path: Path, frames: int, stride: int, labels: int, size: dict[str, int] = TINY
) -> tuple[Any, Path]:
    """Theirs in the names of AST's own code, whose norms have 1e-6, but 1e-5 in the head."""
    config = hf.ASTConfig(**size, max_length=frames, frequency_stride=stride, time_stride=stride,
                          layer_norm_eps=1e-6, num_labels=labels)  # fmt: skip
    model = drawn(hf.ASTForAudioClassification(config))
    model.classifier.layernorm.eps = 1e-5
    model.save_pretrained(path)
    t, pre = load_file(path / "model.safetensors"), "audio_spectrogram_transformer."
    found = {
        "v.cls_token": t[f"{pre}embeddings.cls_token"],
        "v.dist_token": t[f"{pre}embeddings.distillation_token"],
        "v.pos_embed": t[f"{pre}embeddings.position_embeddings"],
        "v.head.weight": torch.zeros(1000, config.hidden_size),
        "v.head_dist.bias": torch.zeros(1000),
    }
    for part in ("weight", "bias"):
        found |= {
            f"v.patch_embed.proj.{part}": t[f"{pre}embeddings.patch_embeddings.projection.{part}"],
            f"v.norm.{part}": t[f"{pre}layernorm.{part}"],
            f"mlp_head.0.{part}": t[f"classifier.layernorm.{part}"],
            f"mlp_head.1.{part}": t[f"classifier.dense.{part}"],
        }
    for number, part in itertools.product(range(config.num_hidden_layers), ("weight", "bias")):
        layer = f"{pre}encoder.layer.{number}."
        qkv = [t[f"{layer}attention.attention.{name}.{part}"] for name in ("query", "key", "value")]
        found |= {
            f"v.blocks.{number}.attn.qkv.{part}": torch.cat(qkv),
            f"v.blocks.{number}.attn.proj.{part}": t[f"{layer}attention.output.dense.{part}"],
            f"v.blocks.{number}.norm1.{part}": t[f"{layer}layernorm_before.{part}"],
            f"v.blocks.{number}.norm2.{part}": t[f"{layer}layernorm_after.{part}"],
            f"v.blocks.{number}.mlp.fc1.{part}": t[f"{layer}intermediate.dense.{part}"],
            f"v.blocks.{number}.mlp.fc2.{part}": t[f"{layer}output.dense.{part}"],
        }
    torch.save({f"module.{name}": tensor for name, tensor in found.items()}, path / "own.pth")
    return model, path / "own.pth"


@pytest.mark.parametrize(
    ("frames", "stride", "labels", "data"),
    [(128, 10, 35, "Speech Commands"), (512, 10, 50, "ESC-50"), (256, 16, 7, "AudioSet")],
)
def test_a_file_of_its_own_code_gives_the_same_scores(
    frames: int, stride: int, labels: int, data: str, tmp_path: Path
) -> None:
    model, path = own_file(tmp_path, frames, stride, labels)
    double = {name: tensor.double() for name, tensor in torch.load(path, weights_only=True).items()}
    torch.save(double, path)
    found, x = load(path, dtype=torch.float64), spectrograms(128, frames).double()
    assert found.inputs.size == (128, frames)
    assert found.encoder.config.step == (stride, stride)
    assert any(f"deviation of {data} assumed" in note for note in found.notes)
    with torch.inference_mode():
        assert far(model.double()(as_theirs(x)).logits, found.model(x)) < 1e-10


@pytest.mark.slow
def test_a_whole_base_file_of_its_own_code_gives_the_same_scores(tmp_path: Path) -> None:
    model, path = own_file(tmp_path, 128, 10, 35, {})
    found, x = load(path), spectrograms(128, 128)[:1]
    assert (found.encoder.config.width, found.encoder.config.depth) == (768, 12)
    with torch.inference_mode():
        assert far(model(as_theirs(x)).logits, found.model(x)) < 1e-5


def test_the_windows_of_the_paper_follow_from_the_number_of_patches() -> None:
    for frames in (1024, 512, 128):
        count = Grid.cover((128, frames), (16, 16), (10, 10)).count
        assert _window(count, (16, 16)) == ((10, 10), frames)
    with pytest.raises(ValueError, match="a whole number of columns"):
        _window(13, (16, 16))


def test_names_that_are_too_many_are_listed(tmp_path: Path) -> None:
    _, path = own_file(tmp_path, 128, 10, 35)
    content = torch.load(path, weights_only=True)
    torch.save({**content, "module.v.blocks.0.gate": torch.zeros(1)}, path)
    with pytest.raises(RunError, match=r"1 unknown \(v.blocks.0.gate\)"):
        load(path)


@pytest.mark.filterwarnings("ignore:At least one mel filter")  # transformers' own, of 128 bands
def test_with_the_527_classes_of_audioset_each_class_has_a_sigmoid(tmp_path: Path) -> None:
    """As in AST's own demo: `torch.sigmoid(output)`; a softmax would share one out among them."""
    model, path = own_file(tmp_path, 128, 10, 527)
    found, wave = load(path), np.random.default_rng(0).standard_normal(16000).astype(np.float32) / 10
    assert found.multi_label
    assert any("multi-label assumed" in note and "AudioSet" in note for note in found.notes)
    soundfile.write(tmp_path / "wave.wav", wave, 16000, subtype="FLOAT")
    extractor = hf.ASTFeatureExtractor(max_length=128)
    with torch.inference_mode():
        expected = model(**extractor(wave, sampling_rate=16000, return_tensors="pt")).logits.sigmoid()[0]
    given = predict(found, tmp_path / "wave.wav")[0].probabilities
    assert [given[str(number)] for number in range(527)] == pytest.approx(expected.tolist(), abs=1e-3)
    assert sum(given.values()) > 2


@pytest.mark.parametrize(
    ("labels", "problem", "multi_label"),
    [
        (527, None, True),
        (527, "single_label_classification", False),
        (10, "multi_label_classification", True),
        (10, None, False),
    ],
)
def test_a_configuration_says_whether_there_may_be_several_labels(
    labels: int, problem: str | None, multi_label: bool, tmp_path: Path
) -> None:
    config = hf.ASTConfig(**SMALL, num_labels=labels, problem_type=problem)
    found = load(saved(hf.ASTForAudioClassification(config), tmp_path))
    assert found.multi_label == multi_label
    assert any("multi-label assumed" in note for note in found.notes) == (labels == 527 and problem is None)
