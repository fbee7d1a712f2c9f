"""ROC against scikit-learn, the jackknife, and by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score, roc_curve

from ALSMotorCortexLib.study.statistics import roc


def groups(seed: int = 0, tied: bool = False) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p, c = rng.normal(1, 1, 22), rng.normal(0, 1, 14)
    return (np.round(p), np.round(c)) if tied else (p, c)


def joined(p: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate([p, c]), np.repeat([True, False], [len(p), len(c)])


@pytest.mark.parametrize("tied", [False, True])
def test_area_and_curve_against_scikit_learn(tied: bool) -> None:
    p, c = groups(tied=tied)
    values, is_patient = joined(p, c)
    assert roc.auc(p, c).value == pytest.approx(roc_auc_score(is_patient, values), abs=1e-12)
    false, true, _ = roc_curve(is_patient, values, drop_intermediate=False)
    got = roc.curve(p, c)
    assert got[0] == pytest.approx(false) and got[1] == pytest.approx(true)
    assert np.trapezoid(got[1], got[0]) == pytest.approx(roc.auc(p, c).value)


@pytest.mark.parametrize("tied", [False, True])
def test_delong_s_variance_is_the_jackknife_s(tied: bool) -> None:
    """Leaving out one patient, or one control, at a time (Arvesen, Ann Math Stat 1969, 40:2076)
    gives the same variance; here with the area recomputed from scratch."""
    p, c = groups(2, tied)

    def area(p: np.ndarray, c: np.ndarray) -> float:
        values, is_patient = joined(p, c)
        return float(roc_auc_score(is_patient, values))

    without_p = np.array([area(np.delete(p, i), c) for i in range(len(p))])
    without_c = np.array([area(p, np.delete(c, i)) for i in range(len(c))])
    variance = sum(
        (len(w) - 1) / len(w) * ((w - w.mean()) ** 2).sum() for w in (without_p, without_c)
    )
    error = roc.delong_error(roc.comparisons(p, c))
    assert error == pytest.approx(math.sqrt(variance), rel=1e-9)


def test_interval_is_symmetric_in_the_log_odds() -> None:
    p, c = groups(3)
    got, error = roc.auc(p, c, level=0.95), roc.delong_error(roc.comparisons(p, c))

    def logit(a: float) -> float:
        return math.log(a / (1 - a))

    half = 1.959963984540054 * error / (got.value * (1 - got.value))
    assert logit(got.high) - logit(got.value) == pytest.approx(half, rel=1e-9)
    assert logit(got.value) - logit(got.low) == pytest.approx(half, rel=1e-9)


def test_perfect_separation_has_an_interval_below_one() -> None:
    got = roc.auc(np.arange(5.0) + 10, np.arange(8.0))
    assert (got.value, got.high) == (1, 1)
    assert got.low == pytest.approx(5 / (5 + 1.959963984540054**2), rel=1e-9)
    assert roc.auc(np.arange(8.0), np.arange(5.0) + 10).low == 0


def test_youden_maximises_over_all_thresholds_and_both_directions() -> None:
    for seed in range(20):
        p, c = groups(seed, tied=seed % 2 == 1)
        p = -p if seed % 3 == 0 else p
        c = -c if seed % 3 == 0 else c
        rule = roc.youden(p, c)
        assert rule.sign == (-1 if seed % 3 == 0 else 1)
        j = rule.calls(p).mean() - rule.calls(c).mean()
        every = [
            ((rule.sign * p >= t).mean() - (rule.sign * c >= t).mean())
            for t in rule.sign * np.concatenate([p, c])
        ]
        assert j == pytest.approx(max(every), abs=1e-12)
        assert roc.apparent(p, c).sensitivity.value == rule.calls(p).mean()


def test_youden_lies_in_the_gap() -> None:
    rule = roc.youden(np.array([1.0, 2, 3]), np.array([7.0, 8, 9]))
    assert (rule.threshold, rule.sign) == (5, -1)
    assert rule.calls(np.array([4.9, 5.0, 5.1])).tolist() == [True, True, False]


@given(st.integers(0, 10_000))
def test_only_the_order_matters_for_the_area(seed: int) -> None:
    p, c = groups(seed)
    there, bent, back = roc.auc(p, c), roc.auc(np.exp(p), np.exp(c)), roc.auc(c, p)
    assert bent == there
    assert (back.low, back.high) == pytest.approx((1 - there.high, 1 - there.low))


def test_a_constant_measure_decides_nothing() -> None:
    constant = np.ones(5)
    assert roc.auc(constant, constant).value == 0.5
    assert roc.apparent(constant, constant).sensitivity.value == 1
    assert not roc.auc(np.zeros(0), constant).known
