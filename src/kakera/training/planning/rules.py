"""Rules that choose network, picture size and length of training. Does not import torch.

They depend on the data, the machine and the time. docs/defaults.md explains them; a test lists their choices.
They never change an option from the command line or from a named recipe.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from kakera.machine import Machine
from kakera.model.configs import SIZES
from kakera.training.planning.costs import StepCost, classifier_cost, mae_cost
from kakera.training.recipes import read_recipe

Verb = Literal["pretrain", "finetune", "scratch"]

SMALL = 64  # pixels: pictures up to this size are not resized
LARGE = 224  # pixels: the papers' size, for larger pictures if the recipe sets none
FINE = 40  # pixels: patches have 4 pixels up to this size, 8 pixels above
LIMIT = 30 * 60.0  # seconds: time limit if the user sets no length
LEAST_EPOCHS = 5.0  # a network is too large if the time is too short for this many epochs
MOST_EPOCHS = 800.0  # of pretraining, as in the MAE paper
MANY = 500_000  # from this many small pictures on, a larger network is worth its time
SEEN = {"few": 150_000, "micro": 150_000, "audio-micro": 100_000}  # least samples over all epochs
BF16 = "this processor is fast in bf16; --precision 32-true for float32"
SHORTEST = 1.0  # seconds: shortest window for recordings


@dataclass(frozen=True)
class DataFacts:
    """Facts about a data set.

    `size` is the median (height, width) in pixels. For recordings, `seconds` is the length that 90 % of
    them do not exceed.

    Example:

        >>> DataFacts(1000, size=(28, 28)).noun
        'pictures'
    """

    count: int
    """Number of training samples."""
    size: tuple[int, int] = (0, 0)
    channels: int = 3
    recordings: bool = False
    seconds: float = 0.0
    held_out: int = 0
    """Number of evaluation samples."""
    classes: int = 0
    readable: bool = True
    """True if at least one of the checked headers is readable."""

    @property
    def noun(self) -> str:
        """The word for the samples: pictures or recordings."""
        return "recordings" if self.recordings else "pictures"


@dataclass(frozen=True)
class NetworkChoice:
    """A network for pictures above 64 pixels, and the least number of pictures for it.

    `image` and `patch` are sides in pixels. See `LADDER`.
    """

    size: str
    image: int
    patch: int
    pictures: int


LADDER = (
    NetworkChoice("micro", 64, 8, 0),
    NetworkChoice("micro", 96, 8, 10_000),
    NetworkChoice("mini", 128, 16, 20_000),
    NetworkChoice("tiny", 160, 16, 50_000),
    NetworkChoice("small", 224, 16, 200_000),
    NetworkChoice("base", 224, 16, 1_000_000),
)


@dataclass(frozen=True)
class Recommendation:
    """The recipe, the options that the rules change in it, and a reason for each. See `choose`."""

    recipe: str
    values: dict[str, Any] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)


def choose(
    verb: Verb, facts: DataFacts, machine: Machine, time: float = 0.0, given: Mapping[str, Any] | None = None
) -> Recommendation:
    """Choose recipe and options.

    `time` is the time limit in seconds, 0 for none. `given` contains the options of the user.
    Fine-tuning keeps the network and the picture size of the initial model; the rules choose only its length.

    Example:

        >>> machine = Machine(cores=2, memory=8 * 2**30, gflops=160.0)
        >>> choose("pretrain", DataFacts(60_000, size=(28, 28)), machine).recipe
        'micro'
    """
    given = given or {}
    choice = _network(verb, facts, machine, time, given)
    if machine.halves and not machine.gpu and "precision" not in given:
        values = {"precision": "bf16-mixed", **choice.values}
        choice = replace(choice, values=values, reasons={**choice.reasons, "precision": BF16})
    return choice


def _network(
    verb: Verb, facts: DataFacts, machine: Machine, time: float, given: Mapping[str, Any]
) -> Recommendation:
    """Return recipe, network, picture size and length."""
    if facts.recordings:
        return _lengthened(verb, facts, _recordings(facts), time, given)
    if verb == "finetune":
        size = given.get("image_size") or max(facts.size)
        return Recommendation(
            "micro" if size <= SMALL else "few" if facts.count < LADDER[-2].pictures else "paper"
        )
    if max(facts.size) <= SMALL and not given.get("image_size", 0) > SMALL:
        choice = _small(verb, facts, given)
    else:
        choice = _large(verb, facts, machine, time, given)
    return _lengthened(verb, facts, choice, time, given)


def seconds_of(verb: Verb, row: NetworkChoice, facts: DataFacts, machine: Machine, epochs: float) -> float:
    """Return the seconds that `epochs` epochs of a row of `LADDER` take on a machine.

    Example:

        >>> machine = Machine(cores=2, memory=8 * 2**30, gflops=160.0)
        >>> facts = DataFacts(1000, size=(400, 400))
        >>> one, two = (seconds_of("pretrain", LADDER[0], facts, machine, n) for n in (1, 2))
        >>> two / one
        2.0
    """
    cost = cost_of(verb, row.size, (row.image, row.image), (row.patch, row.patch), facts)
    return cost.seconds(machine.gflops) * facts.count * epochs


def cost_of(
    verb: Verb, size: str, image: tuple[int, int], patch: tuple[int, int], facts: DataFacts
) -> StepCost:
    """Return the cost of one picture in a training step of a Vision Transformer of a named `size`.

    `image` and `patch` are (height, width) in pixels.

    Example:

        >>> cost_of("scratch", "micro", (64, 64), (8, 8), DataFacts(1000)).tokens
        65
    """
    shape = SIZES[size].with_patch(patch)
    if verb == "pretrain":
        return mae_cost(shape, image, facts.channels, 0.75)
    return classifier_cost(shape, image, facts.channels, max(facts.classes, 2))


def _small(verb: Verb, facts: DataFacts, given: Mapping[str, Any]) -> Recommendation:
    side = given.get("image_size", 0) or max(facts.size)
    values: dict[str, Any] = {}
    patch = 4 if side <= FINE else 8
    reasons = {"model": f"pictures of {side} pixels are not resized; patches of {patch} pixels"}
    if patch != 4:
        values["patch"] = (patch,)
    if facts.count >= MANY:
        values["model"] = "mini"
        reasons["model"] += f"; {facts.count:,} pictures are enough for a larger network"
    return Recommendation("micro", values, reasons)


def _large(
    verb: Verb, facts: DataFacts, machine: Machine, time: float, given: Mapping[str, Any]
) -> Recommendation:
    """Choose the largest network for which there are enough pictures and time.

    A network or an image size in `given` restricts the choice.
    """
    allowed = [row for row in LADDER if row.pictures <= facts.count]
    span = time or LIMIT
    fitting = [row for row in allowed if seconds_of(verb, row, facts, machine, LEAST_EPOCHS) <= span]
    row = fitting[-1] if fitting else LADDER[0]
    if row is LADDER[-1]:
        why = "enough pictures and time for the papers' network"
    elif row is allowed[-1]:
        why = f"{facts.count:,} pictures are too few for a larger network"
    else:
        why = "a larger network needs more time (--time) or a faster machine"
    values: dict[str, Any] = {"model": row.size, "image_size": row.image, "patch": (row.patch,)}
    if given.get("image_size"):
        values["patch"] = (_patch_for(int(given["image_size"])),)
    recipe = "paper" if row.size in ("small", "base") else "few"
    size = given.get("model", row.size)
    image, patch = given.get("image_size", row.image), (given.get("patch") or values["patch"])
    text = f"{size} at {image} pixels, patches of {' x '.join(map(str, patch))}: {why}"
    return Recommendation(recipe, values, {"model": text})


def _patch_for(image: int) -> int:
    """Return the patch side: 4 pixels up to 40, 8 up to 112, 16 above (196 patches at 224)."""
    return 4 if image <= FINE else 8 if image <= 112 else 16


def _recordings(facts: DataFacts) -> Recommendation:
    """Choose the window: 3.2 seconds as in the recipe, or less if 90 % of the recordings are shorter."""
    if not 0 < facts.seconds < 3.2:
        return Recommendation("audio-micro", {}, {})
    seconds = max(SHORTEST, round(facts.seconds + 0.05, 1))
    return Recommendation(
        "audio-micro",
        {"seconds": min(seconds, 3.2)},
        {"window": f"90 % of the recordings have at most {facts.seconds:.1f} s"},
    )


def _lengthened(
    verb: Verb, facts: DataFacts, choice: Recommendation, time: float, given: Mapping[str, Any]
) -> Recommendation:
    """Choose the epochs of pretraining so that the network sees enough samples, counting repetitions.

    With a time limit, it is the number of epochs of the MAE paper; the limit cuts it later.
    """
    seen = SEEN.get(choice.recipe)
    if verb != "pretrain" or seen is None or "epochs" in given:
        return choice
    own = float(read_recipe(verb, choice.recipe).get("epochs", MOST_EPOCHS))
    epochs = MOST_EPOCHS if time else min(MOST_EPOCHS, max(own, round(seen / max(facts.count, 1))))
    if epochs == own:
        return choice
    why = "uses the whole time limit" if time else f"repeats {facts.count:,} {facts.noun}"
    return Recommendation(
        choice.recipe, {**choice.values, "epochs": epochs}, {**choice.reasons, "length": why}
    )
