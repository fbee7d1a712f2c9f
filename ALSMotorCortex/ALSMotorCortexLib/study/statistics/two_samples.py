"""Tests of one measure between two groups."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from .interval import LEVEL, UNKNOWN, Estimate, t_quantile, two_sided_p

EXACT_PAIRS = 10_000
"""Exact Mann-Whitney p up to this many pairs of values; the normal approximation, with far more,
agrees with it to three decimals."""


@dataclass(frozen=True)
class Welch:
    """Result of :func:`welch`: the difference of means, t, its degrees of freedom and p."""

    difference: Estimate
    t: float
    df: float
    p: float


@dataclass(frozen=True)
class MannWhitney:
    """Result of :func:`mann_whitney`.

    Attributes:
        u: pairs in which the first group's value is larger; ties count one half.
        p: two-sided.
        exact: whether p is exact, or from the normal approximation.
    """

    u: float
    p: float
    exact: bool


def welch(a: NDArray[np.float64], b: NDArray[np.float64], level: float = LEVEL) -> Welch:
    """Welch's t test of mean(a) - mean(b), which does not assume equal variances.

    t = difference / sqrt(va + vb) with va = var(a) / n(a), and Satterthwaite's degrees of
    freedom (va + vb)^2 / (va^2 / (n(a) - 1) + vb^2 / (n(b) - 1)).

    Source: Welch, Biometrika 1947, 34:28; Satterthwaite, Biometrics Bulletin 1946, 2:110.

    Returns:
        NaN everywhere from fewer than two values a group or where neither group varies.
    """
    if min(len(a), len(b)) < 2:
        return Welch(UNKNOWN, math.nan, math.nan, math.nan)
    va, vb = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
    if va + vb == 0:
        return Welch(UNKNOWN, math.nan, math.nan, math.nan)
    df = float((va + vb) ** 2 / (va**2 / (len(a) - 1) + vb**2 / (len(b) - 1)))
    difference, error = float(a.mean() - b.mean()), math.sqrt(va + vb)
    half = t_quantile(level, df) * error
    t = difference / error
    return Welch(
        Estimate(difference, difference - half, difference + half), t, df, two_sided_p(t, df)
    )


def mann_whitney(a: NDArray[np.float64], b: NDArray[np.float64]) -> MannWhitney:
    """The Mann-Whitney (Wilcoxon rank-sum) test.

    p is exact where no values are tied, and otherwise from the normal approximation with
    corrections for ties and continuity.

    Source: Mann and Whitney, Annals of Mathematical Statistics 1947, 18:50.
    """
    if not len(a) or not len(b):
        return MannWhitney(math.nan, math.nan, False)
    both = np.concatenate([a, b])
    tied = len(np.unique(both)) < len(both)
    exact = not tied and len(a) * len(b) <= EXACT_PAIRS
    if np.ptp(both) == 0:  # no order at all: the approximation would divide by zero
        return MannWhitney(len(a) * len(b) / 2, 1.0, False)
    result = stats.mannwhitneyu(a, b, method="exact" if exact else "asymptotic")
    return MannWhitney(float(result.statistic), float(result.pvalue), exact)
