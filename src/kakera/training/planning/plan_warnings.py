"""What a plan warns of, before hours are spent: patches, speed, steps, a start that knows nothing."""

from __future__ import annotations

from kakera.formats.published import FIRST, knows_more, published
from kakera.training.planning.next_commands import command
from kakera.training.planning.rules import DataFacts, Verb

MOST_TOKENS = 1024  # patches of a sample: with more, attention and memory grow out of hand
FEW_STEPS = 100  # fewer teach a network nothing
SLOW = 5.0  # samples a second


def plan_warnings(
    verb: Verb, facts: DataFacts, data: str, *, tokens: int, rate: float, steps: int, epochs: float
) -> dict[str, str]:
    """Return a sentence for each thing that is likely to be regretted, by its kind.

    `tokens` are patches of a sample, `rate` samples a second, `epochs` passes over the data.
    """
    things, found = facts.things, dict[str, str]()
    smaller = _smaller(verb, facts)
    if tokens > MOST_TOKENS:
        found["patches"] = f"{tokens:,} patches a {things.removesuffix('s')} are very many: choose {smaller}"
    if rate < SLOW:
        found["speed"] = f"this machine trains on {rate:.1f} {things} a second: choose {smaller}"
    if steps < FEW_STEPS:
        teach = "teaches" if steps == 1 else "teach"
        found["steps"] = f"{_counted(steps, 'step')} {teach} a network little: raise --epochs or --time"
    if epochs < 1:
        found["epochs"] = (
            f"only {max(1, round(100 * epochs))} % of the {things} will be seen, once: "
            f"raise --epochs or --time, or choose {smaller}"
        )
    if verb != "finetune" and facts.classes > 1:
        found |= _start(facts, data)
    return found


def _start(facts: DataFacts, data: str) -> dict[str, str]:
    side = max(facts.size)
    if not knows_more(facts.things, facts.count, side):
        return {}
    first = published(FIRST["recordings" if facts.recordings else "pictures"])
    many = _counted(facts.count, facts.things.removesuffix("s"))
    many += f" of about {side} pixels" if side else ""
    instead = f"{command('finetune', data, '--init-from', first.name)} ({first.facts()})"
    return {"start": f"{many} are few to learn from alone, published weights know more: {instead}"}


def _smaller(verb: Verb, facts: DataFacts) -> str:
    """What makes a step cheaper; patches and network of a start are as they are."""
    image = "fewer --seconds" if facts.recordings else "a smaller --image-size"
    if verb == "finetune":
        return f"{image} or a smaller network to start from"
    return f"{image}, a larger --patch or a smaller network (--model)"


def _counted(count: int, thing: str) -> str:
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
