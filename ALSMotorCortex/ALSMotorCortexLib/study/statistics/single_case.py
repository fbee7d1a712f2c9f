"""One person among controls: how unusual a value is, told from a small sample of controls."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from .ancova import least_squares
from .effect_sizes import noncentrality
from .interval import LEVEL, Estimate, t_quantile, two_sided_p


@dataclass(frozen=True)
class SingleCase:
    """One value among those of controls.

    Attributes:
        value: the person's.
        expected: what a control like the person has on average, with the range that holds the
            value of one more such control in 95 % of cases (a prediction interval).
        sd: standard deviation of controls around what is expected of them, on ``df`` degrees of
            freedom.
        z: (value - expected) / sd with the interval of the same in the population of controls.
        t, df, p: test that the person is one of the controls; p is two-sided.
        below: share of controls like the person who are expected to have a lower value, with the
            interval of that share. Times 100 it is the percentile.
        n: controls.
        leverage: how much less surely ``expected`` is known than ``sd``; 1 / n without covariates.
    """

    value: float
    expected: Estimate
    sd: float
    z: Estimate
    t: float
    df: int
    p: float
    below: Estimate
    n: int
    leverage: float


def crawford_howell(
    value: float, controls: NDArray[np.float64], level: float = LEVEL
) -> SingleCase | None:
    """Places a value among those of controls (n,), who are a sample and not the population.

    t = (value - mean) / (sd sqrt((n + 1) / n)) on n - 1 degrees of freedom, and the share of
    controls below is t's distribution function there. The interval of that share comes from the
    noncentral t distribution of z sqrt(n). A plain z would call too many people unusual.

    Returns:
        None from fewer than two controls or where they do not vary.

    Source: Crawford and Howell, Clin Neuropsychol 1998, 12:482 (test and share); Crawford and
    Garthwaite, Neuropsychologia 2002, 40:1196 (interval of the share).
    """
    return regression_based(value, np.zeros(0), controls, np.zeros((len(controls), 0)), level)


def regression_based(
    value: float,
    at: NDArray[np.float64],
    controls: NDArray[np.float64],
    covariates: NDArray[np.float64],
    level: float = LEVEL,
) -> SingleCase | None:
    """Places a value among controls of the same covariates, for example age.

    The controls' regression on the covariates says what is expected. With its residual standard
    deviation s on n - k - 1 degrees of freedom and the leverage h of the person's covariates,
    t = (value - expected) / (s sqrt(1 + h)). The interval of the share below comes from the
    noncentral t distribution of (value - expected) / (s sqrt(h)). Without covariates h is 1 / n,
    and all is as in :func:`crawford_howell`.

    Args:
        value: the person's.
        at: (k,) the person's covariates.
        controls: (n,) their values.
        covariates: (n, k) their covariates.
        level: of the intervals.

    Returns:
        None where the regression is not determined, or fits the controls exactly.

    Source: Crawford and Garthwaite, Neuropsychology 2006, 20:259; for several covariates Crawford
    et al., Psychol Assess 2012, doi 10.1037/a0027699.
    """
    n, k = covariates.shape
    if n < k + 2:
        return None
    middle = covariates.mean(axis=0)
    fit = least_squares(controls, np.column_stack([np.ones(n), covariates - middle]))
    spread = float(np.ptp(controls))
    if fit is None or spread == 0 or fit.sum_of_squares <= 1e-20 * n * spread * spread:
        return None
    person = np.concatenate([[1.0], at - middle])
    sd = math.sqrt(fit.sum_of_squares / fit.df)
    leverage = float(person @ fit.covariance @ person) / sd**2
    expected = float(person @ fit.coefficients)
    error = sd * math.sqrt(1 + leverage)
    z, t = (value - expected) / sd, (value - expected) / error
    low, high = (
        end * math.sqrt(leverage) for end in noncentrality(z / math.sqrt(leverage), fit.df, level)
    )
    half = t_quantile(level, fit.df) * error
    return SingleCase(
        value=value,
        expected=Estimate(expected, expected - half, expected + half),
        sd=sd,
        z=Estimate(z, low, high),
        t=t,
        df=fit.df,
        p=two_sided_p(t, fit.df),
        below=Estimate(
            float(special.stdtr(fit.df, t)), float(special.ndtr(low)), float(special.ndtr(high))
        ),
        n=n,
        leverage=leverage,
    )
