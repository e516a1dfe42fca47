"""Estimated time of the baselines of a report, so that `--time` includes them.

Measured on two cores with 100 to 6 000 files: features take 0.4 to 0.9 ms per picture. Linear fits and
logistic regression take 0.2 to 0.6 ms per training file, more with more classes. Loading scikit-learn takes
1 to 2 s.
"""

from __future__ import annotations

import math

ALWAYS = 1.5  # seconds: mostly the import of scikit-learn
PICTURE, RECORDING = 1e-3, 1e-2  # seconds per file to compute its features
FIT = 3e-4  # seconds per training file to fit; more than TEN classes take longer
TEN = 10
MOST = 10_000  # files per split part; more files change the result by less than one percentage point
FROZEN_SECONDS, FROZEN_SHARE = 10.0, 0.1  # limit for the frozen encoder: seconds, or a share of the training


def baseline_seconds(train: int, test: int, classes: int, *, recordings: bool) -> float:
    """Return the seconds that all baselines except the frozen encoder take, for decoded files.

    `train` and `test` are numbers of files, `classes` the number of classes.

    Example:

        >>> round(baseline_seconds(train=1000, test=200, classes=10, recordings=False), 1)
        3.0
    """
    train, test = min(train, MOST), min(test, MOST)
    each = RECORDING if recordings else PICTURE
    return ALWAYS + each * (train + test) + FIT * train * math.sqrt(max(1.0, classes / TEN))


def frozen_limit(training: float, limit: float = 0.0) -> float:
    """Return the seconds that computing the tokens of the frozen encoder may take.

    `training` is the time of the training and `limit` the time limit in seconds; 0 means no limit.

    Example:

        >>> frozen_limit(600.0), frozen_limit(60.0), frozen_limit(60.0, limit=60.0)
        (60.0, 10.0, 6.0)
    """
    least = min(FROZEN_SECONDS, FROZEN_SHARE * limit) if limit else FROZEN_SECONDS
    return max(least, FROZEN_SHARE * training)


def frozen_seconds(train: int, test: int, each: float, allowed: float) -> float:
    """Return the seconds to compute the tokens of all files, at most `allowed`.

    `train` and `test` are numbers of files. A file takes `each` seconds.

    Example:

        >>> frozen_seconds(train=1000, test=200, each=0.001, allowed=10.0)
        1.2
    """
    return min(each * (min(train, MOST) + min(test, MOST)), allowed)
