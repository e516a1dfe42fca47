"""Network benchmarks: a pretraining step, a classifier step, and inference, on the same pictures for all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from kakera.bench.contest import OURS, Contender, Work
from kakera.bench.peers import CLASSIFIERS, MAES, Peer, installed, steps
from kakera.bench.runtimes import RUNTIMES, graphs
from kakera.bench.where import COMPILED, CPU, Device
from kakera.data.batch import Batch
from kakera.formats.bundle import Pretrained
from kakera.formats.native import seeded_generator
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.configs import SIZES, ViTConfig
from kakera.model.mae import MAE
from kakera.model.vit import ViT
from kakera.study.costs import forward_flops, step_flops
from kakera.training.options import PretrainOptions
from kakera.training.tasks import Pretraining

HIDE, PREDICTED, CLASSES = 0.75, 0.25, 1000
FAST = f"{OURS}, fast decoder"


def vit(size: str, patch: int) -> ViTConfig:
    """Return the configuration of a model size with another patch.

    Example:

        >>> vit("nano", 8).patch
        (8, 8)
    """
    return SIZES[size].with_patch((patch, patch))


def mae_step(_: Path, *, size: str, patch: int, side: int, batch: int, where: Device = CPU) -> Work:
    """Return the contenders for a pretraining step.

    The fast one is kakera with the cross decoder, which predicts a quarter of the hidden patches.
    """
    shape = vit(size, patch)
    available, absent = installed(MAES)
    names = (OURS, FAST, *(way for who in available for way in where.variants(who)))
    contenders = [Contender(who, mae(who, shape, side, batch, where)) for who in names]
    flops = step_flops(Pretrained(_mae(shape, side, cross=False), _inputs(side)), HIDE)
    return where.repeat(Work(contenders, batch, flops=flops, not_installed=absent))


def mae(who: str, shape: ViTConfig, side: int, batch: int, where: Device = CPU) -> Callable[[], object]:
    """Return the pretraining step of a contender: OURS, FAST, or another library. Raises ImportError."""
    pictures, library = where.to(_pictures(side, batch)), who.removesuffix(COMPILED)
    if library in MAES:
        peer = MAES[library](shape, side, HIDE)
        if who != library:
            where.compile(peer.model)
        return steps(where.to(peer.model), where.autocast(lambda: peer.run(pictures)))
    model = where.to(_mae(shape, side, cross=who == FAST))
    where.compile(model)
    options = PretrainOptions("", mask_ratio=HIDE, predicted=PREDICTED if who == FAST else 1.0)
    masks = Pretraining(model, _inputs(side), options).masks
    drawn = Batch(pictures, None, torch.arange(batch), 0, 0)
    return steps(model, where.autocast(lambda: model(pictures, masks(drawn))))


def vit_step(_: Path, *, size: str, patch: int, side: int, batch: int, where: Device = CPU) -> Work:
    """Return the contenders for a training step of a classifier."""
    pictures, labels = where.to(_pictures(side, batch)), where.to(torch.arange(batch) % CLASSES)
    ours = _classifier(vit(size, patch), side)
    flops = 3 * forward_flops(Pretrained(ours, _inputs(side), _names()))
    available, absent = installed(CLASSIFIERS)
    contenders: list[Contender] = []
    for name in (OURS, *(way for who in available for way in where.variants(who))):
        library = name.removesuffix(COMPILED)
        maker = CLASSIFIERS.get(library)
        peer = Peer(OURS, ours, ours) if maker is None else maker(vit(size, patch), side, CLASSES)
        if name in (OURS, library + COMPILED):
            where.compile(peer.model)
        loss = where.autocast(_cross_entropy(peer, pictures, labels))
        contenders.append(Contender(name, steps(where.to(peer.model), loss)))
    return where.repeat(Work(contenders, batch, flops=flops, not_installed=absent))


def inference(place: Path, *, size: str, patch: int, side: int, batch: int) -> Work:
    """Return the contenders for inference: float32 in PyTorch and other runtimes, and kakera in int8."""
    pictures, ours = _pictures(side, batch), _classifier(vit(size, patch), side).eval()
    saved = Pretrained(ours, _inputs(side), _names())
    flops = forward_flops(saved)
    contenders = [Contender(OURS, _scores(ours, ours, pictures))]
    available, absent = installed((*CLASSIFIERS, *RUNTIMES))
    for who in available:
        if who in CLASSIFIERS:
            peer = CLASSIFIERS[who](vit(size, patch), side, CLASSES)
            contenders.append(Contender(peer.name, _scores(peer.model.eval(), peer.run, pictures)))
    contenders += graphs(
        saved, place, saved.inputs.denormalize(pictures), [who for who in available if who in RUNTIMES]
    )
    return Work(contenders, batch, flops=flops, not_installed=absent)


def _pictures(side: int, batch: int) -> Tensor:
    return torch.randn(batch, 3, side, side, generator=seeded_generator(0))


def _inputs(side: int) -> InputSpec:
    return InputSpec(3, side, side, (0.5,) * 3, (0.5,) * 3)


def _names() -> tuple[str, ...]:
    return tuple(map(str, range(CLASSES)))


def _mae(shape: ViTConfig, side: int, *, cross: bool) -> MAE:
    draws = seeded_generator(0)
    encoder = ViT(shape, channels=3, image_size=side, seed=draws)
    return MAE(encoder, replace(shape.decoder, cross=cross), seed=draws)


def _classifier(shape: ViTConfig, side: int) -> Classifier:
    draws = seeded_generator(0)
    encoder = ViT(shape, channels=3, image_size=side, learned=True, seed=draws)
    return Classifier(encoder, CLASSES, "class", seed=draws)


def _cross_entropy(peer: Peer, pictures: Tensor, labels: Tensor) -> Callable[[], Tensor]:
    return lambda: functional.cross_entropy(peer.run(pictures), labels)


def _scores(model: nn.Module, run: Callable[[Tensor], Tensor], pictures: Tensor) -> Callable[[], object]:
    assert not model.training

    def score() -> Tensor:
        with torch.inference_mode():
            return run(pictures)

    return score
