"""BEATs' files against openbeats 0.1.1, whose outputs for the same weights make_beats.py wrote."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from kakera.errors import RunError
from kakera.explain.activations import encode
from kakera.formats.bundle import Pretrained
from kakera.formats.convert import convert
from kakera.formats.load import load
from kakera.grid import Grid
from kakera.model.classifier import Classifier
from kakera.sound.logmel import LogMel
from tests.formats.foreign.beats_files import CLIPS, SOUNDS, VARIANTS, clip, config, head, saved, weights

MEAN, STD, RATE = 15.41663, 6.55582, 16_000
Array = NDArray[np.float64]


@pytest.fixture(scope="module")
def reference() -> dict[str, Array]:
    with np.load(Path(__file__).with_name("beats.npz")) as stored:
        return dict(stored)


def pixels_of(frames: int, whole: int = 1024) -> Tensor:
    """The model's inputs (1, 1, 128, whole) of the clip with this number of frames."""
    window = torch.full((1, whole, 128), MEAN, dtype=torch.float64)
    window[:, :frames] = clip(frames)
    return ((window - MEAN) / (2 * STD)).transpose(1, 2).unsqueeze(1)


def by_time(tokens: Tensor) -> Array:
    """Tokens (1, 8 · times, d) in the order of the reference: all bands of one time, then the next time."""
    return tokens[0].double().unflatten(0, (8, -1)).transpose(0, 1).flatten(0, 1).numpy()


def tokens_of(found: Pretrained, frames: int, dtype: torch.dtype) -> Array:
    """The tokens of a clip of this number of frames at the start of the window."""
    assert found.inputs.sound is not None
    length = torch.tensor([found.inputs.sound.samples(frames)])
    padding = found.front_end.padding(found.front_end.widths(length))
    with torch.inference_mode():
        return by_time(found.encoder(pixels_of(frames).to(dtype), padding_mask=padding))


@pytest.mark.parametrize("layout", ["BEATs", "OpenBEATs", "tuned", "ESPnet"])
@pytest.mark.parametrize(("dtype", "close"), [(torch.float32, 1e-5), (torch.float64, 1e-10)], ids=str)
def test_tokens_of_clips_are_those_of_openbeats(
    layout: str, dtype: torch.dtype, close: float, tmp_path: Path, reference: dict[str, Array]
) -> None:
    found = load(saved(weights(), layout, tmp_path / "beats.pt"), dtype=dtype)
    assert (found.inputs.size, found.encoder.grid) == ((128, 1024), Grid(8, 64))
    for frames in CLIPS:
        expected = reference[f"tokens published {frames}"]
        np.testing.assert_allclose(tokens_of(found, frames, dtype), expected, atol=close)


@pytest.mark.parametrize("variant", VARIANTS)
def test_options_of_its_code_are_followed(variant: str, tmp_path: Path, reference: dict[str, Array]) -> None:
    place = saved(weights(variant), "BEATs", tmp_path / "beats.pt", config(variant))
    found = load(place, dtype=torch.float64)
    expected = reference[f"tokens {variant} 170"]
    np.testing.assert_allclose(tokens_of(found, 170, torch.float64), expected, atol=1e-10)


def test_a_shorter_window_has_the_same_tokens(tmp_path: Path, reference: dict[str, Array]) -> None:
    found = load(saved(weights(), "BEATs", tmp_path / "b.pt"), image_size=(128, 160), dtype=torch.float64)
    with torch.inference_mode():
        ours = by_time(found.model(pixels_of(170)[..., :160]))
    np.testing.assert_allclose(ours, reference["tokens published 170"], atol=1e-10)


def test_attention_maps_are_those_of_openbeats(tmp_path: Path, reference: dict[str, Array]) -> None:
    found = load(saved(weights(), "BEATs", tmp_path / "beats.pt"), dtype=torch.float64)
    values = found.inputs.denormalize(pixels_of(50)[0])
    ours = encode(found.encoder, found.inputs, values, width=48).attention
    order = np.arange(24).reshape(8, 3).T.ravel()
    np.testing.assert_allclose(ours[:, :, order][..., order], reference["attention"], atol=1e-6)
    np.testing.assert_allclose(ours.sum(axis=-1), 1, atol=1e-12)


@pytest.mark.parametrize("name", SOUNDS)
def test_the_front_end_is_kaldis_of_louder_samples(
    name: str, tmp_path: Path, reference: dict[str, Array]
) -> None:
    """In float32, where a band is above float32's noise: 60 decibels below the loudest one."""
    found = load(saved(weights(), "BEATs", tmp_path / "beats.pt"))
    assert found.inputs.sound is not None
    wave, expected = SOUNDS[name], reference[f"bank {name} float64"].T
    double = LogMel(found.inputs.sound, torch.float64)(torch.from_numpy(wave.astype(np.float64))[None])
    np.testing.assert_allclose(found.inputs.normalize(double)[0, 0].numpy(), expected, atol=1e-5)
    ours = found.prepare((wave, RATE))[0, 0].numpy()[:, : expected.shape[1]]  # type: ignore[arg-type]
    heard = expected > expected.max() - 60 * math.log(10) / 10 / (2 * STD)
    assert np.abs(ours - reference[f"bank {name} float32"].T)[heard].max() < 1e-4


@pytest.mark.parametrize("layout", ["tuned", "ESPnet"])
def test_logits_are_the_mean_of_those_of_all_patches(
    layout: str, tmp_path: Path, reference: dict[str, Array]
) -> None:
    found = load(saved(weights(), layout, tmp_path / "beats.pt"), dtype=torch.float64)
    assert isinstance(found.model, Classifier)
    names = ("/m/09x0r", "/m/05zppz", "/m/02zsn") if layout == "tuned" else ("dog", "cat", "rain")
    assert (found.classes, found.multi_label) == (names, layout == "tuned")
    w = {name: tensor.numpy() for name, tensor in head().items()}
    expected = (reference["tokens published 170"] @ w["weight"].T + w["bias"]).mean(axis=0)
    padding = found.front_end.padding(torch.tensor([160]))
    with torch.inference_mode():
        ours = found.model(pixels_of(170), padding_mask=padding)[0]
    np.testing.assert_allclose(ours.numpy(), expected, atol=1e-10)


def test_a_clip_is_the_same_beside_longer_ones(tmp_path: Path) -> None:
    found = load(saved(weights(), "BEATs", tmp_path / "beats.pt"), dtype=torch.float64)
    pixels = torch.cat([pixels_of(frames) for frames in CLIPS])
    padding = found.front_end.padding(torch.tensor(CLIPS) // 16 * 16)
    with torch.inference_mode():
        together = found.encoder(pixels, padding_mask=padding)
        for row, frames in enumerate(CLIPS):
            alone = tokens_of(found, frames, torch.float64)
            count = 8 * (frames // 16)
            assert np.abs(by_time(together[row : row + 1, :count]) - alone).max() < 1e-12


def test_a_patch_that_the_end_cuts_is_padding_except_the_first(tmp_path: Path) -> None:
    found = load(saved(weights(), "BEATs", tmp_path / "beats.pt"))
    assert found.inputs.sound is not None
    lengths = torch.tensor([found.inputs.sound.samples(frames) for frames in (3, 16, 31, 32, 1024)])
    assert found.front_end.widths(lengths).tolist() == [16, 16, 16, 32, 1024]  # type: ignore[union-attr]
    waves = torch.zeros(1, found.inputs.sound.samples(1024))
    pixels, padding = found.front_end(waves, lengths[:1])
    assert pixels[0, 0, :, 3:].abs().max() < 1e-6
    assert pixels[0, 0, :, :3].max() < -1
    assert padding is not None
    assert int((~padding).sum()) == 8


def test_without_its_options_those_of_the_published_models_are_assumed(tmp_path: Path) -> None:
    w = weights()
    torch.save(w, tmp_path / "bare.pt")
    found = load(tmp_path / "bare.pt")
    shape = found.encoder.config
    assert (shape.heads, shape.relative, shape.convolution) == (3, (32, 800), (16, 4))
    assert shape.block.residual == 6**0.25
    assert any("DeepNorm and a largest distance of 800 assumed" in note for note in found.notes)
    assert found.inputs.mean[0] == pytest.approx(15.41663 - math.log(2**30))


def test_new_names_of_weight_norm_are_read(tmp_path: Path) -> None:
    w, old = weights(), "encoder.pos_conv.0."
    before = load(saved(w, "BEATs", tmp_path / "old.pt"))
    for number, name in enumerate(("weight_g", "weight_v")):
        w[f"{old}parametrizations.weight.original{number}"] = w.pop(old + name)
    after = load(saved(w, "BEATs", tmp_path / "new.pt"))
    for name, tensor in before.model.state_dict().items():
        assert torch.equal(after.model.state_dict()[name], tensor)


def test_a_model_is_the_same_after_saving(tmp_path: Path) -> None:
    found = load(saved(weights(), "tuned", tmp_path / "beats.pt"))
    found.save(tmp_path / "run")
    again = load(tmp_path / "run")
    assert (again.encoder.config, again.inputs) == (found.encoder.config, found.inputs)
    with torch.inference_mode():
        assert torch.equal(again.model(pixels_of(400).float()), found.model(pixels_of(400).float()))


def test_a_graph_has_the_same_logits_also_of_a_shorter_clip(tmp_path: Path) -> None:
    """One of the two recordings that `convert` compares has half of the length."""
    found = load(saved(weights(), "tuned", tmp_path / "beats.pt"), image_size=(128, 160))
    found.save(tmp_path / "run")
    assert convert(tmp_path / "run", tmp_path / "graph", to="onnx").difference < 1e-4


@pytest.mark.parametrize("library", ["timm", "transformers", "mae"])
def test_it_cannot_be_written_for_other_libraries(library: Any, tmp_path: Path) -> None:
    place = saved(weights(), "BEATs", tmp_path / "beats.pt")
    with pytest.raises(RunError, match=r"along the sequence of patches \(BEATs\)|without AST's two tokens"):
        convert(place, tmp_path / ("out.pth" if library == "mae" else "out"), to=library)


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "norm": ({"layer_norm_first": True}, "layer_norm_first: got True, expected False"),
    "activation": ({"activation_fn": "glu"}, "activation_fn: got glu, expected gelu"),
    "distance": ({"max_distance": 8}, "distances above a quarter"),
    "deep": ({"deep_norm": "yes"}, "deep_norm"),
}


@pytest.mark.parametrize("case", WRONG)
def test_options_of_another_network_are_one_line(case: str, tmp_path: Path) -> None:
    options, said = WRONG[case]
    with pytest.raises(RunError, match=said) as error:
        load(saved(weights(), "BEATs", tmp_path / "beats.pt", {**config(), **options}))
    assert "\n" not in str(error.value)


def test_tensors_of_another_network_are_one_line(tmp_path: Path) -> None:
    def refused(w: dict[str, Tensor], said: str) -> None:
        with pytest.raises(RunError, match=said) as error:
            load(saved(w, "BEATs", tmp_path / "beats.pt"))
        assert "\n" not in str(error.value)

    w, copy = weights(), "encoder.layers.1.self_attn.relative_attention_bias.weight"
    refused({**w, copy: w[copy] + 1}, "expected the bias of the first layer in all layers")
    refused({**w, "encoder.cls_token": torch.zeros(1)}, r"1 unknown \(encoder.cls_token\)")
    refused({**w, "downsample_conv.weight": torch.zeros(1)}, "an encoder with downsample_conv.weight")
    refused({**w, "layer_norm.bias": torch.full((16,), torch.nan)}, "NaN")
    refused({name: each for name, each in w.items() if ".1.fc2.bias" not in name}, "1 missing")
    refused({name: each for name, each in w.items() if "weight_g" not in name}, "no 'encoder.pos_conv.0")


def test_a_folder_with_such_a_file_tells_to_name_the_file(tmp_path: Path) -> None:
    place = saved(weights(), "OpenBEATs", tmp_path / "epoch1.pt")
    with pytest.raises(RunError, match="no kakera.json and no config.json") as error:
        load(tmp_path)
    assert str(error.value).endswith(f"name the file of weights: {place}")


def test_parts_of_the_pretraining_are_left_out_with_a_note(tmp_path: Path) -> None:
    more = {"quantize.embedding.weight": torch.zeros(4, 2), "decoder_norm.bias": torch.zeros(3)}
    notes = load(saved({**weights(), **more}, "BEATs", tmp_path / "beats.pt")).notes
    assert "2 tensors outside its encoder are not used" in notes
