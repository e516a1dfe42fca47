"""Warnings of a plan: too many patches, slow training, slow bf16, few steps, no pretrained weights."""

from __future__ import annotations

from kakera.formats.published import FIRST, is_recommended, published
from kakera.matrix_rate import is_bf16_supported
from kakera.training.planning.next_commands import command
from kakera.training.planning.rules import DataFacts, Verb

MOST_TOKENS = 1024  # patches per sample: above this, time and memory of attention become too large
FEW_STEPS = 100  # with fewer steps a network learns nothing
SLOW = 5.0  # samples per second


def plan_warnings(
    verb: Verb, facts: DataFacts, data: str, *, tokens: int, rate: float, steps: int, epochs: float
) -> dict[str, str]:
    """Return a warning for each likely problem, by its kind.

    `tokens` is the number of patches per sample, `rate` the number of samples per second, `epochs` the
    number of passes over the data.

    Example:

        >>> facts = DataFacts(60_000, size=(28, 28))
        >>> plan_warnings("pretrain", facts, "flowers", tokens=49, rate=100.0, steps=50, epochs=1)
        {'steps': '50 steps are too few to learn: raise --epochs or --time'}
    """
    things, warnings = facts.noun, dict[str, str]()
    smaller = _smaller(verb, facts)
    if tokens > MOST_TOKENS:
        warnings["patches"] = f"{tokens:,} patches per {things.removesuffix('s')} are too many: use {smaller}"
    if rate < SLOW:
        warnings["speed"] = f"this machine trains slowly ({rate:.1f} {things} per second): use {smaller}"
    if steps < FEW_STEPS:
        are = "is" if steps == 1 else "are"
        warnings["steps"] = f"{_counted(steps, 'step')} {are} too few to learn: raise --epochs or --time"
    if epochs < 1:
        warnings["epochs"] = (
            f"training will use only {max(1, round(100 * epochs))} % of the {things}, once: "
            f"raise --epochs or --time, or use {smaller}"
        )
    if verb != "finetune" and facts.classes > 1:
        warnings |= _start(facts, data)
    return warnings


def precision_warnings(precision: str, gpu: str) -> dict[str, str]:
    """Return a warning if training is in bf16 on a CPU without instructions for it. `gpu` is "" for a CPU.

    Example:

        >>> precision_warnings("32-true", ""), precision_warnings("bf16-mixed", "H200")
        ({}, {})
    """
    if not precision.startswith("bf16") or gpu or is_bf16_supported():
        return {}
    slow = "this processor has no instructions for bf16, and a step takes 10 times as long or more"
    return {"precision": f"{slow}: use --precision 32-true"}


def _start(facts: DataFacts, data: str) -> dict[str, str]:
    side = max(facts.size)
    if not is_recommended(facts.noun, facts.count, side):
        return {}
    first = published(FIRST["recordings" if facts.recordings else "pictures"])
    many = _counted(facts.count, facts.noun.removesuffix("s"))
    many += f" of about {side} pixels" if side else ""
    instead = f"{command('finetune', data, '--init-from', first.name)} ({first.facts()})"
    return {"start": f"{many} are few for training from scratch; start from published weights: {instead}"}


def _smaller(verb: Verb, facts: DataFacts) -> str:
    """Return options that make a step faster. Fine-tuning cannot change patches and network."""
    image = "fewer --seconds" if facts.recordings else "a smaller --image-size"
    if verb == "finetune":
        return f"{image} or a smaller pretrained network"
    return f"{image}, a larger --patch or a smaller network (--model)"


def _counted(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
