"""What is measured: each case builds its contenders, which do the same work on the same pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from kakera import chance
from kakera.bench.contest import OURS, Contender
from kakera.bench.peers import Peer, classifiers, masked_autoencoders, steps
from kakera.errors import OptionError, sentence
from kakera.formats.native import Saved, generator
from kakera.inputs import InputSpec
from kakera.model.classifier import Classifier
from kakera.model.encoder import Encoder
from kakera.model.mae import MaskedAutoencoder
from kakera.model.masking import MASKINGS, among
from kakera.model.sizes import SIZES, VitShape
from kakera.study.expense import forward_flops, step_flops

HIDE, PREDICTED, CLASSES = 0.75, 0.25, 1000


@dataclass(frozen=True)
class Work:
    """Contenders, how many pictures each works on at a time, and the operations that ours needs for one."""

    contenders: list[Contender]
    pictures: int
    flops: int


@dataclass(frozen=True)
class Case:
    """A row of the table: what is done, with which network, on how many pictures of what size."""

    build: Callable[[VitShape, int, int], Work]
    shape: VitShape
    side: int
    batch: int
    says: str


def mae_step(shape: VitShape, side: int, batch: int) -> Work:
    """A step of pretraining; the fast one is ours with the cross decoder on a quarter of what is hidden."""
    pictures = _pictures(side, batch)
    plain, fast = (_mae(shape, side, cross=cross) for cross in (False, True))
    grid = plain.encoder.grid
    noise = chance.uniform(0, 0, range(batch), "mask", grid.count)
    places = MASKINGS["random"](noise, grid, HIDE)
    hidden = torch.from_numpy(places)
    asked = torch.from_numpy(among(noise, places, PREDICTED))
    contenders = [
        Contender(OURS, steps(plain, lambda: plain(pictures, hidden))),
        Contender("kakera, fast decoder", steps(fast, lambda: fast(pictures, hidden, asked=asked))),
        *(_trained(peer, pictures) for peer in masked_autoencoders(shape, side, HIDE)),
    ]
    return Work(contenders, batch, step_flops(Saved(plain, _inputs(side)), HIDE))


def vit_step(shape: VitShape, side: int, batch: int) -> Work:
    """A step of training a classifier."""
    pictures, labels = _pictures(side, batch), torch.arange(batch) % CLASSES
    ours = _classifier(shape, side)
    contenders = [Contender(OURS, steps(ours, lambda: functional.cross_entropy(ours(pictures), labels)))]
    for peer in classifiers(shape, side, CLASSES):
        contenders.append(_trained(replace(peer, run=_cross_entropy(peer.run, labels)), pictures))
    return Work(contenders, batch, 3 * forward_flops(Saved(ours, _inputs(side), _names())))


def inference(shape: VitShape, side: int, batch: int) -> Work:
    """Scores of a batch, in the precision of training."""
    pictures, ours = _pictures(side, batch), _classifier(shape, side)
    contenders = [Contender(OURS, _scores(ours.eval(), ours, pictures))]
    for peer in classifiers(shape, side, CLASSES):
        contenders.append(Contender(peer.name, _scores(peer.model.eval(), peer.run, pictures)))
    return Work(contenders, batch, forward_flops(Saved(ours, _inputs(side), _names())))


_TINY_4 = SIZES["tiny"].with_patch((4, 4))

CASES: dict[str, Case] = {
    "mae-step": Case(mae_step, SIZES["base"], 224, 8, "step of pretraining, ViT-B/16, 224 pixels"),
    "mae-step-tiny": Case(mae_step, _TINY_4, 32, 32, "step of pretraining, ViT-Ti/4, 32 pixels"),
    "vit-step": Case(vit_step, SIZES["base"], 224, 4, "step of a classifier, ViT-B/16, 224 pixels"),
    "inference-1": Case(inference, SIZES["base"], 224, 1, "scores, ViT-B/16, 224 pixels"),
    "inference-16": Case(inference, SIZES["base"], 224, 16, "scores, ViT-B/16, 224 pixels"),
}


def case_of(name: str) -> Case:
    """The row of a name. Raises OptionError for an unknown one."""
    if name not in CASES:
        raise OptionError(
            sentence("case", got=name, expected="one of " + ", ".join(CASES), do="choose one of these")
        )
    return CASES[name]


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


def _trained(peer: Peer, pictures: Tensor) -> Contender:
    return Contender(peer.name, steps(peer.model, lambda: peer.run(pictures)))


def _cross_entropy(run: Callable[[Tensor], Tensor], labels: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda pictures: functional.cross_entropy(run(pictures), labels)


def _scores(model: nn.Module, run: Callable[[Tensor], Tensor], pictures: Tensor) -> Callable[[], object]:
    assert not model.training

    def score() -> Tensor:
        with torch.inference_mode():
            return run(pictures)

    return score
