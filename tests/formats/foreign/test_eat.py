"""EAT's files and folders against the formulas of its paper: norms after each branch, turned spectrograms."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional

from kakera.errors import OptionError, RunError
from kakera.explain.activations import encode
from kakera.formats.bundle import Pretrained
from kakera.formats.load import load
from kakera.grid import Grid
from kakera.model.classifier import Classifier
from kakera.model.configs import ViTConfig
from tests.formats.foreign.test_mae import layer
from tests.formats.foreign.test_transformers import far
from tests.sound.waves import log_mel, noise, speech, tone

WIDTH, DEPTH, BANDS, PATCH = 192, 2, 8, 16
OWN = {"first": "modality_encoders.IMAGE.", "rest": "", "norm": "context_encoder.norm", "head": ""}
TUNED = {
    "first": "model.modality_encoders.IMAGE.",
    "rest": "model.",
    "norm": "context_encoder.norm",
    "head": "",
}
HUB = {"first": "model.", "rest": "model.", "norm": "pre_norm", "head": "model."}
LAYOUTS = {"own": OWN, "tuned": TUNED, "hub": HUB}


def sines(times: int, width: int = WIDTH) -> Tensor:
    """Rows of (time, band), computed in float32: the band's sines and cosines, then those of the time."""
    omega = 1.0 / 10_000 ** (np.arange(width // 4, dtype=np.float32) / (width / 4))
    time, band = np.meshgrid(np.arange(times), np.arange(BANDS), indexing="ij")
    parts = [f(axis.reshape(-1, 1) * omega) for axis in (band, time) for f in (np.sin, np.cos)]
    return torch.from_numpy(np.concatenate(parts, axis=1)).float().unsqueeze(0)


def weights(classes: int = 0, times: int = 6, width: int = WIDTH, depth: int = DEPTH) -> dict[str, Tensor]:
    """Random weights under short names, of windows of `times` · 16 frames."""
    shapes: dict[str, tuple[int, ...]] = {
        "extra_tokens": (1, 1, width),
        "local_encoder.proj.weight": (width, 1, PATCH, PATCH),
        "local_encoder.proj.bias": (width,),
        "pre_norm.weight": (width,),
        "pre_norm.bias": (width,),
    }
    for number in range(depth):
        shapes |= layer(f"blocks.{number}", width)
    if classes:
        shapes |= {"head.weight": (classes, width), "head.bias": (classes,)}
        shapes |= {"fc_norm.weight": (width,), "fc_norm.bias": (width,)}
    generator = torch.Generator().manual_seed(6)
    drawn = {name: 0.1 * torch.randn(shape, generator=generator).double() for name, shape in shapes.items()}
    drawn |= {name: 1 + each for name, each in drawn.items() if "norm" in name and name.endswith("weight")}
    return {**drawn, "fixed_positional_encoder.positions": sines(times, width).double()}


def named(w: dict[str, Tensor], layout: dict[str, str]) -> dict[str, Tensor]:
    """The same weights under the names of a layout."""
    first, rest = layout["first"], layout["rest"]

    def name(short: str) -> str:
        if short.startswith("pre_norm."):
            return f"{first}{layout['norm']}.{short.rpartition('.')[2]}"
        if short.startswith(("fc_norm.", "head.")):
            return layout["head"] + short
        return (rest if short.startswith("blocks.") else first) + short

    return {name(short): tensor for short, tensor in w.items()}


def formula(
    w: dict[str, Tensor], x: Tensor, heads: int = 3, attention: list[Tensor] | None = None, eps: float = 1e-6
) -> Tensor:
    """Return the tokens of (b, 1, frames, bands), class token first, then row by row of time."""
    width = w["extra_tokens"].shape[2]

    def normed(z: Tensor, name: str) -> Tensor:
        return functional.layer_norm(z, (width,), w[f"{name}.weight"], w[f"{name}.bias"], eps)

    def mapped(z: Tensor, name: str) -> Tensor:
        return z @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    z = functional.conv2d(x, w["local_encoder.proj.weight"], w["local_encoder.proj.bias"], stride=PATCH)
    z = z.flatten(2).transpose(1, 2)
    z = z + w["fixed_positional_encoder.positions"][:, : z.shape[1]]
    z = normed(torch.cat([w["extra_tokens"].expand(len(z), -1, -1), z], dim=1), "pre_norm")
    for block in (
        f"blocks.{number}" for number in range(1 + max(int(n.split(".")[1]) for n in w if "blocks" in n))
    ):
        q, k, v = mapped(z, f"{block}.attn.qkv").chunk(3, dim=-1)
        size, parts, seen = width // heads, [], []
        for part in (slice(size * h, size * (h + 1)) for h in range(heads)):
            seen.append((q[..., part] @ k[..., part].transpose(1, 2) / size**0.5).softmax(-1))
            parts.append(seen[-1] @ v[..., part])
        if attention is not None:
            attention.append(torch.stack(seen, dim=1))
        z = normed(z + mapped(torch.cat(parts, dim=-1), f"{block}.attn.proj"), f"{block}.norm1")
        inside = functional.gelu(mapped(z, f"{block}.mlp.fc1"))
        z = normed(z + mapped(inside, f"{block}.mlp.fc2"), f"{block}.norm2")
    return z


def logits(w: dict[str, Tensor], tokens: Tensor, eps: float) -> Tensor:
    width = tokens.shape[-1:]
    normed = functional.layer_norm(tokens[:, 0], width, w["fc_norm.weight"], w["fc_norm.bias"], eps)
    return normed @ w["head.weight"].T + w["head.bias"]


def turned(tokens: Tensor) -> Tensor:
    """The tokens row by row of frequency, as kakera has them."""
    times = (tokens.shape[1] - 1) // BANDS
    rest = tokens[:, 1:].unflatten(1, (times, BANDS)).transpose(1, 2).flatten(1, 2)
    return torch.cat([tokens[:, :1], rest], dim=1)


def saved(w: dict[str, Tensor], layout: str, place: Path, **config: Any) -> Path:
    """Write a file of EAT's own code, or a folder of the hub."""
    tensors = named(w, LAYOUTS[layout])
    if layout == "hub":
        place.mkdir(exist_ok=True)
        auto = {"AutoModel": "modeling_eat.EATModel", "AutoConfig": "configuration_eat.EATConfig"}
        values = {"model_type": "eat", "auto_map": auto, "num_heads": 3, "img_size": [96, 128], **config}
        (place / "config.json").write_text(json.dumps(values))
        save_file(
            {name: tensor.contiguous() for name, tensor in tensors.items()}, place / "model.safetensors"
        )
        return place
    decoder = {
        "modality_encoders.IMAGE.decoder.blocks.0.0.weight": torch.zeros(2, 2),
        "_ema": {"blocks.0": torch.ones(2)},
    }
    torch.save(
        {"cfg": {"model": config}, "model": {**tensors, **(decoder if layout == "own" else {})}}, place
    )
    return place


def frames(count: int = 96, seed: int = 1) -> Tensor:
    return torch.randn(2, 1, count, 128, generator=torch.Generator().manual_seed(seed)).double()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("dtype", "close"), [(torch.float32, 1e-5), (torch.float64, 1e-10)], ids=str)
def test_tokens_are_those_of_the_formula(
    layout: str, dtype: torch.dtype, close: float, tmp_path: Path
) -> None:
    w, x = weights(), frames()
    found = load(saved(w, layout, tmp_path / "eat.pt"), dtype=dtype)
    assert (found.inputs.size, found.encoder.grid) == ((128, 96), Grid(BANDS, 6))
    assert (found.encoder.config.block.norm, found.encoder.config.final_norm) == ("post", False)
    with torch.inference_mode():
        assert far(found.model(x.transpose(2, 3).to(dtype)).double(), turned(formula(w, x))) < close


BASE = pytest.param(768, 12, 12, marks=pytest.mark.slow)


@pytest.mark.parametrize(("width", "depth", "heads"), [(WIDTH, DEPTH, 3), BASE], ids=["tiny", "base"])
def test_tokens_of_the_published_size_are_those_of_the_formula(
    width: int, depth: int, heads: int, tmp_path: Path
) -> None:
    w, x = weights(times=64, width=width, depth=depth), frames(1024)
    found = load(saved(w, "own", tmp_path / "eat.pt"), dtype=torch.float64)
    assert found.inputs.size == (128, 1024)
    with torch.inference_mode():
        assert far(found.model(x[:1].transpose(2, 3)), turned(formula(w, x[:1], heads))) < 1e-9


@pytest.mark.parametrize(("layout", "eps"), [("tuned", 1e-6), ("hub", 1e-5)])
def test_a_head_on_the_class_token_gives_the_same_scores(layout: str, eps: float, tmp_path: Path) -> None:
    """Its norm has torch's epsilon in the folders of the hub, and that of the layers in its own code."""
    w, x = weights(50), frames()
    found = load(saved(w, layout, tmp_path / "eat.pt"), dtype=torch.float64)
    assert isinstance(found.model, Classifier)
    assert (found.model.pool, found.model.head_epsilon) == ("class", eps)
    assert (found.inputs.mean, found.inputs.std) == ((-6.627,), (2 * 5.359,))
    assert any("ESC-50" in note for note in found.notes)
    with torch.inference_mode():
        assert far(found.model(x.transpose(2, 3)), logits(w, formula(w, x), eps)) < 1e-10


def test_audiosets_527_classes_are_multi_label_with_its_statistics(tmp_path: Path) -> None:
    found = load(saved(weights(527), "hub", tmp_path / "eat"))
    assert found.multi_label
    assert (found.inputs.mean, found.inputs.std, found.inputs.blank) == ((-4.268,), (9.138,), 0.0)


def test_attention_is_that_of_the_formula_and_its_rows_sum_to_1(tmp_path: Path) -> None:
    w, x = weights(), frames()[:1]
    found = load(saved(w, "own", tmp_path / "eat.pt"), dtype=torch.float64)
    expected: list[Tensor] = []
    formula(w, x, attention=expected)
    order = [0, *(1 + np.arange(48).reshape(6, BANDS).T.flatten()).tolist()]
    stored = found.inputs.denormalize(x[0].transpose(1, 2).unsqueeze(0))[0]
    ours = encode(found.encoder, found.inputs, stored).attention
    np.testing.assert_allclose(ours.sum(axis=-1), 1, atol=1e-12)
    theirs = torch.cat(expected)[:, :, order][:, :, :, order]
    np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-10)


@pytest.mark.parametrize("layout", ["own", "hub"])
@pytest.mark.parametrize("count", [32, 160])
def test_a_shorter_or_longer_window_keeps_the_place_of_each_patch(
    layout: str, count: int, tmp_path: Path
) -> None:
    """Its positions at the end are cut, and its sines and cosines continue, to float32 of their table."""
    w, x = weights(), frames(count)
    found = load(saved(w, layout, tmp_path / "eat.pt"), image_size=(128, count), dtype=torch.float64)
    w["fixed_positional_encoder.positions"] = sines(count // PATCH).double()
    with torch.inference_mode():
        far_off = far(found.model(x.transpose(2, 3)), turned(formula(w, x)))
    assert far_off < (1e-10 if count < 96 else 1e-5)


def test_a_folder_of_the_hub_has_positions_for_more_frames_than_its_window(tmp_path: Path) -> None:
    w, x = weights(times=20), frames()
    found = load(saved(w, "hub", tmp_path / "eat"), dtype=torch.float64)
    assert found.inputs.size == (128, 96)
    with torch.inference_mode():
        assert far(found.model(x.transpose(2, 3)), turned(formula(w, x))) < 1e-10


SOUNDS = {"noise": noise(16_000, 0.9), "tone": tone(16_000, 0.9, 440) + 0.1, "speech": speech(16_000, 1.2)}


@pytest.mark.parametrize("name", SOUNDS)
def test_the_front_end_is_its_filter_bank_after_the_mean_of_the_waveform(name: str, tmp_path: Path) -> None:
    """Frames after the end are 0 before the normalisation, and the network attends to them."""
    found, wave = load(saved(weights(), "own", tmp_path / "eat.pt")), SOUNDS[name]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 399)
    expected, unsure = log_mel(
        wave - wave.mean(), rate=16_000, bins=128, frame=400, hop=160, points=512, window=hann
    )
    padded = np.zeros((128, 96))
    count = min(96, expected.shape[1])
    padded[:, :count] = expected[:, :count]
    ours = found.prepare((wave[: found.inputs.sound.samples(96)], 16_000))[0, 0].numpy()  # type: ignore[union-attr]
    limit = np.full((128, 96), 1e-4)
    limit[:, :count] += unsure[:, :count]
    assert (np.abs(ours - (padded + 4.268) / (2 * 4.569)) < limit).all()
    assert found.front_end(torch.from_numpy(wave[None, :8000]), torch.tensor([8000]))[1] is None


def test_notes_name_what_is_assumed_and_what_is_left_out(tmp_path: Path) -> None:
    notes = " | ".join(load(saved(weights(), "own", tmp_path / "eat.pt")).notes)
    for each in (
        "EAT, detected by its tensor names",
        "96 frames",
        "AudioSet",
        "1 tensors of its pretraining",
        "_ema",
    ):
        assert each in notes


def test_a_model_is_the_same_after_saving(tmp_path: Path) -> None:
    found = load(saved(weights(50), "hub", tmp_path / "eat"))
    found.save(tmp_path / "run")
    again, x = load(tmp_path / "run"), frames().float().transpose(2, 3)
    assert (again.encoder.config, again.inputs) == (found.encoder.config, found.inputs)
    assert isinstance(again.encoder.config, ViTConfig)
    with torch.inference_mode():
        assert torch.equal(again.model(x), found.model(x))


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "norm first": ({"layer_norm_first": True}, "a norm after each branch, as published"),
    "stride": ({"stride": 10}, "patches side by side on 128 bands"),
    "bands": ({"mel_bins": 64}, "64 bands"),
    "pooling": ({"prediction_mode": "LIN_SOFTMAX"}, "CLS_TOKEN, MEAN_POOLING"),
    "heads": ({"num_heads": 5}, "a number of heads that divides the width"),
    "epsilon": ({"norm_eps": -1}, "norm_eps"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_configuration_of_another_network_is_one_line(case: str, tmp_path: Path) -> None:
    config, said = WRONG[case]
    with pytest.raises(RunError, match=said) as error:
        load(saved(weights(50), "hub", tmp_path / "eat", **config))
    assert "\n" not in str(error.value)


def test_a_name_that_is_too_many_or_missing_is_listed(tmp_path: Path) -> None:
    w = weights()
    torch.save({"model": {**named(w, OWN), "blocks.0.attn.gate": torch.zeros(1)}}, tmp_path / "more.pt")
    with pytest.raises(RunError, match=r"1 unknown \(blocks.0.attn.gate\)"):
        load(tmp_path / "more.pt")
    left = {name: each for name, each in named(w, OWN).items() if "context_encoder" not in name}
    torch.save({"model": left}, tmp_path / "less.pt")
    with pytest.raises(RunError, match=r"missing \(modality_encoders.IMAGE.context_encoder.norm"):
        load(tmp_path / "less.pt")


def test_mean_pooling_of_its_own_code_is_the_mean_of_the_patches(tmp_path: Path) -> None:
    w, x = weights(50), frames()
    found = load(saved(w, "tuned", tmp_path / "eat.pt", prediction_mode="MEAN_POOLING"), dtype=torch.float64)
    mean = formula(w, x)[:, 1:].mean(dim=1, keepdim=True)
    with torch.inference_mode():
        assert far(found.model(x.transpose(2, 3)), logits(w, mean, 1e-6)) < 1e-10


@pytest.mark.parametrize("to", ["transformers", "timm", "mae"])
def test_no_other_format_expresses_it(to: Any, tmp_path: Path) -> None:
    from kakera.formats.convert import convert

    found: Pretrained = load(saved(weights(), "own", tmp_path / "eat.pt"))
    found.save(tmp_path / "run")
    with pytest.raises((RunError, OptionError)) as error:
        convert(tmp_path / "run", tmp_path / ("model.pth" if to == "mae" else "there"), to=to)
    assert "\n" not in str(error.value)
    assert "norm" in str(error.value) or "AST" in str(error.value)
