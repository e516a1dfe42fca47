"""Networks: a step of pretraining, a step of a classifier, scores; each on the same pictures for all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from kakera import chance
from kakera.bench.contest import OURS, Contender, Work
from kakera.bench.peers import CLASSIFIERS, MAES, Peer, installed, steps
from kakera.bench.runtimes import RUNTIMES, graphs
from kakera.formats.native import Saved, generator
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.encoder import Encoder
from kakera.model.mae import MaskedAutoencoder
from kakera.model.masking import MASKINGS, among
from kakera.model.sizes import SIZES, VitShape
from kakera.study.expense import forward_flops, step_flops

HIDE, PREDICTED, CLASSES = 0.75, 0.25, 1000
FAST = f"{OURS}, fast decoder"


def vit(size: str, patch: int) -> VitShape:
    """A row of the table of sizes with another patch."""
    return SIZES[size].with_patch((patch, patch))


def mae_step(_: Path, *, size: str, patch: int, side: int, batch: int) -> Work:
    """A step of pretraining; the fast one is ours with the cross decoder on a quarter of what is hidden."""
    shape = vit(size, patch)
    there, absent = installed(MAES)
    contenders = [Contender(who, mae(who, shape, side, batch)) for who in (OURS, FAST, *there)]
    flops = step_flops(Saved(_mae(shape, side, cross=False), _inputs(side)), HIDE)
    return Work(contenders, batch, flops=flops, absent=absent)


def mae(who: str, shape: VitShape, side: int, batch: int) -> Callable[[], object]:
    """The step of one of them, by name: OURS, FAST, or another library's. Raises ImportError."""
    pictures = _pictures(side, batch)
    if who in MAES:
        peer = MAES[who](shape, side, HIDE)
        return steps(peer.model, lambda: peer.run(pictures))
    model = _mae(shape, side, cross=who == FAST)
    noise = chance.uniform(0, 0, range(batch), "mask", model.encoder.grid.count)
    places = MASKINGS["random"](noise, model.encoder.grid, HIDE)
    hidden, asked = torch.from_numpy(places), None
    if who == FAST:
        noise = chance.uniform(0, 0, range(batch), "predicted", model.encoder.grid.count)
        asked = torch.from_numpy(among(noise, places, PREDICTED))
    return steps(model, lambda: model(pictures, hidden, asked=asked))


def vit_step(_: Path, *, size: str, patch: int, side: int, batch: int) -> Work:
    """A step of training a classifier."""
    pictures, labels = _pictures(side, batch), torch.arange(batch) % CLASSES
    ours = _classifier(vit(size, patch), side)
    there, absent = installed(CLASSIFIERS)
    peers = [CLASSIFIERS[who](vit(size, patch), side, CLASSES) for who in there]
    contenders = [
        Contender(peer.name, steps(peer.model, _cross_entropy(peer, pictures, labels)))
        for peer in (Peer(OURS, ours, ours), *peers)
    ]
    flops = 3 * forward_flops(Saved(ours, _inputs(side), _names()))
    return Work(contenders, batch, flops=flops, absent=absent)


def inference(place: Path, *, size: str, patch: int, side: int, batch: int) -> Work:
    """Scores of a batch: in float32, by PyTorch and by other runtimes, and ours in int8."""
    pictures, ours = _pictures(side, batch), _classifier(vit(size, patch), side).eval()
    saved = Saved(ours, _inputs(side), _names())
    flops = forward_flops(saved)
    contenders = [Contender(OURS, _scores(ours, ours, pictures))]
    there, absent = installed((*CLASSIFIERS, *RUNTIMES))
    for who in there:
        if who in CLASSIFIERS:
            peer = CLASSIFIERS[who](vit(size, patch), side, CLASSES)
            contenders.append(Contender(peer.name, _scores(peer.model.eval(), peer.run, pictures)))
    contenders += graphs(
        saved, place, saved.inputs.restore(pictures), [who for who in there if who in RUNTIMES]
    )
    return Work(contenders, batch, flops=flops, absent=absent)


def _pictures(side: int, batch: int) -> Tensor:
    return torch.randn(batch, 3, side, side, generator=generator(0))


def _inputs(side: int) -> InputSpec:
    return InputSpec(3, side, side, (0.5,) * 3, (0.5,) * 3)


def _names() -> tuple[str, ...]:
    return tuple(map(str, range(CLASSES)))


def _mae(shape: VitShape, side: int, *, cross: bool) -> MaskedAutoencoder:
    encoder = Encoder(shape, channels=3, size=(side, side))
    model = MaskedAutoencoder(encoder, replace(shape.decoder, cross=cross))
    model.initialise(generator(0))
    return model


def _classifier(shape: VitShape, side: int) -> Classifier:
    model = Classifier(Encoder(shape, channels=3, size=(side, side), learned=True), CLASSES, "class")
    model.initialise(generator(0))
    return model


def _cross_entropy(peer: Peer, pictures: Tensor, labels: Tensor) -> Callable[[], Tensor]:
    return lambda: functional.cross_entropy(peer.run(pictures), labels)


def _scores(model: nn.Module, run: Callable[[Tensor], Tensor], pictures: Tensor) -> Callable[[], object]:
    assert not model.training

    def score() -> Tensor:
        with torch.inference_mode():
            return run(pictures)

    return score
