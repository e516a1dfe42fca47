"""What transformers loads: `config.json`, weights in the hub's names, the preprocessing and a model card."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, NoReturn

from safetensors.torch import save

import kakera
from kakera.errors import RunError, sentence
from kakera.formats import names, prefix
from kakera.formats.native import WEIGHTS, Saved
from kakera.formats.transformers import AST
from kakera.formats.transformers_names import AST_HEAD, HEADS, table
from kakera.model.classifier import Classifier
from kakera.model.cnn import ResNet
from kakera.model.encoder import Encoder
from kakera.model.mae import MaskedAutoencoder
from kakera.sound.spec import PRESETS

ARCHITECTURES: dict[type[Any], tuple[str, str]] = {
    Encoder: ("vit", "ViTModel"),
    Classifier: ("vit", "ViTForImageClassification"),
    MaskedAutoencoder: ("vit_mae", "ViTMAEForPreTraining"),
}
OF_RECORDINGS: dict[type[Any], tuple[str, str]] = {
    Encoder: (AST, "ASTModel"),
    Classifier: (AST, "ASTForAudioClassification"),
}


def architecture(saved: Saved) -> tuple[str, str]:
    """Type and class of a model that can be expressed. Two tokens of a spectrogram are AST's."""
    kinds = OF_RECORDINGS if _heard(saved) else ARCHITECTURES
    return kinds[type(saved.model)]


def _heard(saved: Saved) -> bool:
    return saved.inputs.sound is not None and saved.encoder.shape.registers == 1


def files(saved: Saved) -> dict[str, bytes]:
    """The content of each file of the folder. Raises RunError, with the reason, for what cannot be said."""
    _require_expressible(saved)
    bare, heard = isinstance(saved.model, Encoder), _heard(saved)
    patch, ours = saved.encoder.shape.patch, "" if bare else "encoder."
    axes = {"ph": patch[0], "pw": patch[1], "c": saved.inputs.channels}
    pre = "" if bare else "audio_spectrogram_transformer." if heard else "vit."
    rows = table(pre, ours, heads=AST_HEAD if heard else HEADS)
    tensors = dict(saved.model.state_dict())
    if heard:
        tensors = prefix.with_rows(tensors, ours)
    tensors = names.write(tensors, rows, source="transformers", axes=axes)
    return {
        "config.json": _json(configuration(saved)),
        "preprocessor_config.json": _json(preprocessing(saved)),
        "README.md": card(saved).encode(),
        WEIGHTS: save(tensors, {"format": "pt"}),
    }


def configuration(saved: Saved) -> dict[str, Any]:
    """`config.json`; the library takes an epsilon of 1e-12 unless it is told another."""
    model, encoder = saved.model, saved.encoder
    shape = encoder.shape
    model_type, name = architecture(saved)
    found: dict[str, Any] = {
        "architectures": [name],
        "model_type": model_type,
        "hidden_size": shape.width,
        "num_hidden_layers": shape.depth,
        "num_attention_heads": shape.heads,
        "intermediate_size": round(shape.width * shape.kind.ratio),
        "hidden_act": "gelu_pytorch_tanh" if shape.kind.tanh_gelu else "gelu",
        "layer_norm_eps": shape.kind.epsilon,
        "qkv_bias": shape.kind.qkv_bias,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "patch_size": _pair(shape.patch),
    }
    if _heard(saved):
        found |= {"num_mel_bins": saved.inputs.height, "max_length": saved.inputs.width}
        found |= dict(zip(("frequency_stride", "time_stride"), shape.step, strict=True))
    else:
        found |= {"image_size": _pair(encoder.size), "num_channels": saved.inputs.channels}
    if isinstance(model, Classifier):
        classes = dict(enumerate(saved.classes))
        found |= {"id2label": classes, "label2id": {name: number for number, name in classes.items()}}
        kind = "multi_label_classification" if saved.several else "single_label_classification"
        found |= {"problem_type": kind}
    if isinstance(model, MaskedAutoencoder):
        decoder = model.decoder.shape
        found |= {
            "decoder_hidden_size": decoder.width,
            "decoder_num_hidden_layers": decoder.depth,
            "decoder_num_attention_heads": decoder.heads,
            "decoder_intermediate_size": round(decoder.width * decoder.kind.ratio),
            "norm_pix_loss": model.normalised,
        }
    return found


def preprocessing(saved: Saved) -> dict[str, Any]:
    """`preprocessor_config.json`: the same size, mean and deviation."""
    inputs = saved.inputs
    if _heard(saved):
        return {
            "feature_extractor_type": "ASTFeatureExtractor",
            "feature_size": 1,
            "sampling_rate": PRESETS["ast"].rate,
            "num_mel_bins": inputs.height,
            "max_length": inputs.width,
            "padding_value": 0.0,
            "do_normalize": True,
            "mean": inputs.mean[0],
            "std": inputs.std[0] / 2,  # the extractor divides by two deviations
            "return_attention_mask": False,
        }
    return {
        "image_processor_type": "ViTImageProcessor",
        "do_resize": True,
        "size": {"height": inputs.height, "width": inputs.width},
        "resample": 3,  # bicubic
        "do_rescale": True,
        "rescale_factor": 1 / inputs.scale,
        "do_normalize": True,
        "image_mean": list(inputs.mean),
        "image_std": list(inputs.std),
    }


def card(saved: Saved) -> str:
    """`README.md`, as the hub shows it."""
    inputs, heard = saved.inputs, _heard(saved)
    classifies = isinstance(saved.model, Classifier)
    head = ["---", "library_name: transformers", f"tags: [{'audio' if heard else 'vision'}, kakera]"]
    head += [f"pipeline_tag: {'audio' if heard else 'image'}-classification"] if classifies else []
    does = [f"It tells {len(saved.classes)} classes apart: {', '.join(saved.classes)}."] if classifies else []
    return "\n".join(
        [
            *head,
            "---",
            "",
            f"# {architecture(saved)[1]}, written by kakera {kakera.__version__}",
            "",
            f"It takes spectrograms of {inputs.height} mel bands and {inputs.width} frames."
            if heard
            else f"It takes {inputs.channels} channels of {inputs.height} × {inputs.width} pixels. "
            "`preprocessor_config.json` stretches pictures to this size; kakera cuts the middle out.",
            *does,
            "",
            "Its licence is that of the pictures and weights it was made from.",
            "",
        ]
    )


def _require_expressible(saved: Saved) -> None:
    model = saved.model
    if isinstance(model, ResNet):
        _refuse("a CNN")
    shape, size = saved.encoder.shape, saved.encoder.size
    if shape.kind.layer_scale or shape.kind.gated:
        _refuse("layer scale or an MLP with a gate")
    if _heard(saved):
        _require_ast(saved)
        return
    if saved.inputs.sound is not None:
        _refuse("recordings without AST's two tokens")
    if shape.registers:
        _refuse("registers or a distillation token")
    if shape.step != shape.patch:
        _refuse("patches that overlap")
    if isinstance(model, Classifier) and model.pool != "class":
        _refuse("a classifier of the mean of the patches; fine-tune with --pool class for one that can be")
    if not isinstance(model, MaskedAutoencoder):
        return
    if model.gradients:
        _refuse("a decoder that predicts gradients beside pixels")
    if model.decoder.shape.cross:
        _refuse("a decoder that asks the encoder's tokens alone")
    if shape.patch[0] != shape.patch[1] or size[0] != size[1]:
        _refuse("an autoencoder of pictures or patches that are not square")
    if model.decoder.shape.kind.ratio_of(1, 1) != shape.kind.ratio_of(1, 1):
        _refuse("a decoder whose layers are of another kind than the encoder's")


def _require_ast(saved: Saved) -> None:
    model, inputs = saved.model, saved.inputs
    if inputs.sound != replace(PRESETS["ast"], bins=inputs.height):
        _refuse("another front end than AST's")
    if inputs.blank is None:
        _refuse("recordings whose padding is not looked at")
    if isinstance(model, Classifier) and (
        model.pool != "halves" or model.head_epsilon != saved.encoder.shape.kind.epsilon
    ):
        _refuse("a head that is not AST's, or whose norm has another epsilon than its layers")
    patch = saved.encoder.shape.patch
    if patch[0] != patch[1]:
        _refuse("patches that are not square")


def _refuse(got: str) -> NoReturn:
    raise RunError(
        sentence(
            "transformers",
            got=got,
            expected="what its ViT, ViTMAE or AST can say",
            do="choose another model or another format",
        )
    )


def _pair(value: tuple[int, int]) -> int | list[int]:
    return value[0] if value[0] == value[1] else list(value)


def _json(content: dict[str, Any]) -> bytes:
    return json.dumps(content, indent=2, ensure_ascii=False).encode() + b"\n"
