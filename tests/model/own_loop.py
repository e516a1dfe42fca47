"""What anybody does with a module of PyTorch, done with ours: prints a JSON object of what came of it.

A program of its own, since the shapes that are checked under test are not for the compiler.
"""

import copy
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

import kakera

IMAGES = torch.randn(4, 1, 28, 28, generator=torch.Generator().manual_seed(1))
HIDDEN = torch.arange(49).expand(4, -1) % 4 > 0
ABSENT = torch.stack([torch.arange(49) % 7 >= width for width in (7, 3, 5, 7)])
MASK, PADDED = kakera.MaskIndex.of(HIDDEN), kakera.MaskIndex.of(HIDDEN & ~ABSENT, ABSENT)


def mae(**given: Any) -> kakera.MAE:
    return kakera.MAE("nano", channels=1, image_size=28, seed=0, **given)


def small() -> kakera.MAE:
    layers = kakera.ViT("nano", channels=1, image_size=28).config
    return kakera.MAE(replace(layers, depth=1), channels=1, image_size=28, seed=0)


def close(found: Tensor, expected: Tensor) -> bool:
    return torch.allclose(found.detach(), expected.detach(), rtol=1e-4, atol=1e-5)


def learns(model: nn.Module, loss: Tensor) -> bool:
    model.zero_grad()
    loss.backward()
    return all(p.grad is not None and bool(p.grad.any()) for p in model.parameters() if p.requires_grad)


def compiles(backend: str, mask: kakera.MaskIndex | None, make: Callable[[], kakera.MAE] = mae) -> bool:
    model = make()
    made = torch.compile(model, backend=backend, fullgraph=True)
    loss = made(IMAGES, mask)
    return learns(model, loss) and (mask is None or close(loss, model(IMAGES, mask)))


def exports(model: nn.Module, *given: Any) -> bool:
    program = torch.export.export(model.eval(), (IMAGES, *given))
    return close(program.module()(IMAGES, *given), model(IMAGES, *given))


def parallel() -> bool:
    with tempfile.NamedTemporaryFile() as file:
        dist.init_process_group("gloo", init_method=f"file://{file.name}", rank=0, world_size=1)
        model = DistributedDataParallel(mae())
        alone = mae()
        same = close(model(IMAGES, MASK), alone(IMAGES, MASK))
        same = same and close(model(IMAGES, mask=PADDED), alone(IMAGES, PADDED))
        same = same and learns(model, model(IMAGES))
        dist.destroy_process_group()
    return same


def half() -> bool:
    losses = [model(IMAGES.to(torch.bfloat16), MASK) for model in (mae().bfloat16(),)]
    with torch.autocast("cpu", torch.bfloat16):
        losses.append(mae()(IMAGES, MASK))
    expected = mae()(IMAGES, MASK).item()
    scores = kakera.Classifier("nano", 10, channels=1, image_size=28).bfloat16()(IMAGES.bfloat16())
    return all(abs(x.item() / expected - 1) < 0.02 for x in losses) and bool(scores.isfinite().all())


def copied() -> bool:
    model = mae()
    twin = copy.deepcopy(model)
    before = twin(IMAGES, MASK)
    with torch.no_grad():
        model.encoder.patches.project.weight.zero_()
    return bool(torch.equal(before, twin(IMAGES, MASK)) and not torch.equal(before, model(IMAGES, MASK)))


def main(wanted: list[str]) -> None:
    vit = kakera.ViT("nano", channels=1, image_size=28, seed=0)
    checks = {
        "compiled with an index": lambda: compiles("aot_eager", MASK),
        "compiled with padding": lambda: compiles("aot_eager", PADDED),
        "compiled with its own mask": lambda: compiles("aot_eager", None),
        "by inductor": lambda: compiles("inductor", MASK, small),
        "exported encoder": lambda: exports(vit),
        "exported classifier": lambda: exports(kakera.Classifier(vit, classes=10, seed=0)),
        "exported CNN": lambda: exports(kakera.ResNet("resnet-nano", channels=1, classes=10, seed=0)),
        "exported autoencoder": lambda: exports(mae(), MASK),
        "exported autoencoder with padding": lambda: exports(mae(), PADDED),
        "distributed": parallel,
        "bfloat16": half,
        "copied": copied,
    }
    print(json.dumps({name: checks[name]() for name in wanted}))


if __name__ == "__main__":
    main(sys.argv[1:])
