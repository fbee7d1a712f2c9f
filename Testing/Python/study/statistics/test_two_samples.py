"""Tests of two groups against scipy, statsmodels, R's published values and full enumeration."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from ALSMotorCortexLib.study.statistics.two_samples import mann_whitney, welch

# Extra sleep under two drugs: R's data set "sleep", from Student, Biometrika 1908, 6:1.
SLEEP_1 = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
SLEEP_2 = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])


def test_welch_gives_what_r_prints_for_student_s_sleep() -> None:
    got = welch(SLEEP_1, SLEEP_2)
    assert got.t == pytest.approx(-1.8608, abs=5e-5)
    assert got.df == pytest.approx(17.776, abs=5e-4)
    assert got.p == pytest.approx(0.07939, abs=5e-6)
    assert got.difference.low == pytest.approx(-3.3654832, abs=5e-8)
    assert got.difference.high == pytest.approx(0.2054832, abs=5e-8)


@pytest.mark.parametrize("sizes", [(22, 14), (3, 40), (2, 2)])
def test_welch_against_scipy_and_statsmodels(sizes: tuple[int, int]) -> None:
    rng = np.random.default_rng(sum(sizes))
    a, b = rng.normal(1, 3, sizes[0]), rng.normal(0, 1, sizes[1])
    got = welch(a, b, level=0.9)
    scipy = stats.ttest_ind(a, b, equal_var=False)
    assert (got.t, got.df, got.p) == pytest.approx((scipy.statistic, scipy.df, scipy.pvalue))
    low, high = CompareMeans(DescrStatsW(a), DescrStatsW(b)).tconfint_diff(0.1, usevar="unequal")
    assert (got.difference.low, got.difference.high) == pytest.approx((low, high), rel=1e-9)


def test_mann_whitney_is_exact_against_all_groupings() -> None:
    a, b = np.array([1.1, 2.7, 0.3, 5.0]), np.array([2.0, 6.1, 7.7, 5.5, 9.0])
    got = mann_whitney(a, b)
    both = np.concatenate([a, b])

    def u(chosen: tuple[int, ...]) -> int:
        others = np.delete(both, chosen)
        return int((both[list(chosen)][:, None] > others[None, :]).sum())

    every = np.array([u(c) for c in combinations(range(9), 4)])
    away = np.abs(every - 10)
    assert got.u == u((0, 1, 2, 3)) and got.exact
    assert got.p == pytest.approx((away >= abs(got.u - 10)).mean(), rel=1e-12)


def test_mann_whitney_with_ties_against_the_textbook_formula() -> None:
    a, b = np.array([1.0, 2, 2, 3, 5, 5, 5]), np.array([2.0, 3, 3, 4, 5, 6, 7, 7])
    got = mann_whitney(a, b)
    m, n = len(a), len(b)
    u = sum((x > y) + (x == y) / 2 for x in a for y in b)
    _, ties = np.unique(np.concatenate([a, b]), return_counts=True)
    spread = m * n / 12 * (m + n + 1 - (ties**3 - ties).sum() / ((m + n) * (m + n - 1)))
    z = (abs(u - m * n / 2) - 0.5) / math.sqrt(spread)
    assert (got.u, got.exact) == (u, False)
    assert got.p == pytest.approx(math.erfc(z / math.sqrt(2)), rel=1e-9)


@given(st.integers(0, 10_000), st.floats(-3, 3), st.floats(0.01, 100))
def test_swapping_groups_shifting_and_scaling_keep_p(seed: int, shift: float, scale: float) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(0.5, 1, 9), rng.normal(0, 2, 6)
    there, back = welch(a, b), welch(b, a)
    assert there.p == pytest.approx(back.p, rel=1e-9)
    assert there.difference.low == pytest.approx(-back.difference.high)
    moved = welch(scale * a + shift, scale * b + shift)
    assert moved.p == pytest.approx(there.p, rel=1e-6)
    assert moved.difference.low == pytest.approx(scale * there.difference.low, rel=1e-6, abs=1e-9)
    ranked = mann_whitney(a, b)
    assert mann_whitney(b, a).p == pytest.approx(ranked.p)
    assert mann_whitney(np.exp(a), np.exp(b)).p == ranked.p


def test_what_cannot_be_tested_is_nan() -> None:
    constant = np.full(4, 2.0)
    for a, b in [(np.array([1.0]), SLEEP_1), (constant, constant + 1), (np.zeros(0), SLEEP_1)]:
        assert math.isnan(welch(a, b).p) and not welch(a, b).difference.known
    assert math.isnan(mann_whitney(np.zeros(0), SLEEP_1).p)
    assert mann_whitney(constant, constant).p == 1
