"""Effect sizes against statsmodels, scipy, R's published values and numerical integration."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats
from statsmodels.stats.meta_analysis import effectsize_smd

from ALSMotorCortexLib.study.statistics.effect_sizes import (
    cliffs_delta,
    hedges_g,
    noncentrality,
)


def groups(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(0.8, 1, 22), rng.normal(0, 1.3, 14)


def test_hedges_g_against_statsmodels_up_to_its_approximate_correction() -> None:
    a, b = groups()
    theirs, _ = effectsize_smd(a.mean(), a.std(ddof=1), len(a), b.mean(), b.std(ddof=1), len(b))
    df = len(a) + len(b) - 2
    exact = math.gamma(df / 2) / (math.sqrt(df / 2) * math.gamma((df - 1) / 2))
    approximate = 1 - 3 / (4 * (df + 2) - 9)  # what statsmodels multiplies with
    assert hedges_g(a, b).value == pytest.approx(theirs / approximate * exact, rel=1e-9)


@pytest.mark.parametrize("t", [-3.1, 0.0, 2.2, 14.0])
def test_interval_solves_the_noncentral_t_by_numerical_integration(t: float) -> None:
    """P(T < t) as the mean of a normal probability over the chi distribution of the SD."""
    df = 34

    def below(nc: float) -> float:
        def at(v: float) -> float:
            return float(stats.norm.cdf(t * math.sqrt(v / df) - nc) * stats.chi2.pdf(v, df))

        return float(integrate.quad(at, 0, 200, limit=400, epsabs=1e-12)[0])

    low, high = noncentrality(t, df)
    assert below(low) == pytest.approx(0.975, abs=1e-8)
    assert below(high) == pytest.approx(0.025, abs=1e-8)


def test_an_enormous_difference_still_has_an_interval() -> None:
    a, b = groups()
    g = hedges_g(a + 1000, b)
    assert g.low < g.value < g.high


def test_cliffs_delta_gives_the_estimate_of_r_s_effsize() -> None:
    """The example in effsize's own tests."""
    treatment = np.array([10.0, 10, 20, 20, 20, 30, 30, 30, 40, 50])
    control = np.array([10.0, 20, 30, 40, 40, 50])
    assert cliffs_delta(treatment, control).value == pytest.approx(-0.25, abs=1e-12)


def test_cliffs_delta_is_the_mann_whitney_u_on_another_scale() -> None:
    a, b = groups(3)
    u = stats.mannwhitneyu(a, b).statistic
    assert cliffs_delta(a, b).value == pytest.approx(2 * u / (len(a) * len(b)) - 1, rel=1e-12)


def test_effect_sizes_change_sign_with_the_groups_and_ignore_the_unit() -> None:
    a, b = groups(5)
    for measure in (hedges_g, cliffs_delta):
        there, back, scaled = measure(a, b), measure(b, a), measure(25.4 * a + 3, 25.4 * b + 3)
        assert back.value == pytest.approx(-there.value)
        assert (back.low, back.high) == pytest.approx((-there.high, -there.low))
        assert (scaled.value, scaled.low) == pytest.approx((there.value, there.low))


def test_without_spread_there_is_no_g() -> None:
    assert not hedges_g(np.ones(4), np.zeros(4)).known
    assert not hedges_g(np.ones(1), np.zeros(4)).known
