"""Several measures combined into one decision, cross-validated.

Logistic regression with a ridge: the coefficients b of the standardised measures minimise

    sum over participants of w log(1 + exp(-s (a + b x))) + |b|^2 / 2,

s = 1 for patients and -1 for controls. The ridge keeps b finite where the measures separate the
groups, which few participants often allow. It is fixed and not tuned. The weights w make both
groups count alike, so a probability of one half is where both are equally likely whatever their
sizes. Means and standard deviations for x are those of the participants that are fitted, so a
participant left out has no part in any number that judges it.

Source: le Cessie and van Houwelingen, J R Stat Soc C 1992, 41:191.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from .interval import LEVEL, Estimate
from .proportions import Accuracy
from .roc import auc, delong_interval

RIDGE = 1.0
STEPS, CLOSE = 100, 1e-10
"""Newton steps at most, and the gradient's largest entry at which they end."""


@dataclass(frozen=True)
class Combination:
    """Measures combined.

    Attributes:
        coefficients: (k,) change of the log odds of being a patient per SD of each measure.
        intercept: log odds at the measures' means.
        probabilities: (n,) of being a patient, for each participant from all others.
        apparent, apparent_auc: on the participants that were fitted: too good.
        crossed: leaving one out. See :attr:`probabilities`.
        crossed_auc: leaving out each pair of a patient and a control.
    """

    coefficients: NDArray[np.float64]
    intercept: float
    probabilities: NDArray[np.float64]
    apparent: Accuracy
    apparent_auc: Estimate
    crossed: Accuracy
    crossed_auc: Estimate


def combine(
    x: NDArray[np.float64], patient: NDArray[np.bool_], level: float = LEVEL
) -> Combination:
    """Fits and cross-validates.

    Args:
        x: (n, k) measures, none of them missing; each varies even without any two participants,
            or it is left unused where it does not.
        patient: (n,) who is one; at least two are, and two are not.
        level: of the intervals.
    """
    n = len(x)
    cases, others = np.flatnonzero(patient), np.flatnonzero(~patient)
    everyone = np.ones((1, n), dtype=bool)
    alone = ~np.eye(n, dtype=bool)
    left = np.array([(i, j) for i in cases for j in others])
    paired = np.ones((len(left), n), dtype=bool)
    np.put_along_axis(paired, left, False, axis=1)

    whole = log_odds(x, patient, everyone)[0]
    single = np.diagonal(log_odds(x, patient, alone))
    both = np.take_along_axis(log_odds(x, patient, paired), left, axis=1)
    pairs = (np.sign(both[:, 0] - both[:, 1]) + 1).reshape(len(cases), len(others)) / 2
    fitted = fit(x, patient, everyone)[0]
    return Combination(
        coefficients=fitted[1:],
        intercept=float(fitted[0]),
        probabilities=special.expit(single),
        apparent=Accuracy.of(whole >= 0, patient, level),
        apparent_auc=auc(whole[patient], whole[~patient], level),
        crossed=Accuracy.of(single >= 0, patient, level),
        crossed_auc=delong_interval(pairs, level),
    )


def log_odds(
    x: NDArray[np.float64], patient: NDArray[np.bool_], used: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """(fits, n): log odds of everyone in each of the fits, see :func:`fit`."""
    b = fit(x, patient, used)
    return b[:, :1] + np.einsum("fnk,fk->fn", _standardised(x, used), b[:, 1:])


def fit(
    x: NDArray[np.float64], patient: NDArray[np.bool_], used: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Many fits at once, by Newton's method with steps halved where they go too far.

    Args:
        x: (n, k) measures.
        patient: (n,) who is one.
        used: (fits, n) who takes part in each fit.

    Returns:
        (fits, 1 + k): intercept and coefficients per SD of those who take part.
    """
    design = np.concatenate(
        [np.ones((*used.shape, 1)), _standardised(x, used)], axis=2
    )  # (fits, n, 1 + k)
    sign = np.where(patient, 1.0, -1.0)
    weights = _balanced(patient, used)
    ridge = np.full(design.shape[2], RIDGE)
    ridge[0] = 0.0

    def objective(b: NDArray[np.float64]) -> NDArray[np.float64]:
        margin = sign * np.einsum("fnk,fk->fn", design, b)
        return (weights * np.logaddexp(0, -margin)).sum(1) + 0.5 * (ridge * b**2).sum(1)

    b = np.zeros((len(used), design.shape[2]))
    for _ in range(STEPS):
        p = special.expit(np.einsum("fnk,fk->fn", design, b))
        slope = np.einsum("fnk,fn->fk", design, weights * (p - patient)) + ridge * b
        if np.abs(slope).max() < CLOSE:
            break
        bend = np.einsum("fnk,fn,fnl->fkl", design, weights * p * (1 - p), design)
        step = np.linalg.solve(bend + np.diag(ridge), slope[..., None])[..., 0]
        before, length = objective(b), np.ones((len(b), 1))
        while (worse := objective(b - length * step) > before + 1e-9).any():
            length[worse] /= 2
        b = b - length * step
    return b


def _standardised(x: NDArray[np.float64], used: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(fits, n, k): by mean and SD of those used; 0 where these do not vary."""
    share = used / used.sum(1, keepdims=True)
    mean = share @ x
    away = x[None] - mean[:, None, :]
    sd = np.sqrt(np.einsum("fn,fnk->fk", share, away**2))
    tiny = sd <= 1e-12 * np.abs(x).max(axis=0, initial=0)
    return np.where(tiny[:, None, :], 0.0, away / np.where(tiny, 1.0, sd)[:, None, :])


def _balanced(patient: NDArray[np.bool_], used: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(fits, n) weights: each group's sum to half of those used."""
    n = used.sum(1, keepdims=True)
    cases = (used & patient).sum(1, keepdims=True)
    return used * np.where(patient, n / (2 * cases), n / (2 * (n - cases)))
