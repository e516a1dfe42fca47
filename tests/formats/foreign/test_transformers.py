"""Models made with transformers, saved by it, loaded here: the same outputs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers as hf
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from kakera.errors import RunError
from kakera.formats.bundle import Pretrained
from kakera.formats.foreign.transformers import read
from kakera.formats.load import load
from kakera.model.classifier import Classifier
from kakera.model.mae import MAE
from kakera.model.vit import ViT

SMALL: dict[str, Any] = {
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 3,
    "intermediate_size": 40,
    "image_size": (8, 12),
    "patch_size": (2, 4),
    "num_channels": 2,
}
VIT_MAE: dict[str, Any] = {
    **SMALL,
    "image_size": 12,
    "patch_size": 3,
    "decoder_hidden_size": 16,
    "decoder_num_hidden_layers": 2,
    "decoder_num_attention_heads": 2,
    "decoder_intermediate_size": 56,
}
PREPROCESSING = {"image_mean": [0.1, 0.2], "image_std": [0.3, 0.4], "rescale_factor": 0.5}
LABELS = {0: "ant", 1: "bee", 2: "çicada"}


def drawn(model: nn.Module, seed: int = 0) -> nn.Module:
    """Every number drawn anew: no bias is left at 0, no norm at 1, no position at its start."""
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        scale = parameter.shape[-1] ** -0.5 if parameter.ndim > 1 else 1.0
        parameter.data = scale * torch.randn(parameter.shape, generator=generator)
    return model.eval()


def pictures(count: int = 2, channels: int = 2, size: tuple[int, int] = (8, 12)) -> Tensor:
    return torch.randn(count, channels, *size, generator=torch.Generator().manual_seed(1))


def far(one: Tensor, other: Tensor) -> float:
    assert one.shape == other.shape
    return (one - other).abs().max().item()


def saved(model: Any, folder: Path, preprocessing: dict[str, Any] | None = PREPROCESSING) -> Path:
    model.save_pretrained(folder)
    if preprocessing is not None:
        (folder / "preprocessor_config.json").write_text(json.dumps(preprocessing))
    return folder


def same_outputs(
    theirs: Any,
    folder: Path,
    x: Tensor,
    output: str,
    preprocessing: dict[str, Any] | None = PREPROCESSING,
) -> None:
    """To 1e-5 in float32, to 1e-10 in float64."""
    with torch.inference_mode():
        assert far(theirs(x)[output], load(saved(theirs, folder, preprocessing)).model(x)) < 1e-5
        theirs, x = theirs.double(), x.double()
        assert (
            far(theirs(x)[output], load(saved(theirs, folder, preprocessing), dtype=torch.float64).model(x))
            < 1e-10
        )


MODELS = {
    "ViT": lambda **k: hf.ViTModel(hf.ViTConfig(**SMALL, **k)),
    "ViT without pooler": lambda **k: hf.ViTModel(hf.ViTConfig(**SMALL, **k), add_pooling_layer=False),
    "ViT with mask token": lambda **k: hf.ViTModel(hf.ViTConfig(**SMALL, **k), use_mask_token=True),
    "DeiT": lambda **k: hf.DeiTModel(hf.DeiTConfig(**SMALL, **k)),
}
CLASSIFIERS = {
    "ViT": lambda **k: hf.ViTForImageClassification(hf.ViTConfig(**SMALL, **k)),
    "DeiT": lambda **k: hf.DeiTForImageClassification(hf.DeiTConfig(**SMALL, **k)),
    "DeiT with teacher": lambda **k: hf.DeiTForImageClassificationWithTeacher(hf.DeiTConfig(**SMALL, **k)),
}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize(
    "special",
    [{}, {"qkv_bias": False}, {"hidden_act": "gelu_pytorch_tanh"}, {"layer_norm_eps": 0.1}],
    ids=["plain", "no qkv bias", "tanh", "epsilon"],
)
def test_a_bare_model_gives_the_same_tokens(make: Any, special: dict[str, Any], tmp_path: Path) -> None:
    theirs = drawn(make(**special))
    ours = load(saved(theirs, tmp_path))
    assert isinstance(ours.model, ViT)
    same_outputs(theirs, tmp_path, pictures(), "last_hidden_state")


@pytest.mark.parametrize("make", CLASSIFIERS.values(), ids=CLASSIFIERS)
def test_a_classifier_gives_the_same_scores(make: Any, tmp_path: Path) -> None:
    theirs = drawn(make(id2label=LABELS))
    ours = load(saved(theirs, tmp_path))
    assert isinstance(ours.model, Classifier)
    assert ours.classes == tuple(LABELS.values())
    same_outputs(theirs, tmp_path, pictures(), "logits")


def test_two_classes_without_names_need_no_mention_in_the_configuration(tmp_path: Path) -> None:
    folder = saved(CLASSIFIERS["ViT"](), tmp_path)
    assert "id2label" not in json.loads((folder / "config.json").read_text())
    assert load(folder).classes == ("LABEL_0", "LABEL_1")


BASE = {
    "ViT": lambda **more: hf.ViTForImageClassification(hf.ViTConfig(num_labels=5, **more)),
    "DeiT with teacher": lambda **more: hf.DeiTForImageClassificationWithTeacher(
        hf.DeiTConfig(num_labels=5, **more)
    ),
    "BEiT": lambda **more: hf.BeitForImageClassification(
        hf.BeitConfig(num_labels=5, use_absolute_position_embeddings=True, **more)
    ),
}


@pytest.mark.parametrize(
    ("make", "depth"),
    [(BASE["ViT"], 2), pytest.param(BASE["ViT"], 12, marks=pytest.mark.slow),
     (BASE["DeiT with teacher"], 2), (BASE["BEiT"], 2)],
    ids=["ViT", "ViT, whole", "DeiT with teacher", "BEiT"],
)  # fmt: skip
def test_a_base_model_of_224_pixels_gives_the_same_scores(make: Any, depth: int, tmp_path: Path) -> None:
    theirs = drawn(make(num_hidden_layers=depth))
    ours = load(saved(theirs, tmp_path, None))
    assert (ours.encoder.config.width, ours.encoder.config.depth, ours.inputs.size) == (
        768,
        depth,
        (224, 224),
    )
    same_outputs(theirs, tmp_path, pictures(1, 3, (224, 224)), "logits", None)


def read_without_memory(make: Callable[[], Any]) -> Pretrained:
    """What becomes of their configuration, their names and their shapes; all numbers are one zero."""
    with torch.device("meta"):
        theirs = make()
    zeros = {name: torch.zeros(()).expand(tensor.shape) for name, tensor in theirs.state_dict().items()}
    return read(theirs.config.to_dict(), {}, zeros, "theirs")


@pytest.mark.parametrize("make", BASE.values(), ids=BASE)
def test_all_names_and_shapes_of_a_whole_base_model_are_read(make: Any) -> None:
    """Strictly: none is left over, missing, or of another shape."""
    shape = read_without_memory(make).encoder.config
    assert (shape.width, shape.depth) == (768, 12)


@pytest.mark.slow
def test_a_base_autoencoder_gives_the_same_loss(tmp_path: Path) -> None:
    theirs = drawn(hf.ViTMAEForPreTraining(hf.ViTMAEConfig()))
    ours = load(saved(theirs, tmp_path, None)).model
    assert isinstance(ours, MAE)
    x, noise = pictures(1, 3, (224, 224)), torch.rand(1, 196, generator=torch.Generator().manual_seed(2))
    with torch.inference_mode():
        assert abs(theirs(x, noise=noise).loss - ours(x, hidden(noise, 49))) < 1e-5
        theirs, ours, x = theirs.double(), ours.double(), x.double()
        assert abs(theirs(x, noise=noise.double()).loss - ours(x, hidden(noise, 49))) < 1e-10


def hidden(noise: Tensor, keep: int) -> Tensor:
    """Written out: a patch is hidden unless its noise is among the `keep` lowest of its picture."""
    limit = noise.sort(dim=1).values[:, keep - 1 : keep]
    return noise > limit


@pytest.mark.parametrize("normalised", [True, False])
@pytest.mark.parametrize("ratio", [0.5, 0.75])
def test_the_loss_of_a_masked_autoencoder_is_the_same(normalised: bool, ratio: float, tmp_path: Path) -> None:
    config = hf.ViTMAEConfig(**VIT_MAE, norm_pix_loss=normalised, mask_ratio=ratio)
    theirs = drawn(hf.ViTMAEForPreTraining(config))
    ours = load(saved(theirs, tmp_path)).model
    assert isinstance(ours, MAE)
    assert ours.norm_pix_loss == normalised
    x, noise = pictures(3, 2, (12, 12)), torch.rand(3, 16, generator=torch.Generator().manual_seed(2))
    mask = hidden(noise, int(16 * (1 - ratio)))
    with torch.inference_mode():
        assert abs(theirs(x, noise=noise).loss - ours(x, mask)) < 1e-5
        theirs, ours, x = theirs.double(), ours.double(), x.double()
        found = theirs(x, noise=noise)
        assert abs(found.loss - ours(x, mask)) < 1e-10
        assert torch.equal(found.mask.bool(), mask)
        assert far(found.logits[mask], ours.predict(x, mask).flatten(0, 1)) < 1e-10


def test_a_masked_autoencoder_without_its_decoder_is_an_encoder(tmp_path: Path) -> None:
    theirs = drawn(hf.ViTMAEModel(hf.ViTMAEConfig(**VIT_MAE, mask_ratio=0.0)))
    ours = load(saved(theirs, tmp_path)).model
    x, order = pictures(2, 2, (12, 12)), torch.arange(16.0).expand(2, 16)
    with torch.inference_mode():
        assert far(theirs(x, noise=order).last_hidden_state, ours(x)) < 1e-5


def test_the_names_of_version_5_are_read_like_those_of_the_hub(tmp_path: Path) -> None:
    theirs = drawn(hf.ViTMAEForPreTraining(hf.ViTMAEConfig(**VIT_MAE)))
    before = load(saved(theirs, tmp_path)).model.state_dict()
    save_file(theirs.state_dict(), tmp_path / "model.safetensors")  # as its modules are called
    after = load(tmp_path).model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_names_of_the_hubs_decoders_are_read(tmp_path: Path) -> None:
    theirs = drawn(hf.ViTMAEForPreTraining(hf.ViTMAEConfig(**VIT_MAE)))
    before = load(saved(theirs, tmp_path)).model.state_dict()
    tensors = load_file(tmp_path / "model.safetensors")
    hub = {n.replace("decoder_encoder.layer.", "decoder_layers."): t for n, t in tensors.items()}
    assert hub.keys() != tensors.keys()
    save_file(hub, tmp_path / "model.safetensors")
    after = load(tmp_path).model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_pickle_of_tensors_is_read_like_safetensors(tmp_path: Path) -> None:
    folder = saved(drawn(hf.ViTModel(hf.ViTConfig(**SMALL))), tmp_path)
    before = load(folder).model.state_dict()
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    after = load(folder).model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_inputs_are_those_of_the_preprocessing(tmp_path: Path) -> None:
    inputs = load(saved(hf.ViTModel(hf.ViTConfig(**SMALL)), tmp_path)).inputs
    assert (inputs.mean, inputs.std, inputs.scale) == ((0.1, 0.2), (0.3, 0.4), 2.0)
    assert (inputs.channels, inputs.size) == (2, (8, 12))


def test_what_was_found_and_assumed_is_said(tmp_path: Path) -> None:
    folder = saved(hf.ViTModel(hf.ViTConfig(**SMALL)), tmp_path, None)
    (folder / "README.md").write_text("---\ntags: [a]\nlicense: cc-by-nc-4.0\n---\n")
    notes = load(folder).notes
    assert notes[0] == "transformers ViTModel"
    assert "assumed" in notes[1]
    assert notes[2] == "licence cc-by-nc-4.0: no commercial use"


def changed(folder: Path, **values: Any) -> Path:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **values}))
    return folder


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"model_type": "bert"}, "a model of type bert"),
        ({"num_hidden_layers": 3}, "12 missing (encoder.layer.2"),
        ({"num_hidden_layers": 1}, "12 unknown (encoder.layer.1"),
        ({"intermediate_size": 41}, "of shape 40, expected 41"),
        ({"image_size": 16}, "position_embeddings of shape 13 x 24, expected 33 x 24"),
        ({"num_channels": 3}, "2"),
        ({"num_attention_heads": 5}, "5 for width 24"),
        ({"hidden_act": "relu"}, "relu"),
        ({"patch_size": "x"}, "patch_size: got 'x'"),
        ({"qkv_bias": False}, "unknown"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_configuration_that_contradicts_its_weights_gets_one_line(
    values: dict[str, Any], said: str, tmp_path: Path
) -> None:
    folder = changed(saved(hf.ViTModel(hf.ViTConfig(**SMALL)), tmp_path), **values)
    with pytest.raises(RunError) as caught:
        load(folder)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "expected" in str(caught.value)


def test_half_a_file_gets_one_line(tmp_path: Path) -> None:
    path = saved(hf.ViTModel(hf.ViTConfig(**SMALL)), tmp_path) / "model.safetensors"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(RunError, match="expected a complete .safetensors file"):
        load(tmp_path)


def test_swapped_shapes_get_one_line(tmp_path: Path) -> None:
    path = saved(hf.ViTModel(hf.ViTConfig(**SMALL)), tmp_path) / "model.safetensors"
    tensors = load_file(path)
    name = "encoder.layer.1.output.dense.weight"
    save_file({**tensors, name: tensors[name].T.contiguous()}, path)
    with pytest.raises(RunError, match=r"1.output.dense.weight of shape 40 x 24, expected 24 x 40"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("preprocessing", "mean", "std"),
    [
        ({"image_mean": 0.5, "image_std": 0.25}, (0.5, 0.5), (0.25, 0.25)),
        ({"image_mean": [0.1, 0.2], "image_std": 1}, (0.1, 0.2), (1.0, 1.0)),
        ({"image_mean": None, "image_std": None}, (0.5, 0.5), (0.5, 0.5)),
    ],
)
def test_one_number_is_the_mean_of_all_channels(
    preprocessing: dict[str, Any], mean: tuple[float, ...], std: tuple[float, ...], tmp_path: Path
) -> None:
    inputs = load(saved(hf.ViTModel(hf.ViTConfig(**SMALL)), tmp_path, preprocessing)).inputs
    assert (inputs.mean, inputs.std) == (mean, std)


def test_one_number_normalises_as_the_image_processor_does(tmp_path: Path) -> None:
    config = hf.ViTConfig(**{**SMALL, "num_channels": 3, "image_size": 8, "patch_size": 4})
    said = {"image_mean": 0.5, "image_std": 0.25, "size": {"height": 8, "width": 8}}
    found = load(saved(hf.ViTModel(config), tmp_path, said))
    values = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    processor = hf.ViTImageProcessorPil(image_mean=[0.5] * 3, image_std=[0.25] * 3, do_resize=False)
    theirs = processor(values, return_tensors="pt")["pixel_values"]
    ours = found.inputs.normalize(torch.from_numpy(values).permute(2, 0, 1)[None])
    assert far(theirs, ours) < 1e-5


@pytest.mark.parametrize(
    ("preprocessing", "words"),
    [
        ({"image_mean": "0.5"}, "image_mean: got '0.5'"),
        ({"image_mean": [0.1, "x"]}, "image_mean: got 'x'"),
        ({"image_std": [0.1, 0.2, 0.3]}, "2 and 3 values"),
        ({"image_std": 0}, "expected positive numbers"),
        ({"rescale_factor": "1/255"}, "rescale_factor: got '1/255'"),
        ({"do_normalize": "no"}, "do_normalize: got 'no'"),
    ],
)
def test_a_preprocessing_that_cannot_be_gets_one_line(
    preprocessing: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(RunError) as caught:
        load(saved(hf.ViTModel(hf.ViTConfig(**SMALL)), tmp_path, preprocessing))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"num_hidden_layers": 10**9}, "1000000000 layers"),
        ({"num_attention_heads": 0}, "num_attention_heads: got 0"),
        ({"hidden_size": 3 * 2**24}, "expected 50331648"),
        ({"hidden_size": True}, "hidden_size: got True"),
        ({"image_size": 10**9}, "2 channels of 1000000000 x 1000000000"),
        ({"image_size": 2**13}, "position_embeddings"),
        ({"num_channels": 10**9}, "num_channels: got 1000000000"),
        ({"intermediate_size": 10**9}, "expected 1000000000"),
        ({"layer_norm_eps": "1e-12"}, "layer_norm_eps: got '1e-12'"),
        ({"qkv_bias": "yes"}, "qkv_bias: got 'yes'"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_configuration_of_what_cannot_be_takes_no_memory_and_gets_one_line(
    values: dict[str, Any], words: str, tmp_path: Path
) -> None:
    folder = changed(saved(hf.ViTModel(hf.ViTConfig(**SMALL)), tmp_path), **values)
    with pytest.raises(RunError) as caught:
        load(folder)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("labels", "words"),
    [({"0": "a", "2": "b"}, "no 1"), ({"x": "a"}, "'x'"), (["a", "b"], "id2label: got ['a', 'b']")],
)
def test_labels_that_leave_places_out_get_one_line(labels: Any, words: str, tmp_path: Path) -> None:
    folder = changed(saved(CLASSIFIERS["ViT"](), tmp_path), id2label=labels)
    with pytest.raises(RunError) as caught:
        load(folder)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
