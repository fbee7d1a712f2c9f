"""How large a difference between two groups is, apart from its unit."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from .interval import LEVEL, UNKNOWN, Estimate
from .roc import auc


def hedges_g(a: NDArray[np.float64], b: NDArray[np.float64], level: float = LEVEL) -> Estimate:
    """Hedges' g of mean(a) - mean(b), with the exact interval of what it estimates.

    g = J d, with d the difference over the pooled standard deviation on m = n(a) + n(b) - 2
    degrees of freedom and J = Gamma(m / 2) / (sqrt(m / 2) Gamma((m - 1) / 2)), which takes
    away d's bias. The interval inverts the noncentral t distribution of d, so it is exact for
    normal values of equal variance; J does not enter it, because it is one of the population's
    standardised difference and not of g.

    Source: Hedges, J Educ Stat 1981, 6:107 (J, and d's distribution); Cumming and Finch, Educ
    Psychol Meas 2001, 61:532 (the interval).
    """
    df = len(a) + len(b) - 2
    if min(len(a), len(b)) < 2:
        return UNKNOWN
    pooled = math.sqrt((a.var() * len(a) + b.var() * len(b)) / df)
    if pooled == 0:
        return UNKNOWN
    d = float(a.mean() - b.mean()) / pooled
    correction = math.exp(special.gammaln(df / 2) - special.gammaln((df - 1) / 2))
    scale = math.sqrt(len(a) * len(b) / (len(a) + len(b)))
    low, high = noncentrality(d * scale, df, level)
    return Estimate(d * correction / math.sqrt(df / 2), low / scale, high / scale)


def noncentrality(t: float, df: float, level: float = LEVEL) -> tuple[float, float]:
    """The interval of the noncentrality whose t distribution gave ``t``."""
    # The root lies a few standard errors from t; the step doubles until it is in between.
    step = 4 * math.sqrt(1 + t * t / (2 * df))

    def below(nc: float) -> float:
        """P(T <= t). scipy gives NaN far in either tail, where it is 0 or 1 to 1e-13."""
        p = float(special.nctdtr(df, nc, t))
        return p if math.isfinite(p) else float(nc < t)

    def solve(p: float) -> float:
        reach = step
        while not below(t - reach) > p > below(t + reach):
            reach *= 2
        return float(optimize.brentq(lambda nc: below(nc) - p, t - reach, t + reach, xtol=1e-10))

    if not math.isfinite(t):
        return math.nan, math.nan
    return solve((1 + level) / 2), solve((1 - level) / 2)


def cliffs_delta(a: NDArray[np.float64], b: NDArray[np.float64], level: float = LEVEL) -> Estimate:
    """Cliff's delta: how much oftener a value of ``a`` is above one of ``b`` than below.

    delta = P(a > b) - P(a < b) = 2 AUC - 1, so its interval is that of the area under the ROC
    curve, see :func:`.roc.auc`. For normal values of 22 and 14 it holds the truth in 95 to 96 %
    of repeats from delta 0 to 0.84; that of Feng and Cliff (2004) falls from 95 to 91 %.

    Source: Cliff, Psychol Bull 1993, 114:494.
    """
    area = auc(a, b, level)
    return Estimate(2 * area.value - 1, 2 * area.low - 1, 2 * area.high - 1)
