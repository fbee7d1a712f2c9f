"""Receiver operating characteristic of one measure, and the same cross-validated.

``patients`` and ``controls`` are the measure's values in both groups. Whether patients have the
higher or the lower values is found from the data, :func:`direction`, and so belongs to what is
cross-validated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from .interval import LEVEL, UNKNOWN, Estimate, normal_quantile
from .proportions import Accuracy, wilson

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Rule:
    """A threshold: ``sign`` times value at or above ``sign`` times ``threshold`` is a patient."""

    threshold: float
    sign: int

    def calls(self, values: Values) -> NDArray[np.bool_]:
        """Which values (n,) are called patient."""
        return self.sign * values >= self.sign * self.threshold


def comparisons(patients: Values, controls: Values) -> Values:
    """(m, n): 1 where the patient's value is higher, 0 lower, one half equal."""
    return (np.sign(patients[:, None] - controls[None, :]) + 1) / 2


def direction(patients: Values, controls: Values) -> int:
    """1 where patients have rather the higher values, else -1."""
    return 1 if comparisons(patients, controls).mean() >= 0.5 else -1


def auc(patients: Values, controls: Values, level: float = LEVEL) -> Estimate:
    """Area under the ROC curve with DeLong's variance; above 0.5 where patients are higher.

    The area is the share of pairs in which the patient is higher. Its interval is symmetric on
    the logit scale, see :func:`delong_interval`.

    Source: DeLong, DeLong and Clarke-Pearson, Biometrics 1988, 44:837.
    """
    if not len(patients) or not len(controls):
        return UNKNOWN
    return delong_interval(comparisons(patients, controls), level)


def delong_interval(pairs: Values, level: float = LEVEL) -> Estimate:
    """The mean of the comparisons (m, n) and its interval.

    logit(area) +- z s / (area (1 - area)), s from :func:`delong_error`. On the area's own scale
    the same s covers less: for normal values of 22 and 14 it held an area of 0.92 in 86 % of
    repeats, and this one in 95 %. Where all pairs agree s is 0 and says nothing; there the
    interval is Wilson's for the smaller group, all of whose members are right.

    Source: Qin and Hotilovac, Stat Methods Med Res 2008, 17:207 (logit transformation).
    """
    area = float(pairs.mean())
    error = delong_error(pairs)
    if area in (0.0, 1.0):
        n = min(pairs.shape)
        bound = wilson(n if area else 0, n, level)
        return Estimate(area, bound.low, bound.high)
    if not math.isfinite(error):
        return Estimate(area, math.nan, math.nan)
    half = normal_quantile(level) * error / (area * (1 - area))
    middle = special.logit(area)
    return Estimate(area, float(special.expit(middle - half)), float(special.expit(middle + half)))


def delong_error(pairs: Values) -> float:
    """Standard error of the mean of the comparisons (m, n), from the variance of its rows' and
    columns' means; NaN from fewer than two of either."""
    m, n = pairs.shape
    if min(m, n) < 2:
        return math.nan
    return math.sqrt(pairs.mean(1).var(ddof=1) / m + pairs.mean(0).var(ddof=1) / n)


def curve(patients: Values, controls: Values) -> tuple[Values, Values]:
    """False- and true-positive rates, from (0, 0) to (1, 1), as the threshold falls.

    Higher values are called patient; change both signs for the other way.
    """
    thresholds = np.unique(np.concatenate([patients, controls]))[::-1]
    rates = [
        np.concatenate([[0.0], (group[None, :] >= thresholds[:, None]).mean(1)])
        for group in (controls, patients)
    ]
    return rates[0], rates[1]


def youden(patients: Values, controls: Values) -> Rule:
    """The threshold of the largest sensitivity + specificity - 1.

    It lies half-way between neighbouring values. Of equally good ones it is the one with the
    larger gap around it, then the one nearest the middle of both medians.

    Source: Youden, Cancer 1950, 3:32.
    """
    sign = direction(patients, controls)
    p, c = sign * patients, sign * controls
    values = np.unique(np.concatenate([p, c]))
    if len(values) == 1:
        return Rule(float(sign * values[0]), sign)
    cuts, gaps = (values[1:] + values[:-1]) / 2, np.diff(values)
    index = (p[None, :] >= cuts[:, None]).mean(1) + (c[None, :] < cuts[:, None]).mean(1)
    best = np.flatnonzero(index >= index.max() - 1e-12)
    middle = (np.median(p) + np.median(c)) / 2
    chosen = best[np.lexsort((np.abs(cuts[best] - middle), -gaps[best]))[0]]
    return Rule(float(sign * cuts[chosen]), sign)


def apparent(patients: Values, controls: Values, level: float = LEVEL) -> Accuracy:
    """Accuracy at Youden's threshold on the values that it was chosen on: too good."""
    rule = youden(patients, controls)
    values, is_patient = _joined(patients, controls)
    return Accuracy.of(rule.calls(values), is_patient, level)


def leave_one_out(patients: Values, controls: Values, level: float = LEVEL) -> Accuracy:
    """Accuracy where each participant's direction and threshold come from all others.

    Source: Lachenbruch and Mickey, Technometrics 1968, 10:1 (leaving one out).
    """
    values, is_patient = _joined(patients, controls)
    called = np.zeros(len(values), dtype=bool)
    for i in range(len(values)):
        others = np.arange(len(values)) != i
        rule = youden(values[others & is_patient], values[others & ~is_patient])
        called[i] = rule.calls(values[i : i + 1])[0]
    return Accuracy.of(called, is_patient, level)


def leave_pair_out(patients: Values, controls: Values, level: float = LEVEL) -> Estimate:
    """Area under the curve where each pair's direction comes from all others.

    Pooling predictions that leave one out would count the shift between folds; leaving out
    pairs does not, because both values of a pair are compared within one fold.

    Source: Airola et al., Comput Stat Data Anal 2011, 55:1828.
    """
    pairs = comparisons(patients, controls)
    m, n = pairs.shape
    if min(m, n) < 2:
        return UNKNOWN
    rest = pairs.sum() - pairs.sum(1, keepdims=True) - pairs.sum(0, keepdims=True) + pairs
    upwards = rest >= 0.5 * (m - 1) * (n - 1)
    return delong_interval(np.where(upwards, pairs, 1 - pairs), level)


def _joined(patients: Values, controls: Values) -> tuple[Values, NDArray[np.bool_]]:
    values = np.concatenate([patients, controls])
    return values, np.arange(len(values)) < len(patients)
