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

from .crossed import draws, inflated, pieces
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
    x: NDArray[np.float64], patient: NDArray[np.bool_], seed: int = 0, level: float = LEVEL
) -> Combination:
    """Fits and cross-validates.

    The intervals of what is cross-validated are widened as in :mod:`.crossed`. For the area the
    spread over the draws is that of leaving out one participant, which costs far fewer fits than
    leaving out pairs.

    Args:
        x: (n, k) measures, none of them missing. One that does not vary is left unused.
        patient: (n,) who is one; at least two are, and two are not.
        seed: of the draws.
        level: of the intervals.
    """
    everyone = np.ones((1, len(x)))
    whole = log_odds(x, patient, everyone)[0]
    single = left_out(x, patient, everyone)[0]
    weights = draws(patient, seed)
    parts = pieces(weights, x.size + len(x))
    drawn = np.concatenate([left_out(x, patient, part) for part in parts])
    pairs = left_pairs(x, patient)
    hits = (np.sign(drawn[:, patient, None] - drawn[:, None, ~patient]) + 1) / 2
    areas = np.einsum("fi,fij,fj->f", weights[:, patient], hits, weights[:, ~patient]) / pairs.size
    crossed = Accuracy.of(single >= 0, patient, level)
    fitted = fit(x, patient, everyone)[0]
    return Combination(
        coefficients=fitted[1:],
        intercept=float(fitted[0]),
        probabilities=special.expit(single),
        apparent=Accuracy.of(whole >= 0, patient, level),
        apparent_auc=auc(whole[patient], whole[~patient], level),
        crossed=inflated(crossed, (drawn >= 0) == patient, weights, patient),
        crossed_auc=delong_interval(pairs, level, float(areas.std())),
    )


def left_out(
    x: NDArray[np.float64], patient: NDArray[np.bool_], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(rows, n): each one's log odds from the fit to all others, for each row of weights."""
    n = len(x)
    others = np.repeat(weights[:, None, :], n, axis=1)
    others[:, np.arange(n), np.arange(n)] = 0
    odds = log_odds(x, patient, others.reshape(-1, n)).reshape(-1, n, n)
    return np.diagonal(odds, axis1=1, axis2=2)


def left_pairs(x: NDArray[np.float64], patient: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(patients, controls): 1 where the patient's log odds are the higher, both left out."""
    cases, others = np.flatnonzero(patient), np.flatnonzero(~patient)
    left = np.array([(i, j) for i in cases for j in others])
    weights = np.ones((len(left), len(x)))
    np.put_along_axis(weights, left, 0.0, axis=1)
    parts = pieces(weights, 1 + x.shape[1])
    ends = np.cumsum([len(part) for part in parts])[:-1]
    odds = [
        np.take_along_axis(log_odds(x, patient, part), pair, axis=1)
        for part, pair in zip(parts, np.split(left, ends), strict=True)
    ]
    both = np.concatenate(odds)
    return (np.sign(both[:, 0] - both[:, 1]) + 1).reshape(len(cases), len(others)) / 2


def log_odds(
    x: NDArray[np.float64], patient: NDArray[np.bool_], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(fits, n): log odds of everyone in each of the fits, see :func:`fit`."""
    b = fit(x, patient, weights)
    return b[:, :1] + np.einsum("fnk,fk->fn", _standardised(x, weights), b[:, 1:])


def fit(
    x: NDArray[np.float64], patient: NDArray[np.bool_], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Many fits at once, by Newton's method with steps halved where they go too far.

    Args:
        x: (n, k) measures.
        patient: (n,) who is one.
        weights: (fits, n) how often each counts in each fit; both groups have a part in each.

    Returns:
        (fits, 1 + k): intercept and coefficients per SD of those who take part.
    """
    design = np.concatenate(
        [np.ones((*weights.shape, 1)), _standardised(x, weights)], axis=2
    )  # (fits, n, 1 + k)
    sign = np.where(patient, 1.0, -1.0)
    weights = _balanced(patient, weights)
    ridge = np.full(design.shape[2], RIDGE)
    ridge[0] = 0.0

    def objective(b: NDArray[np.float64]) -> NDArray[np.float64]:
        margin = sign * np.einsum("fnk,fk->fn", design, b)
        return (weights * np.logaddexp(0, -margin)).sum(1) + 0.5 * (ridge * b**2).sum(1)

    b = np.zeros((len(weights), design.shape[2]))
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


def _standardised(x: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """(fits, n, k): by mean and SD of those who count; 0 where these do not vary."""
    share = weights / weights.sum(1, keepdims=True)
    mean = share @ x
    away = x[None] - mean[:, None, :]
    sd = np.sqrt(np.einsum("fn,fnk->fk", share, away**2))
    tiny = sd <= 1e-12 * np.abs(x).max(axis=0, initial=0)
    return np.where(tiny[:, None, :], 0.0, away / np.where(tiny, 1.0, sd)[:, None, :])


def _balanced(patient: NDArray[np.bool_], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """(fits, n) weights of which each group has half."""
    n = weights.sum(1, keepdims=True)
    cases = (weights * patient).sum(1, keepdims=True)
    return weights * np.where(patient, n / (2 * cases), n / (2 * (n - cases)))
