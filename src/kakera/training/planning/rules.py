"""Which network, picture size and length of training suit the data, the machine and the time. No torch here.

The rules stand in docs/defaults.md in words; a table of what they choose is a test. What is given on the
command line, or by a recipe that is named, is never changed here.
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

SMALL = 64  # pixels: pictures up to here are taken as they are
LARGE = 224  # pixels: the papers' size, for larger pictures with a recipe that names none
FINE = 40  # pixels: up to here patches of 4 pixels, above of 8
LIMIT = 30 * 60.0  # seconds: of a training whose length nobody has chosen
LEAST_EPOCHS = 5.0  # a network is too large where the time is too short for so many
MOST_EPOCHS = 800.0  # of pretraining: the MAE paper's
MANY = 500_000  # small pictures that are worth a larger network
SEEN = {"few": 150_000, "micro": 150_000, "audio-micro": 100_000}  # samples seen in pretraining, at least
BF16 = "this processor is fast in it; --precision 32-true for float32"
SHORTEST = 1.0  # seconds of recordings


@dataclass(frozen=True)
class DataFacts:
    """What a data set is like. `size` is the median (height, width) in pixels; of recordings `seconds` is
    the length that nine of ten do not exceed.
    """

    count: int
    """Samples to train on."""
    size: tuple[int, int] = (0, 0)
    channels: int = 3
    recordings: bool = False
    seconds: float = 0.0
    held_out: int = 0
    """Samples that the result is measured on."""
    classes: int = 0
    readable: bool = True
    """Whether any of the headers that were looked at could be read."""

    @property
    def things(self) -> str:
        """What the samples are called."""
        return "recordings" if self.recordings else "pictures"


@dataclass(frozen=True)
class NetworkChoice:
    """A network for pictures above 64 pixels, and from how many of them on it is worth its time."""

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
    """The recipe, the options that the rules change of it, and a sentence for each."""

    recipe: str
    values: dict[str, Any] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)


def choose(
    verb: Verb, facts: DataFacts, machine: Machine, time: float = 0.0, given: Mapping[str, Any] | None = None
) -> Recommendation:
    """Choose recipe and options. `time` in seconds, 0 where nobody has named one; `given` is left as it is.

    A fine-tuning from a start keeps that network and its picture size; only its length is chosen.
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
    """Recipe, network, picture size and length."""
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
    """What training a row of the ladder for so many epochs takes on a machine, in seconds."""
    cost = cost_of(verb, row.size, (row.image, row.image), (row.patch, row.patch), facts)
    return cost.seconds(machine.gflops) * facts.count * epochs


def cost_of(
    verb: Verb, size: str, image: tuple[int, int], patch: tuple[int, int], facts: DataFacts
) -> StepCost:
    """Cost of one picture in a step of training a size of the table on pictures of `image` pixels."""
    shape = SIZES[size].with_patch(patch)
    if verb == "pretrain":
        return mae_cost(shape, image, facts.channels, 0.75)
    return classifier_cost(shape, image, facts.channels, max(facts.classes, 2))


def _small(verb: Verb, facts: DataFacts, given: Mapping[str, Any]) -> Recommendation:
    side = given.get("image_size", 0) or max(facts.size)
    values: dict[str, Any] = {}
    patch = 4 if side <= FINE else 8
    reasons = {"model": f"pictures of {side} pixels are taken as they are, in patches of {patch}"}
    if patch != 4:
        values["patch"] = (patch,)
    if facts.count >= MANY:
        values["model"] = "mini"
        reasons["model"] += f"; {facts.count:,} pictures are enough for a larger network"
    return Recommendation("micro", values, reasons)


def _large(
    verb: Verb, facts: DataFacts, machine: Machine, time: float, given: Mapping[str, Any]
) -> Recommendation:
    """The largest row that has pictures and time enough; a network or an image that is given narrows them."""
    allowed = [row for row in LADDER if row.pictures <= facts.count]
    span = time or LIMIT
    fitting = [row for row in allowed if seconds_of(verb, row, facts, machine, LEAST_EPOCHS) <= span]
    row = fitting[-1] if fitting else LADDER[0]
    if row is LADDER[-1]:
        why = "enough pictures and time for the papers' network"
    elif row is allowed[-1]:
        why = f"{facts.count:,} pictures are too few for more"
    else:
        why = "more would need more time (--time) or a faster machine"
    values: dict[str, Any] = {"model": row.size, "image_size": row.image, "patch": (row.patch,)}
    if given.get("image_size"):
        values["patch"] = (_patch_for(int(given["image_size"])),)
    recipe = "paper" if row.size in ("small", "base") else "few"
    size = given.get("model", row.size)
    image, patch = given.get("image_size", row.image), (given.get("patch") or values["patch"])
    text = f"{size} at {image} pixels, patches of {' x '.join(map(str, patch))}: {why}"
    return Recommendation(recipe, values, {"model": text})


def _patch_for(image: int) -> int:
    """Patches of 8 pixels up to 112, of 16 above: 64 to 196 patches a picture up to 224."""
    return 4 if image <= FINE else 8 if image <= 112 else 16


def _recordings(facts: DataFacts) -> Recommendation:
    """The recipe's window of 3.2 seconds, or a shorter one where nearly all recordings are shorter."""
    if not 0 < facts.seconds < 3.2:
        return Recommendation("audio-micro", {}, {})
    seconds = max(SHORTEST, round(facts.seconds + 0.05, 1))
    return Recommendation(
        "audio-micro",
        {"seconds": min(seconds, 3.2)},
        {"window": f"nine of ten recordings are no longer than {facts.seconds:.1f} s"},
    )


def _lengthened(
    verb: Verb, facts: DataFacts, choice: Recommendation, time: float, given: Mapping[str, Any]
) -> Recommendation:
    """Pretraining on few samples repeats them: what counts is how many are seen in all.

    With a time, as many epochs as the paper's, which the time then cuts.
    """
    seen = SEEN.get(choice.recipe)
    if verb != "pretrain" or seen is None or "epochs" in given:
        return choice
    own = float(read_recipe(verb, choice.recipe).get("epochs", MOST_EPOCHS))
    epochs = MOST_EPOCHS if time else min(MOST_EPOCHS, max(own, round(seen / max(facts.count, 1))))
    if epochs == own:
        return choice
    why = "all of the time is used" if time else f"{facts.count:,} {facts.things} are repeated"
    return Recommendation(
        choice.recipe, {**choice.values, "epochs": epochs}, {**choice.reasons, "length": why}
    )
