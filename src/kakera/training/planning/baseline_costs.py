"""About how long the baselines of a report take, so that `--time` leaves room for them.

Measured on two cores with 100 to 6 000 files: features 0.4 to 0.9 ms a picture, linear fits and logistic
regression 0.2 to 0.6 ms a training file, more with more classes, and loading scikit-learn 1 to 2 s.
"""

from __future__ import annotations

import math

ALWAYS = 1.5  # seconds
PICTURE, RECORDING = 1e-3, 1e-2  # seconds of a file's features
FIT = 3e-4  # seconds of a training file; more than TEN classes take longer
TEN = 10
MOST = 10_000  # files of a part: more change the measures by less than a point
FROZEN_SECONDS, FROZEN_SHARE = 10.0, 0.1  # for the frozen start: so long, or such a share of the training


def baseline_seconds(train: int, test: int, classes: int, *, recordings: bool) -> float:
    """Seconds of all baselines but the frozen start, of files that are decoded already."""
    train, test = min(train, MOST), min(test, MOST)
    each = RECORDING if recordings else PICTURE
    return ALWAYS + each * (train + test) + FIT * train * math.sqrt(max(1.0, classes / TEN))


def frozen_limit(training: float, limit: float = 0.0) -> float:
    """Seconds that reading the tokens of the frozen start may take; of a `limit` no more than a tenth."""
    least = min(FROZEN_SECONDS, FROZEN_SHARE * limit) if limit else FROZEN_SECONDS
    return max(least, FROZEN_SHARE * training)


def frozen_seconds(train: int, test: int, each: float, allowed: float) -> float:
    """Seconds of reading the tokens of files that take `each` seconds, where so many are `allowed`."""
    return min(each * (min(train, MOST) + min(test, MOST)), allowed)
