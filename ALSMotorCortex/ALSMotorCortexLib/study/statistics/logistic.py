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

from .crossed import DRAWS, draws, inflated, pieces
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
    x: NDArray[np.float64],
    patient: NDArray[np.bool_],
    seed: int = 0,
    level: float = LEVEL,
    times: int = DRAWS,
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
        times: how many draws.
    """
    everyone = np.ones((1, len(x)))
    whole = log_odds(x, patient, everyone)[0]
    single = left_out(x, patient, everyone)[0]
    weights = draws(patient, seed, times)
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
    others = others.reshape(-1, n)
    b = fit(x, patient, others)
    mean, scale = _standards(x, others)
    own = (np.tile(x, (len(weights), 1)) - mean) * scale
    odds: NDArray[np.float64] = b[:, 0] + (own * b[:, 1:]).sum(1)
    return odds.reshape(-1, n)


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
    design = _design(x, weights)
    odds: NDArray[np.float64] = (design @ fit(x, patient, weights)[..., None])[..., 0]
    return odds


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
    design = _design(x, weights)
    across = np.swapaxes(design, 1, 2)
    sign = np.where(patient, 1.0, -1.0)
    weights = _balanced(patient, weights)
    ridge = np.full(design.shape[2], RIDGE)
    ridge[0] = 0.0

    def objective(odds: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        return (weights * np.logaddexp(0, -sign * odds)).sum(1) + 0.5 * (ridge * b**2).sum(1)

    b, odds = np.zeros((len(weights), design.shape[2])), np.zeros(weights.shape)
    before = objective(odds, b)
    for _ in range(STEPS):
        p = special.expit(odds)
        slope = (across @ (weights * (p - patient))[..., None])[..., 0] + ridge * b
        if np.abs(slope).max() < CLOSE:
            break
        bend = across @ (design * (weights * p * (1 - p))[..., None]) + np.diag(ridge)
        step = np.linalg.solve(bend, slope[..., None])
        away, step, length = (design @ step)[..., 0], step[..., 0], np.ones((len(b), 1))
        after = objective(odds - away, b - step)
        while (worse := after > before + 1e-9).any():
            length[worse] /= 2
            after = objective(odds - length * away, b - length * step)
        b, odds, before = b - length * step, odds - length * away, after
    return b


def _design(x: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """(fits, n, 1 + k): ones, and the measures standardised for each fit."""
    mean, scale = _standards(x, weights)
    standardised = (x[None] - mean[:, None, :]) * scale[:, None, :]
    return np.concatenate([np.ones((*weights.shape, 1)), standardised], axis=2)


def _standards(
    x: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(fits, k) mean and 1 / SD of those who count; 0 in place of 1 / SD where none varies."""
    middle = x.mean(axis=0)  # taken off first, so that squares do not cancel
    share = weights / weights.sum(1, keepdims=True)
    mean = share @ (x - middle)
    variance = np.maximum(share @ (x - middle) ** 2 - mean**2, 0)
    varies = np.sqrt(variance) > 1e-7 * np.abs(x - middle).max(axis=0, initial=0)
    return mean + middle, np.where(varies, 1 / np.sqrt(np.where(varies, variance, 1.0)), 0.0)


def _balanced(patient: NDArray[np.bool_], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """(fits, n) weights of which each group has half."""
    n = weights.sum(1, keepdims=True)
    cases = (weights * patient).sum(1, keepdims=True)
    balanced: NDArray[np.float64] = weights * np.where(
        patient, n / (2 * cases), n / (2 * (n - cases))
    )
    return balanced
