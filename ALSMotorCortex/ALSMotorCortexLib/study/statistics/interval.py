"""An estimate with its confidence interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy import special

LEVEL = 0.95
"""Confidence level of all intervals, unless another is asked for."""


@dataclass(frozen=True)
class Estimate:
    """A number and the interval that claims to hold the truth; NaN where there is none."""

    value: float
    low: float
    high: float

    @property
    def known(self) -> bool:
        """Whether there is a number."""
        return math.isfinite(self.value)


UNKNOWN = Estimate(math.nan, math.nan, math.nan)


def normal_quantile(level: float) -> float:
    """The z that leaves (1 - level) / 2 above it: 1.96 for 0.95."""
    return float(special.ndtri((1 + level) / 2))


def t_quantile(level: float, df: float) -> float:
    """Likewise for Student's t with ``df`` degrees of freedom."""
    return float(special.stdtrit(df, (1 + level) / 2))


def two_sided_p(t: float, df: float) -> float:
    """The chance under Student's t of a value as far from 0 as ``t``, or farther."""
    return float(2 * special.stdtr(df, -abs(t)))
