"""Correlations against scipy, statsmodels, R's published values, and the precision matrix."""

from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from ALSMotorCortexLib.study.statistics.correlation import partial, pearson, spearman


def data(seed: int = 0, n: int = 22) -> np.ndarray:
    mix = np.array([[1, 0.5, 0.3, 0], [0, 1, 0.2, 0.4], [0, 0, 1, 0.1], [0, 0, 0, 1]])
    return np.random.default_rng(seed).normal(size=(n, 4)) @ mix


def test_pearson_against_scipy() -> None:
    x, y = data()[:, :2].T
    got, theirs = pearson(x, y, 0.9), stats.pearsonr(x, y)
    interval = theirs.confidence_interval(0.9)
    assert (got.r.value, got.p) == pytest.approx((theirs.statistic, theirs.pvalue), rel=1e-9)
    assert (got.r.low, got.r.high) == pytest.approx((interval.low, interval.high), rel=1e-9)
    assert got.n == 22


def test_spearman_against_scipy_with_ties() -> None:
    x, y = np.round(data(1)[:, :2].T)
    got, theirs = spearman(x, y), stats.spearmanr(x, y)
    assert (got.r.value, got.p) == pytest.approx((theirs.statistic, theirs.pvalue), rel=1e-9)


@pytest.mark.parametrize("tied", [False, True])
def test_spearman_of_few_pairs_is_exact_against_scipy_s_permutation_test(tied: bool) -> None:
    x, y = data(4, n=6)[:, :2].T
    x, y = (np.round(x), np.round(y)) if tied else (x, y)
    theirs = stats.permutation_test(
        (x,), lambda a: stats.spearmanr(a, y).statistic, permutation_type="pairings"
    )
    as_far = np.abs(theirs.null_distribution) >= abs(theirs.statistic) - 1e-12
    assert spearman(x, y).p == pytest.approx(as_far.mean(), rel=1e-9)


def test_a_perfect_order_of_few_is_no_proof() -> None:
    """Two of the 24 orders of four things are as far from 0."""
    assert spearman(np.arange(4.0), np.arange(4.0) ** 3).p == pytest.approx(2 / 24)
    assert 0 < spearman(np.arange(12.0), np.arange(12.0) ** 3).p < 1e-8


def test_spearman_s_interval_gives_bonett_s_example() -> None:
    """The example of ci.spear in D. Bonett's R package statpsych."""
    y = np.array([21.0, 4, 9, 12, 35, 18, 10, 22, 24, 1, 6, 8, 13, 16, 19])
    x = np.array([67.0, 28, 30, 28, 52, 40, 25, 37, 44, 10, 14, 20, 28, 40, 51])
    got = spearman(x, y).r
    assert (got.value, got.low, got.high) == pytest.approx(
        (0.8699639, 0.5840951, 0.9638297), abs=5e-8
    )


@pytest.mark.parametrize("held", [1, 2])
def test_partial_against_the_precision_matrix_and_statsmodels(held: int) -> None:
    """r = -P12 / sqrt(P11 P22), P the inverse covariance; p is that of x in the regression of y
    on x and what is held."""
    values = data(2)[:, : 2 + held]
    got = partial(values[:, 0], values[:, 1], values[:, 2:])
    inverse = np.linalg.inv(np.cov(values.T))
    r = -inverse[0, 1] / math.sqrt(inverse[0, 0] * inverse[1, 1])
    assert got.r.value == pytest.approx(r, rel=1e-9)
    model = sm.OLS(values[:, 1], sm.add_constant(np.delete(values, 1, axis=1))).fit()
    assert got.p == pytest.approx(model.pvalues[1], rel=1e-9)
    half = stats.norm.ppf(0.975) / math.sqrt(22 - held - 3)
    assert got.r.high == pytest.approx(math.tanh(math.atanh(r) + half), rel=1e-9)


def test_partial_with_nothing_held_is_pearson() -> None:
    x, y = data(3)[:, :2].T
    got, plain = partial(x, y, np.zeros((22, 0))), pearson(x, y)
    assert got.r.low == pytest.approx(plain.r.low) and got.p == pytest.approx(plain.p)


@given(st.integers(0, 10_000))
def test_symmetric_and_blind_to_units(seed: int) -> None:
    x, y, z, _ = data(seed).T
    for f in (pearson, spearman, lambda a, b: partial(a, b, z[:, None])):
        there, back, turned = f(x, y), f(y, x), f(-3 * x + 2, y)
        assert back.r.value == pytest.approx(there.r.value, abs=1e-9)
        assert (turned.r.value, turned.r.low) == pytest.approx(
            (-there.r.value, -there.r.high), abs=1e-9
        )


def test_what_has_no_correlation_is_nan() -> None:
    x, y = data()[:, :2].T
    assert math.isnan(pearson(np.ones(22), y).p) and not pearson(np.ones(22), y).r.known
    assert not spearman(np.ones(22), y).r.known
    assert not pearson(x[:2], y[:2]).r.known
    assert not partial(x, y, x[:, None]).r.known, "all of x is held constant"
    perfect = pearson(x, 2 * x)
    assert perfect.r.value == pytest.approx(1) and perfect.p < 1e-6
    three = pearson(x[:3], y[:3])
    assert three.r.known and math.isnan(three.r.low), "no interval from three pairs"
