"""The device of a case: a CPU, or a GPU with bf16 and many steps per turn."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import TypeVar, cast

import torch
from torch import Tensor, nn

from kakera.bench.contest import Work
from kakera.training.layer_wrappers import layers_of

AT_ONCE = 10  # steps per turn on a GPU, which runs asynchronously: the program waits once for all of them
COMPILED = ", compiled"

T = TypeVar("T", bound=nn.Module | Tensor)


@dataclass(frozen=True)
class Device:
    """A device, and the common settings of all contenders on it.

    Example:

        >>> CPU.is_gpu, CPU.variants("timm")
        (False, ('timm',))
    """

    device: torch.device

    @property
    def is_gpu(self) -> bool:
        """True for a GPU, which runs asynchronously."""
        return self.device.type == "cuda"

    def to(self, thing: T) -> T:
        """Return a model or a tensor on this device."""
        return cast(T, thing.to(self.device))

    def variants(self, who: str) -> tuple[str, ...]:
        """Return the names of another library's contenders: on a GPU also a compiled one."""
        return (who, who + COMPILED) if self.is_gpu else (who,)

    def compile(self, model: nn.Module) -> None:
        """Compile a model on a GPU: kakera layer by layer, as in training, others as a whole."""
        if not self.is_gpu:
            return
        for part in layers_of(model) or [model]:
            part.compile()

    def autocast(self, loss: Callable[[], Tensor]) -> Callable[[], Tensor]:
        """Return `loss` in the precision of training: float32 on a CPU, mixed bf16 on a GPU."""

        def mixed() -> Tensor:
            with self._precision():
                return loss()

        return mixed

    def _precision(self) -> AbstractContextManager[object]:
        return torch.autocast("cuda", dtype=torch.bfloat16) if self.is_gpu else nullcontext()

    def repeat(self, work: Work) -> Work:
        """Return the work of a turn: one step on a CPU; on a GPU AT_ONCE steps, until all are finished."""
        if not self.is_gpu:
            return work
        contenders = [replace(contender, work=_repeated(contender.work)) for contender in work.contenders]
        return replace(work, contenders=contenders, items=work.items * AT_ONCE)


CPU, GPU = Device(torch.device("cpu")), Device(torch.device("cuda"))


def _repeated(work: Callable[[], object]) -> Callable[[], object]:
    def turn() -> None:
        for _ in range(AT_ONCE):
            work()
        torch.cuda.synchronize()

    return turn
