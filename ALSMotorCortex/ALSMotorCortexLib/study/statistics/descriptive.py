"""What a group's values look like."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .interval import LEVEL, UNKNOWN, Estimate, t_quantile


@dataclass(frozen=True)
class Description:
    """A group's values in numbers.

    Attributes:
        n: how many have a value.
        missing: how many have none.
        mean: with the t interval of the mean, mean +- t sd / sqrt(n).
        sd: standard deviation with n - 1.
        median, q25, q75: quantiles, linear between neighbouring values.
        minimum, maximum: the extremes.
    """

    n: int
    missing: int
    mean: Estimate
    sd: float
    median: float
    q25: float
    q75: float
    minimum: float
    maximum: float


def describe(values: NDArray[np.float64], level: float = LEVEL) -> Description:
    """Describes values (n,), of which NaN are counted as missing."""
    known = values[np.isfinite(values)]
    missing = len(values) - len(known)
    if not len(known):
        return Description(0, missing, UNKNOWN, *(math.nan,) * 6)
    sd = float(known.std(ddof=1)) if len(known) > 1 else math.nan
    q25, median, q75 = (float(q) for q in np.quantile(known, [0.25, 0.5, 0.75]))
    return Description(
        n=len(known),
        missing=missing,
        mean=mean_interval(known, level),
        sd=sd,
        median=median,
        q25=q25,
        q75=q75,
        minimum=float(known.min()),
        maximum=float(known.max()),
    )


def mean_interval(values: NDArray[np.float64], level: float = LEVEL) -> Estimate:
    """The mean with its t interval; no interval from fewer than two values."""
    n = len(values)
    mean = float(values.mean()) if n else math.nan
    if n < 2:
        return Estimate(mean, math.nan, math.nan)
    half = t_quantile(level, n - 1) * float(values.std(ddof=1)) / math.sqrt(n)
    return Estimate(mean, mean - half, mean + half)
