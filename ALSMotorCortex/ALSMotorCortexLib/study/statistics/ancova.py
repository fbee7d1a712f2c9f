"""The difference between two groups at equal covariates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from .interval import LEVEL, Estimate, t_quantile, two_sided_p


@dataclass(frozen=True)
class LeastSquares:
    """A linear model fitted by least squares.

    Attributes:
        coefficients: (k,).
        covariance: (k, k) of the coefficients.
        residuals: (n,).
        df: n - k.
    """

    coefficients: NDArray[np.float64]
    covariance: NDArray[np.float64]
    residuals: NDArray[np.float64]
    df: int

    @property
    def sum_of_squares(self) -> float:
        """Of the residuals."""
        return float(self.residuals @ self.residuals)

    def combination(self, weights: NDArray[np.float64], level: float = LEVEL) -> Estimate:
        """The weighted sum (k,) of the coefficients with its t interval."""
        value = float(weights @ self.coefficients)
        half = t_quantile(level, self.df) * math.sqrt(weights @ self.covariance @ weights)
        return Estimate(value, value - half, value + half)


@dataclass(frozen=True)
class Ancova:
    """Result of :func:`ancova`.

    Attributes:
        difference: first group minus second at equal covariates.
        first, second: adjusted means, at the covariates' means over both groups.
        t, df, p: of the difference.
        partial_eta_squared: t^2 / (t^2 + df), the share of what the covariates leave.
        slopes_p: of the F test that the covariates act alike in both groups, which the rest
            assumes; NaN where there are too few participants for it.
        n: participants.
    """

    difference: Estimate
    first: Estimate
    second: Estimate
    t: float
    df: int
    p: float
    partial_eta_squared: float
    slopes_p: float
    n: int


def least_squares(y: NDArray[np.float64], design: NDArray[np.float64]) -> LeastSquares | None:
    """Fits y (n,) by the columns of ``design`` (n, k); None where they do not determine it.

    That is with no degrees of freedom left or where columns depend on one another.
    """
    n, k = design.shape
    if n <= k or not independent(design):
        return None
    q, r = np.linalg.qr(design)
    coefficients = np.linalg.solve(r, q.T @ y)
    residuals = y - design @ coefficients
    inverse = np.linalg.inv(r)
    variance = float(residuals @ residuals) / (n - k)
    return LeastSquares(coefficients, variance * inverse @ inverse.T, residuals, n - k)


def independent(design: NDArray[np.float64]) -> bool:
    """Whether no column (n, k) follows from the others, whatever their units."""
    size = np.linalg.norm(design, axis=0)
    return bool((size > 0).all()) and np.linalg.matrix_rank(design / size) == design.shape[1]


def ancova(
    y: NDArray[np.float64],
    first: NDArray[np.bool_],
    covariates: NDArray[np.float64],
    level: float = LEVEL,
) -> Ancova | None:
    """Analysis of covariance: y = a + b group + covariates, by least squares.

    Args:
        y: (n,) the measure.
        first: (n,) which participants are of the first group.
        covariates: (n, c), for example age and one column for each sex but one.
        level: of the intervals.

    Returns:
        None where the model is not determined, see :func:`least_squares`, or fits exactly.

    Source: Cochran, Biometrics 1957, 13:261.
    """
    middle = covariates - covariates.mean(axis=0)
    group = first.astype(np.float64)
    design = np.column_stack([np.ones(len(y)), group, middle])
    fit = least_squares(y, design)
    if fit is None or fit.sum_of_squares <= 1e-20 * float((y - y.mean()) @ (y - y.mean())):
        return None
    weights = np.zeros((3, design.shape[1]))
    weights[0, 1] = weights[1, 0] = weights[1, 1] = weights[2, 0] = 1
    difference, mean_first, mean_second = (fit.combination(w, level) for w in weights)
    t = difference.value / math.sqrt(fit.covariance[1, 1])
    return Ancova(
        difference=difference,
        first=mean_first,
        second=mean_second,
        t=t,
        df=fit.df,
        p=two_sided_p(t, fit.df),
        partial_eta_squared=t * t / (t * t + fit.df),
        slopes_p=_slopes_p(y, design, group, middle, fit),
        n=len(y),
    )


def _slopes_p(
    y: NDArray[np.float64],
    design: NDArray[np.float64],
    group: NDArray[np.float64],
    covariates: NDArray[np.float64],
    fit: LeastSquares,
) -> float:
    """p of the F test of all products of group and covariates together."""
    products = group[:, None] * covariates
    wider = least_squares(y, np.column_stack([design, products]))
    if wider is None or not products.shape[1] or wider.sum_of_squares == 0:
        return math.nan
    gained = (fit.sum_of_squares - wider.sum_of_squares) / products.shape[1]
    f = gained / (wider.sum_of_squares / wider.df)
    return float(special.fdtrc(products.shape[1], wider.df, max(f, 0.0)))


def indicator_columns(labels: Sequence[str]) -> NDArray[np.float64]:
    """(n, categories - 1): one column of 0 and 1 for each category but the first in order."""
    categories = sorted(set(labels))[1:]
    columns = [[float(label == category) for label in labels] for category in categories]
    return np.array(columns, dtype=np.float64).reshape(len(categories), len(labels)).T
