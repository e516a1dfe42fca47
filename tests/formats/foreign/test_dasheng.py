"""Dasheng's files and folders against the formulas of its paper and torchaudio's spectrogram in NumPy."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from kakera.errors import RunError
from kakera.explain.activations import encode
from kakera.formats.load import load
from kakera.grid import Grid
from kakera.model.classifier import pool_tokens
from kakera.sound.bank import filters
from kakera.sound.griffin_lim import waveform
from kakera.sound.logmel import LogMel
from kakera.sound.spec import SoundSpec
from tests.formats.foreign.test_mae import layer
from tests.formats.foreign.test_transformers import far
from tests.sound.waves import noise, speech, tone

WIDTH, BANDS, ACROSS = 192, 64, 4
Array = NDArray[np.float64]


def weights(columns: int = 24, width: int = WIDTH, depth: int = 2) -> dict[str, Tensor]:
    """Its names, of windows of `columns` · 4 frames."""
    shapes: dict[str, tuple[int, ...]] = {
        "time_pos_embed": (1, width, 1, columns),
        "freq_pos_embed": (1, width, 1, 1),
        "patch_embed.proj.weight": (width, 1, BANDS, ACROSS),
        "patch_embed.proj.bias": (width,),
        "norm.weight": (width,),
        "norm.bias": (width,),
        "init_bn.1.weight": (BANDS,),
        "init_bn.1.bias": (BANDS,),
    }
    for number in range(depth):
        shapes |= layer(f"blocks.{number}", width)
    generator = torch.Generator().manual_seed(8)
    drawn = {name: 0.1 * torch.randn(shape, generator=generator).double() for name, shape in shapes.items()}
    drawn |= {name: 1 + each for name, each in drawn.items() if "norm" in name and name.endswith("weight")}
    drawn["init_bn.1.weight"] += 1
    running = {"mean": -20 + 15 * torch.randn(BANDS, generator=generator).double()}
    running["var"] = 100 + 200 * torch.rand(BANDS, generator=generator).double()
    return drawn | {f"init_bn.1.running_{name}": each for name, each in running.items()}


def decibels(wave: Array, top: float = 120.0) -> Array:
    """torchaudio's MelSpectrogram(512, 160, 64 bands to 8 kHz) and AmplitudeToDB, (64, frames)."""
    mirrored = np.pad(wave.astype(np.float64), 256, mode="reflect")
    hann = np.sin(np.pi * np.arange(512) / 512) ** 2
    rows = np.stack([mirrored[i : i + 512] * hann for i in range(0, len(mirrored) - 511, 160)])
    power = np.abs(np.fft.fft(rows)[:, :257]) ** 2
    mels = np.linspace(0, 2595 * np.log10(1 + 8000 / 700), 66)
    marks, heard = 700 * (10 ** (mels / 2595) - 1), np.linspace(0, 8000, 257)
    bank = np.zeros((257, 64))
    for band in range(64):
        low, peak, high = marks[band : band + 3]
        for place, hertz in enumerate(heard):
            bank[place, band] = max(0.0, min((hertz - low) / (peak - low), (high - hertz) / (high - peak)))
    values = 10 * np.log10(np.maximum(power @ bank, 1e-10)).T
    return np.maximum(values, values.max() - top)


def formula(
    w: dict[str, Tensor], decibel: Tensor, heads: int = 3, attention: list[Tensor] | None = None
) -> Tensor:
    """Return the tokens after the norm, of decibels (b, 64, frames)."""
    width = w["norm.weight"].shape[0]

    def normed(z: Tensor, name: str) -> Tensor:
        return functional.layer_norm(z, (width,), w[f"{name}.weight"], w[f"{name}.bias"], 1e-6)

    def mapped(z: Tensor, name: str) -> Tensor:
        return z @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    bn = {name: w[f"init_bn.1.{name}"][:, None] for name in ("weight", "bias", "running_mean", "running_var")}
    x = (decibel - bn["running_mean"]) / (bn["running_var"] + 1e-5).sqrt() * bn["weight"] + bn["bias"]
    z = functional.conv2d(
        x.unsqueeze(1), w["patch_embed.proj.weight"], w["patch_embed.proj.bias"], stride=(64, 4)
    )
    z = (z + w["time_pos_embed"][..., : z.shape[3]] + w["freq_pos_embed"]).flatten(2).transpose(1, 2)
    for block in (f"blocks.{number}" for number in range(sum(".attn.qkv.weight" in name for name in w))):
        q, k, v = mapped(normed(z, f"{block}.norm1"), f"{block}.attn.qkv").chunk(3, dim=-1)
        size, parts, seen = width // heads, [], []
        for part in (slice(size * h, size * (h + 1)) for h in range(heads)):
            seen.append((q[..., part] @ k[..., part].transpose(1, 2) / size**0.5).softmax(-1))
            parts.append(seen[-1] @ v[..., part])
        if attention is not None:
            attention.append(torch.stack(seen, dim=1))
        z = z + mapped(torch.cat(parts, dim=-1), f"{block}.attn.proj")
        inside = functional.gelu(mapped(normed(z, f"{block}.norm2"), f"{block}.mlp.fc1"))
        z = z + mapped(inside, f"{block}.mlp.fc2")
    return normed(z, "norm")


def saved(w: dict[str, Tensor], layout: str, place: Path, **config: Any) -> Path:
    """Write a file of its own code, or a folder of the hub."""
    more = {
        "front_end.0.spectrogram.window": torch.ones(512),
        "front_end.0.mel_scale.fb": torch.ones(257, 64),
    }
    more["init_bn.1.num_batches_tracked"] = torch.tensor(9)
    if layout == "own":
        torch.save({"model": {**w, **more}, "config": config}, place)
        return place
    place.mkdir(exist_ok=True)
    (place / "config.json").write_text(json.dumps({"model_type": "dasheng", "encoder_kwargs": config}))
    named = {f"encoder.{name}": tensor.contiguous() for name, tensor in {**w, **more}.items()}
    save_file({**named, "outputlayer.weight": torch.ones(2, 2)}, place / "model.safetensors")
    return place


def loud(count: int = 96) -> Tensor:
    return -30 + 25 * torch.randn(2, BANDS, count, generator=torch.Generator().manual_seed(1)).double()


def inputs_of(found: Any, decibel: Tensor) -> Tensor:
    """The model's inputs of decibels: natural logarithms, normalised."""
    return found.inputs.normalize(decibel.unsqueeze(1) * np.log(10) / 10)


@pytest.mark.parametrize("layout", ["own", "hub"])
@pytest.mark.parametrize(("dtype", "close"), [(torch.float32, 1e-5), (torch.float64, 1e-10)], ids=str)
def test_tokens_and_their_mean_are_those_of_the_formula(
    layout: str, dtype: torch.dtype, close: float, tmp_path: Path
) -> None:
    w, x = weights(), loud()
    found = load(saved(w, layout, tmp_path / "dasheng.pt"), dtype=dtype)
    assert (found.inputs.size, found.encoder.grid) == ((64, 96), Grid(1, 24))
    expected = formula(w, x)
    with torch.inference_mode():
        pixels = inputs_of(found, x).to(dtype)
        assert far(found.model(pixels).double(), expected) < close
        mean = pool_tokens(found.encoder, found.encoder.tokens(pixels), "normed mean")
        assert far(mean.double(), expected.mean(dim=1)) < close


@pytest.mark.parametrize(("width", "heads"), [(768, 12), (1280, 16)])
def test_heads_are_those_of_the_published_widths(width: int, heads: int, tmp_path: Path) -> None:
    w, x = weights(3, width, 1), loud(12)[:1]
    found = load(saved(w, "own", tmp_path / "dasheng.pt"), dtype=torch.float64)
    assert found.encoder.config.heads == heads
    with torch.inference_mode():
        assert far(found.model(inputs_of(found, x)), formula(w, x, heads)) < 1e-10


def test_attention_is_that_of_the_formula_and_its_rows_sum_to_1(tmp_path: Path) -> None:
    w, x = weights(), loud()[:1]
    found = load(saved(w, "own", tmp_path / "dasheng.pt"), dtype=torch.float64)
    expected: list[Tensor] = []
    formula(w, x, attention=expected)
    ours = encode(found.encoder, found.inputs, x * np.log(10) / 10).attention
    np.testing.assert_allclose(ours.sum(axis=-1), 1, atol=1e-12)
    np.testing.assert_allclose(ours, torch.cat(expected).numpy(), atol=1e-10)


def test_a_shorter_window_has_the_first_positions_and_a_longer_one_has_them_between(tmp_path: Path) -> None:
    w = weights()
    place = saved(w, "own", tmp_path / "dasheng.pt")
    for count in (40, 192):
        found, x = load(place, image_size=(64, count), dtype=torch.float64), loud(count)
        table = w["time_pos_embed"]
        if count > 96:
            table = functional.interpolate(table, size=(1, count // 4), mode="bilinear", align_corners=False)
        with torch.inference_mode():
            apart = far(found.model(inputs_of(found, x)), formula({**w, "time_pos_embed": table}, x))
        assert apart < (1e-10 if count < 96 else 1e-6)


def test_a_file_with_a_shorter_window_than_its_table_is_cut(tmp_path: Path) -> None:
    w, x = weights(), loud(40)
    found = load(saved(w, "hub", tmp_path / "dasheng", target_length=40), dtype=torch.float64)
    with torch.inference_mode():
        assert far(found.model(inputs_of(found, x)), formula(w, x)) < 1e-10


SPEC = SoundSpec(
    frame=32.0, window="periodic hann", preemphasis=0.0, centred=False, bins=64, low=0.0, high=8000.0,
    floor=1e-10, triangles="hertz", padded=True, top_db=120.0,
)  # fmt: skip
SOUNDS = {
    "noise": noise(16_000, 1.0),
    "loud noise": noise(16_000, 1.0, level=1.0),
    "tone": tone(16_000, 1.0, 440) + 0.1,
    "quiet tone": tone(16_000, 1.0, 3000, 1e-3),
    "speech": speech(16_000, 1.0),
}


@pytest.mark.parametrize("name", SOUNDS)
def test_the_front_end_is_torchaudios(name: str, tmp_path: Path) -> None:
    """In float64 to 1e-8 decibels; in float32 to 1e-4 of the inputs where a band is above float32's noise."""
    found = load(saved(weights(), "own", tmp_path / "dasheng.pt"))
    assert found.inputs.sound == SPEC
    wave = SOUNDS[name][: SPEC.samples(96)]
    exact = wave.astype(np.float64)
    expected = decibels(exact)
    double = LogMel(SPEC, torch.float64)(torch.from_numpy(exact)[None])[0, 0].numpy()
    np.testing.assert_allclose(10 / np.log(10) * double, expected, atol=1e-8)
    ours = found.prepare((wave, 16_000))[0].numpy()  # type: ignore[arg-type]
    theirs = inputs_of(found, torch.from_numpy(expected)[None])[0].numpy()
    heard = expected > expected.max(axis=0) - 60
    assert np.abs(ours - theirs)[0][heard].max() < 1e-4


def test_a_limit_below_the_loudest_value_is_of_each_waveform() -> None:
    """Of 30 decibels: a quiet waveform is the same alone and beside a loud one."""
    spec = replace(SPEC, top_db=30.0)
    waves = np.stack([SOUNDS["loud noise"], SOUNDS["quiet tone"]], dtype=np.float64)
    both = LogMel(spec, torch.float64)(torch.from_numpy(waves))[:, 0].numpy() * 10 / np.log(10)
    for ours, wave in zip(both, waves, strict=True):
        np.testing.assert_allclose(ours, decibels(wave, 30.0), atol=1e-8)


def test_frames_are_counted_from_half_a_frame_before_the_recording() -> None:
    for samples in (512, 15_200, 16_000, 16_159):
        frames = decibels(np.zeros(samples)).shape[1]
        assert (SPEC.frames(samples), LogMel(SPEC)(torch.zeros(1, samples)).shape[-1]) == (frames, frames)
        assert SPEC.frames(SPEC.samples(frames)) == frames
    assert SPEC.samples(1008) == 161_120


def test_triangles_in_hertz_are_1_at_the_peak() -> None:
    bank = filters(SoundSpec(triangles="hertz", bins=20, fft=1 << 16))
    assert bank.max(axis=1).min() > 0.99
    np.testing.assert_allclose(
        np.diff(bank[10][bank[10].argmax() :])[:5], np.diff(bank[10][bank[10].argmax() :])[1], rtol=1e-6
    )


def test_a_recording_can_be_heard_again() -> None:
    values = LogMel(SPEC)(torch.from_numpy(SOUNDS["speech"])[None])[0, 0]
    again = waveform(values, SPEC, rounds=20)
    assert len(again) == SPEC.samples(values.shape[1])
    found = LogMel(SPEC)(torch.from_numpy(again)[None])[0, 0]
    heard = values > values.max() - 8
    assert float((found - values)[heard].abs().median()) < 0.5


def test_patches_after_the_end_of_a_recording_are_not_seen(tmp_path: Path) -> None:
    w = weights()
    found = load(saved(w, "own", tmp_path / "dasheng.pt"))
    waves = torch.from_numpy(SOUNDS["noise"][: SPEC.samples(96)])[None].clone()
    padding = found.front_end(waves, torch.tensor([6400]))[1]
    assert padding is not None
    assert padding[0].tolist() == [False] * 11 + [True] * 13  # 41 frames


def test_notes_tell_how_the_decibels_are_limited(tmp_path: Path) -> None:
    notes = load(saved(weights(), "own", tmp_path / "dasheng.pt")).notes
    assert any("120 below the loudest of each window, not of each batch" in note for note in notes)


def test_a_model_is_the_same_after_saving(tmp_path: Path) -> None:
    found = load(saved(weights(), "hub", tmp_path / "dasheng"), dtype=torch.float32)
    found.save(tmp_path / "run")
    again = load(tmp_path / "run")
    assert (again.encoder.config, again.inputs) == (found.encoder.config, found.inputs)
    pixels = inputs_of(found, loud()).float()
    with torch.inference_mode():
        assert torch.equal(again.model(pixels), found.model(pixels))


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "window": ({"win_size": 400}, "equal numbers, and centred frames"),
    "heads": ({"num_heads": 5}, "a number of heads that divides the width"),
    "bands": ({"f_max": 9000}, "within 0 to 8000 Hz"),
}


@pytest.mark.parametrize("case", WRONG)
def test_options_of_another_network_are_one_line(case: str, tmp_path: Path) -> None:
    config, said = WRONG[case]
    with pytest.raises(RunError, match=said) as error:
        load(saved(weights(), "hub", tmp_path / "dasheng", **config))
    assert "\n" not in str(error.value)


def test_a_class_token_or_a_missing_tensor_is_listed(tmp_path: Path) -> None:
    w = weights()
    with pytest.raises(RunError, match=r"1 unknown \(cls_token\)"):
        load(saved({**w, "cls_token": torch.zeros(1, 1, WIDTH)}, "own", tmp_path / "more.pt"))
    with pytest.raises(RunError, match="one row of patches"):
        load(saved({**w, "freq_pos_embed": torch.zeros(1, WIDTH, 2, 1)}, "own", tmp_path / "rows.pt"))
    del w["init_bn.1.running_var"]
    with pytest.raises(RunError, match="no 'init_bn.1.running_var'"):
        load(saved(w, "own", tmp_path / "less.pt"))
