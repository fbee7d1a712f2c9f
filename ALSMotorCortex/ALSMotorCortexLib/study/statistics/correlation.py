"""Correlations with intervals."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import permutations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from .interval import LEVEL, UNKNOWN, Estimate, normal_quantile, two_sided_p

EXACT = 8
"""Pairs up to which Spearman's p is exact; they have 40,320 orders."""


@dataclass(frozen=True)
class Correlation:
    """A coefficient with its interval, its two-sided p, and how many pairs it rests on."""

    r: Estimate
    p: float
    n: int


def pearson(x: NDArray[np.float64], y: NDArray[np.float64], level: float = LEVEL) -> Correlation:
    """Pearson's r; p from t = r sqrt((n - 2) / (1 - r^2)), interval by Fisher's z.

    tanh(atanh(r) +- z / sqrt(n - 3)).

    Source: Fisher, Metron 1921, 1:3.
    """
    return _correlation(x, y, 0, 1.0, level)


def spearman(x: NDArray[np.float64], y: NDArray[np.float64], level: float = LEVEL) -> Correlation:
    """Spearman's rho, Pearson's r of the ranks.

    p up to :data:`EXACT` pairs is exact: the share of all orders of the ranks whose rho is as far
    from 0; beyond, from the t of :func:`pearson`. Interval by Fisher's z with the variance
    (1 + rho^2 / 2) / (n - 3).

    Source: Bonett and Wright, Psychometrika 2000, 65:23 (the variance).
    """
    first, second = stats.rankdata(x), stats.rankdata(y)
    r = _pearson(first, second)
    found = _correlation(first, second, 0, 1 + r * r / 2, level)
    if not found.r.known:
        return found
    n = len(x)
    p = _share_of_orders(first, second) if n <= EXACT else max(found.p, 2 / math.factorial(n))
    return replace(found, p=p)


def _share_of_orders(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """The share of orders of x (n,) whose products with y are as far from the middle as x's."""
    x, y = x - x.mean(), y - y.mean()
    sums = x[_orders(len(x))] @ y
    return float((np.abs(sums) >= abs(x @ y) - 1e-9).mean())


@lru_cache(maxsize=EXACT)
def _orders(n: int) -> NDArray[np.int64]:
    """(n!, n): all orders of n things."""
    return np.array(list(permutations(range(n))))


def partial(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    others: NDArray[np.float64],
    level: float = LEVEL,
) -> Correlation:
    """Pearson's r of what is left of x and y once their regressions on ``others`` are taken off.

    p from t with n - 2 - k degrees of freedom; interval by Fisher's z with variance
    1 / (n - k - 3).

    Args:
        x, y: (n,).
        others: (n, k) what is held constant, without an intercept; of full rank with one.
        level: of the interval.

    Source: Fisher, Metron 1924, 3:329 (n is reduced by k).
    """
    design = np.column_stack([np.ones(len(x)), others])
    residuals = [v - design @ np.linalg.lstsq(design, v, rcond=None)[0] for v in (x, y)]
    # What a regression explains whole leaves rounding noise, which correlates with anything.
    if any(
        np.linalg.norm(left) <= 1e-10 * np.linalg.norm(v - v.mean())
        for left, v in zip(residuals, (x, y), strict=True)
    ):
        return Correlation(UNKNOWN, math.nan, len(x))
    return _correlation(residuals[0], residuals[1], others.shape[1], 1.0, level)


def _pearson(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    x, y = x - x.mean(), y - y.mean()
    size = math.sqrt((x @ x) * (y @ y))
    return min(max(float(x @ y) / size, -1.0), 1.0) if size > 0 else math.nan


def _correlation(
    x: NDArray[np.float64], y: NDArray[np.float64], held: int, inflation: float, level: float
) -> Correlation:
    """r with p and Fisher's interval; ``held`` variables are constant."""
    n = len(x)
    if n < 3 + held or not (r := Estimate(_pearson(x, y), math.nan, math.nan)).known:
        return Correlation(UNKNOWN, math.nan, n)
    df = n - 2 - held
    t = math.inf if abs(r.value) == 1 else r.value * math.sqrt(df / (1 - r.value**2))
    if n > 3 + held and abs(r.value) < 1:
        half = normal_quantile(level) * math.sqrt(inflation / (n - held - 3))
        middle = math.atanh(r.value)
        r = Estimate(r.value, math.tanh(middle - half), math.tanh(middle + half))
    return Correlation(r, two_sided_p(t, df), n)
