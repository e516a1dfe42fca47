"""All commands with encoders that are not a plain ViT: no class token, several, rotary positions and more."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kakera.cli.main import main
from kakera.commands.embed import embed
from kakera.commands.explain import explain_files
from kakera.commands.finetune import finetune
from kakera.commands.predict import predict
from kakera.commands.pretrain import pretrain
from kakera.commands.probe import probe
from kakera.errors import OptionError
from kakera.explain.activations import encode
from kakera.explain.attention import head_maps, rollout, rollout_map
from kakera.explain.relevance import relevance
from kakera.formats.bundle import Pretrained
from kakera.formats.convert import convert
from kakera.formats.load import load
from kakera.formats.native import save_model
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier, pool_tokens
from kakera.model.configs import BlockConfig, DecoderConfig, ViTConfig
from kakera.model.rotary import rotate
from kakera.model.vit import ViT
from tests.formats.foreign.test_transformers import drawn
from tests.small import folder, pictures

PLAIN = ViTConfig(24, 2, 3, (7, 7), DecoderConfig(16, 1, 4))
QUICK = BlockConfig(epsilon=1e-5, activation="quick_gelu")
CONFIGS: dict[str, ViTConfig] = {
    "I-JEPA": replace(PLAIN, class_tokens=0),
    "SigLIP": replace(PLAIN, class_tokens=0, attention_pool=True, block=BlockConfig(activation="gelu_tanh")),
    "CLIP": replace(PLAIN, norm_pre=True, block=QUICK),
    "registers": replace(PLAIN, class_tokens=0, registers=2),
    "Pixio": replace(PLAIN, class_tokens=8),
    "EVA-02": replace(
        PLAIN,
        rotary=1e4,
        rotary_span=16.0,
        rotary_table=True,
        block=BlockConfig(gated=True, inner_norm=True),
    ),
    "DINOv3": replace(PLAIN, registers=4, rotary=100.0, block=BlockConfig(layer_scale=True)),
}
INPUTS = InputSpec(1, 28, 28, (0.5,), (0.5,))
STEPS: dict[str, Any] = {
    "recipe": "demo",
    "epochs": 0.01,
    "min_steps": 1,
    "batch_size": 16,
    "baselines": False,
}


def encoder(name: str, place: Path) -> Path:
    model = drawn(ViT(CONFIGS[name], channels=1, image_size=28, learned=True))
    save_model(place, Pretrained(model, INPUTS))
    return place


@pytest.mark.parametrize("name", CONFIGS)
def test_a_model_is_the_same_after_saving(name: str, tmp_path: Path) -> None:
    place = encoder(name, tmp_path)
    first, again = load(place), load(place)
    assert first.encoder.config == CONFIGS[name]
    assert torch.equal(first.model(torch.ones(1, 1, 28, 28)), again.model(torch.ones(1, 1, 28, 28)))


@pytest.mark.parametrize("name", CONFIGS)
def test_an_encoder_is_tuned_and_predicts_alike_in_a_graph(name: str, tmp_path: Path) -> None:
    start, files = encoder(name, tmp_path / "start"), folder(tmp_path / "files", count=3)
    pool = "attention" if name == "SigLIP" else "mean"
    trained = finetune(pictures(), out=tmp_path / "run", init_from=start, pool=pool, **STEPS)
    assert trained.saved.encoder.config == CONFIGS[name]
    assert trained.saved.model.pool == pool
    result = convert(tmp_path / "run", tmp_path / "graph", to="onnx")
    assert result.difference < 1e-3  # of logits up to some tens
    assert [each.labels for each in predict(tmp_path / "graph", files)] == [
        each.labels for each in predict(tmp_path / "run", files)
    ]
    convert(start, tmp_path / "tokens", to="onnx")


@pytest.mark.parametrize("name", CONFIGS)
def test_frozen_layers_and_low_rank_updates_work(name: str, tmp_path: Path) -> None:
    start = encoder(name, tmp_path / "start")
    still = {"crop_min_scale": 1.0, "shift": 0, "flip": False, "mixup": 0.0, "cutmix": 0.0, "randaugment": 0}
    still |= {"random_erasing": 0.0, "drop_path": 0.0, "epochs": 2.0, "patch_dropout": 0.0}
    frozen = finetune(
        pictures(), out=tmp_path / "frozen", init_from=start, freeze=1, **{**STEPS, **still}
    ).saved.encoder
    before = load(start).encoder
    assert torch.equal(frozen.layers[0].mlp.up.weight, before.layers[0].mlp.up.weight)
    assert not torch.equal(frozen.layers[1].mlp.up.weight, before.layers[1].mlp.up.weight)
    finetune(pictures(), out=tmp_path / "lora", init_from=start, lora_rank=2, **STEPS)


@pytest.mark.parametrize("name", CONFIGS)
def test_probes_take_the_tokens_that_an_encoder_has(name: str, tmp_path: Path) -> None:
    start = encoder(name, tmp_path / "start")
    options: dict[str, Any] = {"labels": (0,), "seeds": 1, "probes": ("ridge",), "finetune": False}
    report = probe(pictures(), init_from=start, workers=0, **options)
    patches = {"SigLIP": {"mean", "attention"}}.get(name, {"mean"})
    expected = {"class", "mean"} if CONFIGS[name].class_tokens else patches
    assert {result.pool for result in report.results} == expected
    if not CONFIGS[name].class_tokens:
        with pytest.raises(OptionError, match="class for a model without class token"):
            probe(pictures(), init_from=start, workers=0, pools=("class",), **options)


@pytest.mark.parametrize("name", CONFIGS)
def test_embeddings_are_the_pooled_output(name: str, tmp_path: Path) -> None:
    start, files = encoder(name, tmp_path / "start"), folder(tmp_path / "files", count=2)
    saved = load(start)
    pool = {"SigLIP": "attention", "I-JEPA": "mean", "registers": "mean"}.get(name, "class")
    with torch.inference_mode():
        tokens = saved.encoder.tokens(saved.prepare(files))
        expected = pool_tokens(saved.encoder, tokens, pool).numpy()  # type: ignore[arg-type]
    np.testing.assert_allclose(embed(start, files).vectors, expected, atol=1e-6)


@pytest.mark.parametrize("name", CONFIGS)
def test_the_page_of_explain_is_drawn(name: str, tmp_path: Path) -> None:
    start, files = encoder(name, tmp_path / "start"), folder(tmp_path / "files", count=1)
    model = Classifier(load(start).encoder, 2, "mean", seed=0).eval()
    saved = Pretrained(model, INPUTS, ("bag", "boot"))
    result = explain_files(saved, files, out=tmp_path / "page")
    assert ("model-positions.png" in result.written) == (name != "DINOv3")
    text = (tmp_path / "page" / "index.html").read_text()
    zero = {
        "I-JEPA": "mean of the patches",
        "registers": "mean of the patches",
        "SigLIP": "mean of the patches",
        "Pixio": "mean of the class tokens",
    }
    assert f"Attention heads of the {zero.get(name, 'class token')}" in text


@pytest.mark.parametrize("name", CONFIGS)
def test_maps_are_the_rows_of_the_attention(name: str, tmp_path: Path) -> None:
    saved = load(encoder(name, tmp_path))
    config, picture = saved.encoder.config, torch.rand(1, 28, 28)
    seen = encode(saved.encoder, saved.inputs, picture)
    first, attention = config.prefix_tokens, seen.attention_of(-1)
    assert attention.shape == (3, first + 16, first + 16)
    rows = attention[:, : config.class_tokens] if config.class_tokens else attention[:, first:]
    np.testing.assert_allclose(head_maps(seen).reshape(3, 16), rows[:, :, first:].mean(axis=1), rtol=1e-6)
    patch = attention[:, first + 4, first:]
    np.testing.assert_array_equal(head_maps(seen, token=5).reshape(3, 16), patch)
    np.testing.assert_allclose(rollout(seen).sum(axis=1), 1, atol=1e-6)
    assert rollout_map(seen, 5).shape == (4, 4)
    assert seen.patches_of(-1).shape == (16, 24)


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("pool", ["class", "mean"])
def test_relevance_is_the_attention_times_its_gradient(name: str, pool: Any) -> None:
    """Of one layer, with the attention as a leaf of the graph: the mean over heads of the positive part."""
    config = replace(CONFIGS[name], depth=1)
    if pool == "class" and not config.class_tokens:
        return
    model = drawn(Classifier(ViT(config, channels=1, image_size=28, learned=True), 2, pool)).double()
    picture, encoder = torch.rand(1, 28, 28), model.encoder
    z, block = encoder.embed(INPUTS.normalize(picture[None].double())), encoder.layers[0]
    q, k, v = block.attention.project(block.norm1(z))
    turned = encoder.places(z).get("rotation")
    if turned is not None:
        q, k = rotate(q, turned), rotate(k, turned)
    attention = (q @ k.transpose(-1, -2) * 8**-0.5).softmax(dim=-1).detach().requires_grad_()
    z = block.after_attention(z, block.attention.join(attention @ v))
    z = block.after_mlp(z, block.mlp(block.norm2(z)))
    model.head(pool_tokens(encoder, z, pool))[0, 1].backward()
    assert attention.grad is not None
    useful = (attention.detach() * attention.grad).clamp(min=0)[0].mean(dim=0)
    rows = useful[: config.class_tokens] if pool == "class" else useful[config.prefix_tokens :]
    expected = rows[:, config.prefix_tokens :].mean(dim=0).reshape(4, 4)
    np.testing.assert_allclose(relevance(model, INPUTS, picture, 1), expected.numpy(), atol=1e-12)


@pytest.mark.parametrize("name", ["I-JEPA", "SigLIP", "Pixio"])
def test_pretraining_needs_one_class_token(name: str, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="expected one class token"):
        pretrain(pictures(), out=tmp_path / "on", init_from=encoder(name, tmp_path / "start"), min_steps=1)


@pytest.mark.parametrize("name", ["CLIP", "DINOv3"])
def test_pretraining_goes_on_from_encoders_with_a_class_token(name: str, tmp_path: Path) -> None:
    options: dict[str, Any] = {"recipe": "few", "epochs": 1.0, "min_steps": 1, "warmup_epochs": 0.0}
    start = encoder(name, tmp_path / "start")
    after = pretrain(pictures(), out=tmp_path / "on", init_from=start, **options)
    assert after.saved.encoder.config == CONFIGS[name]
    assert load(tmp_path / "on").encoder.config == CONFIGS[name]


def test_a_head_on_a_missing_class_token_is_one_line_on_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start, files = encoder("I-JEPA", tmp_path / "start"), folder(tmp_path / "files")
    words = [
        "finetune",
        str(files),
        "--init-from",
        str(start),
        "--pool",
        "class",
        "--out",
        str(tmp_path / "r"),
    ]
    assert main([*words, "--epochs", "0.01", "--min-steps", "1"]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert "class for a model without class token" in said
    assert "mean" in said


@pytest.mark.parametrize(("name", "to", "said"), [
    ("SigLIP", "transformers", "attention pooling"),
    ("CLIP", "transformers", "a norm before its layers"),
    ("DINOv3", "transformers", "rotary positions"),
    ("DINOv3", "timm", "rotary positions"),
    ("Pixio", "timm", "8 class tokens"),
    ("I-JEPA", "mae", "not exactly one class token"),
])  # fmt: skip
def test_a_format_without_such_a_part_refuses_in_one_line(
    name: str, to: Any, said: str, tmp_path: Path
) -> None:
    target = tmp_path / ("model.pth" if to == "mae" else "there")
    with pytest.raises(Exception, match=said):
        convert(encoder(name, tmp_path / "start"), target, to=to)


@pytest.mark.parametrize("name", ["I-JEPA", "Pixio"])
def test_transformers_opens_what_is_written(name: str, tmp_path: Path) -> None:
    start = encoder(name, tmp_path / "start")
    result = convert(start, tmp_path / "there", to="transformers", channels=3)
    assert (result.judge, result.difference < 1e-5) == ("transformers", True)
    before, after = load(start, channels=3), load(tmp_path / "there")
    pairs = zip(before.model.state_dict().values(), after.model.state_dict().values(), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
