"""Where the contenders of a case compute: on a CPU as they are; on a GPU in bf16, many steps a turn."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import TypeVar, cast

import torch
from torch import Tensor, nn

from kakera.bench.contest import Work
from kakera.training.layer_wrappers import layers_of

AT_ONCE = 10  # steps a turn on a GPU, which works behind the program's back: all are waited for together
COMPILED = ", compiled"

T = TypeVar("T", bound=nn.Module | Tensor)


@dataclass(frozen=True)
class Device:
    """A device, and what everyone does on it."""

    device: torch.device

    @property
    def is_gpu(self) -> bool:
        """Whether the program runs ahead of the device."""
        return self.device.type == "cuda"

    def to(self, thing: T) -> T:
        """A model or a tensor, there."""
        return cast(T, thing.to(self.device))

    def variants(self, who: str) -> tuple[str, ...]:
        """The names under which another library takes part: on a GPU as it is, and compiled."""
        return (who, who + COMPILED) if self.is_gpu else (who,)

    def compile(self, model: nn.Module) -> None:
        """On a GPU: ours as training compiles it, others as a whole."""
        if not self.is_gpu:
            return
        for part in layers_of(model) or [model]:
            part.compile()

    def autocast(self, loss: Callable[[], Tensor]) -> Callable[[], Tensor]:
        """In the precision that training takes there: float32, or on a GPU bf16 where that is enough."""

        def found() -> Tensor:
            with self._precision():
                return loss()

        return found

    def _precision(self) -> AbstractContextManager[object]:
        return torch.autocast("cuda", dtype=torch.bfloat16) if self.is_gpu else nullcontext()

    def repeat(self, work: Work) -> Work:
        """What a turn is: once on a CPU; on a GPU AT_ONCE times, until all of it is done."""
        if not self.is_gpu:
            return work
        contenders = [replace(one, work=_repeated(one.work)) for one in work.contenders]
        return replace(work, contenders=contenders, items=work.items * AT_ONCE)


CPU, GPU = Device(torch.device("cpu")), Device(torch.device("cuda"))


def _repeated(work: Callable[[], object]) -> Callable[[], object]:
    def turn() -> None:
        for _ in range(AT_ONCE):
            work()
        torch.cuda.synchronize()

    return turn
