"""The scale of the numbers that a regression model predicts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from kakera.errors import DataError, OptionError

LEAST = 1e-30  # smaller standard deviations are 0 in float32 calculations


@dataclass(frozen=True)
class TargetScale:
    """Mean and standard deviation of each target over the training files, in the units of the targets.

    The network predicts standardised targets, (target − mean) / std, which are all of a similar size. Raises
    OptionError for values that cannot be used.

    Example:

        >>> scale = TargetScale(mean=(20.0,), std=(5.0,))
        >>> scale.standardise(np.array([[30.0]])).tolist(), scale.in_units(np.array([[2.0]])).tolist()
        ([[2.0]], [[30.0]])
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        finite = np.isfinite([*self.mean, *self.std]).all()
        if not (finite and 0 < len(self.mean) == len(self.std) and min(self.std) > 0):
            got, expected = (
                f"{self.mean} and {self.std}",
                "finite numbers, one of each per target, std above 0",
            )
            raise OptionError("targets' mean and std", got=got, expected=expected, do="correct them")

    @classmethod
    def of(cls, targets: NDArray[Any], names: tuple[str, ...], data: str = "targets") -> TargetScale:
        """Return the scale of targets (n, t); `names` and `data` are for messages.

        Raises DataError if all files have the same number.

        Example:

            >>> TargetScale.of(np.array([[1.0], [3.0]]), ("age",))
            TargetScale(mean=(2.0,), std=(1.0,))
        """
        mean, std = targets.mean(axis=0), targets.std(axis=0)
        for name, middle, width in zip(names, mean.tolist(), std.tolist(), strict=True):
            if not width > max(LEAST, 1e-9 * abs(middle)):
                got, expected = (
                    f"{name} {middle:g} for all {len(targets)} training files",
                    "different numbers",
                )
                raise DataError(data, got=got, expected=expected, do="check the labels")
        return cls(tuple(mean.tolist()), tuple(std.tolist()))

    def standardise(self, targets: NDArray[Any]) -> NDArray[np.float64]:
        """Return targets (n, t) as multiples of the standard deviation above the mean."""
        return (targets - np.array(self.mean)) / np.array(self.std)

    def in_units(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Return standardised values (n, t) in the units of the targets: the inverse of `standardise`."""
        return values * np.array(self.std) + np.array(self.mean)

    def standardised(self, targets: Float[Tensor, "b t"]) -> Float[Tensor, "b t"]:
        """Return targets (b, t) as multiples of the standard deviation above the mean."""
        return (targets - targets.new_tensor(self.mean)) / targets.new_tensor(self.std)

    def values(self, outputs: Float[Tensor, "b t"]) -> Float[Tensor, "b t"]:
        """Return the outputs of the network (b, t) in the units of the targets."""
        return outputs * outputs.new_tensor(self.std) + outputs.new_tensor(self.mean)
