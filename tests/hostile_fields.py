"""Descriptions damaged field by field: `python -m tests.hostile_fields --count 2000` reads them.

`kakera.json`, the `config.json` of transformers and timm, the description beside a graph of ONNX, and the
headers of safetensors files. What is read must also compute: finite numbers, one of each class. The limits
are those of `tests.hostile`: 1 GB, 5 seconds, one line that names the file.
"""

import copy
import importlib.util
import json
import random
import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kakera.formats.bundle import Pretrained
from kakera.formats.foreign import timm_writer, transformers_writer
from kakera.formats.foreign.ast_inputs import spectrograms
from kakera.formats.load import load
from kakera.formats.native import DESCRIPTION, WEIGHTS, save_model
from kakera.formats.onnx import export
from kakera.formats.onnx.model import CONFIG, open_onnx
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.configs import vit_config
from kakera.model.resnet import ResNet
from kakera.model.vit import ViT
from tests.hostile import Kind, main
from tests.web.runs import CLASSES, autoencoder, classifier, cnn

ODD: list[Any] = [
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        2,
        3,
        7,
        16,
        255,
        10**6,
        2**31,
        2**63,
        10**30,
        -0.5,
        0.1,
        1e-40,
        1e38,
        1e308,
    ),
    *(float("nan"), float("inf"), -float("inf"), "", "x", "3", "../x", "\ud800", "\0", "a" * 10_000),
    *([], {}, [1], [0, 0], [-1, 5], [[]], [None], [2**40, 2**40], {"a": 1}, ["x"] * 3),
]


def places(tree: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to each value inside."""
    inside = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in inside:
        yield (*path, key)
        yield from places(value, (*path, key))


def changed(tree: Any, draw: random.Random) -> Any:
    """The same with one to three values, names or lists changed."""
    tree = copy.deepcopy(tree)
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        found = [*places(tree)]
        if not found:
            return draw.choice(ODD)
        path = draw.choice(found)
        holder = tree
        for key in path[:-1]:
            holder = holder[key]
        key = path[-1]
        kind, value = draw.randrange(8), holder[key]
        if kind == 0:
            del holder[key]
        elif kind == 1 and isinstance(holder, dict):
            holder[draw.choice(("", "x", f"{key} ", f"{key}".upper()))] = holder.pop(key)
        elif kind == 2:
            holder[key] = copy.deepcopy(draw.choice([*_values(tree, found)]))
        elif kind == 3 and isinstance(value, list):
            holder[key] = draw.choice((value * 2, value[:-1], value * 300, value[::-1], [value]))
        elif kind == 4 and isinstance(value, int | float):
            holder[key] = draw.choice(
                (value * 2, value + 1, -value, value / 3, str(value), [value], value * 1000)
            )
        elif kind == 5 and isinstance(value, str):
            holder[key] = draw.choice((value * 2, value[:-1], value.upper(), [value], value + "\n"))
        else:
            holder[key] = copy.deepcopy(draw.choice(ODD))
    return tree


def _values(tree: Any, paths: list[tuple[Any, ...]]) -> Iterator[Any]:
    for path in paths:
        value = tree
        for key in path:
            value = value[key]
        yield value


def fields(content: bytes, draw: random.Random) -> bytes:
    """A JSON file with fields changed."""
    return json.dumps(changed(json.loads(content), draw)).encode()


def reread(tree: dict[str, Any], draw: random.Random) -> None:
    """Tensors that are said to be of another type, shape, place or name, each of which the file can hold."""
    names = [name for name in tree if name != "__metadata__"]
    one, other = draw.sample(names, 2)
    kind, tensor = draw.randrange(5), tree[one]
    if kind == 0:
        tensor["dtype"] = draw.choice(("I32", "U32"))
    elif kind == 1:
        tensor["shape"] = [*tensor["shape"][:-1], 2 * tensor["shape"][-1]] if tensor["shape"] else []
        tensor["dtype"] = draw.choice(("F16", "BF16", "I16"))
    elif kind == 2:
        tensor["shape"] = draw.choice(
            (tensor["shape"][::-1], [*tensor["shape"], 1], [int(np.prod(tensor["shape"]))])
        )
    elif kind == 3:
        tree[one], tree[other] = tree[other], tree[one]
    else:
        same = [name for name in names if tree[name]["shape"] == tensor["shape"]]
        other = draw.choice(same)
        tree[one], tree[other] = tree[other], tree[one]


def header(content: bytes, draw: random.Random) -> bytes:
    """A safetensors file with fields of its header changed; in half of them without its checksum."""
    (length,) = struct.unpack("<Q", content[:8])
    tree = json.loads(content[8 : 8 + length])
    if draw.random() < 0.5:
        tree.pop("__metadata__", None)
    if draw.random() < 0.5:
        reread(tree, draw)
    else:
        tree = changed(tree, draw)
    text = json.dumps(tree).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + content[8 + length :]


def heard() -> Pretrained:
    """A classifier of recordings."""
    encoder = ViT(replace(vit_config("nano"), patch=(16, 16)), channels=1, image_size=(32, 64))
    model = Classifier(encoder, len(CLASSES))
    model.reset_parameters(torch.Generator().manual_seed(0))
    return Pretrained(model.eval(), replace(spectrograms(64, -4.0, 4.0, 32), blank=None), CLASSES)


def coloured() -> Pretrained:
    """A classifier of colour pictures, as other libraries have them."""
    encoder = ViT(replace(vit_config("nano"), patch=(16, 16)), channels=3, image_size=(32, 32))
    model = Classifier(encoder, len(CLASSES))
    model.reset_parameters(torch.Generator().manual_seed(0))
    return Pretrained(model.eval(), InputSpec(3, 32, 32, (0.5,) * 3, (0.5,) * 3), CLASSES)


def something(inputs: InputSpec) -> Any:
    """A picture or a recording that a model with these inputs takes."""
    if inputs.sound is not None:
        return np.zeros(inputs.sound.rate, np.float32), inputs.sound.rate
    return np.zeros((*inputs.size, inputs.channels), np.uint8)


def compute(folder: Path) -> None:
    """Load the model and ask it something. Raises AssertionError where the answer is none."""
    saved = load(folder)
    with torch.inference_mode():
        given = saved.prepare(something(saved.inputs))[:1]
        inside = isinstance(saved.model, Classifier | ResNet)
        found = saved.model(given) if inside else saved.encoder(given)
    assert torch.isfinite(found).all(), "not finite"
    assert not inside or found.shape == (1, len(saved.classes)), found.shape


def compute_graph(folder: Path) -> None:
    """The same with a graph of ONNX."""
    model = open_onnx(folder)
    sound = model.inputs.sound
    if sound is None:
        found = model.probabilities(torch.zeros(1, model.inputs.channels, *model.inputs.size))
    else:
        length = sound.samples(model.inputs.width)
        found = model.probabilities(torch.zeros(1, length), torch.tensor([length]))
    assert torch.isfinite(found).all(), "not finite"
    assert found.shape == (1, len(model.classes)), found.shape


def placed(root: Path, name: str, files: dict[str, bytes]) -> None:
    """These files in a folder of this name."""
    (root / name).mkdir(exist_ok=True)
    for file, content in files.items():
        (root / name / file).write_bytes(content)


def kinds(root: Path) -> dict[str, Kind]:
    """All kinds, damaged field by field."""
    found: dict[str, Kind] = {}

    def add(name: str, file: str, mutate: Callable[[bytes, random.Random], bytes], reader: Any) -> None:
        path = root / name / file
        found[name] = Kind([path.read_bytes()], f"{name}/{file}", lambda path: reader(path.parent), mutate)

    models = {"mae": autoencoder(), "classifier": classifier(), "cnn": cnn(), "sound": heard()}
    for name, saved in models.items():
        save_model(root / f"{name} description", saved)
        add(f"{name} description", DESCRIPTION, fields, compute)
    for name in ("mae", "classifier"):
        save_model(root / f"{name} header", models[name])
        add(f"{name} header", WEIGHTS, header, compute)
    for name, write in (("transformers", transformers_writer.files), ("timm", timm_writer.files)):
        for part, file, mutate in (("config", CONFIG, fields), ("header", WEIGHTS, header)):
            placed(root, f"{name} {part}", write(coloured()))
            add(f"{name} {part}", file, mutate, compute)
    if all(map(importlib.util.find_spec, ("onnx", "onnxscript", "onnxruntime"))):
        for name, saved in (("picture graph", classifier()), ("sound graph", heard())):
            placed(root, name, export.files(saved))
            add(name, CONFIG, fields, compute_graph)
            compute_graph(root / name)
    return found


if __name__ == "__main__":
    sys.exit(main(kinds, __doc__))
