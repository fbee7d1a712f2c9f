"""One person among controls: published results, and the same by other means."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from ALSMotorCortexLib.study.statistics.single_case import crawford_howell, regression_based


def sample(n: int, mean: float = 0.0, sd: float = 1.0, seed: int = 0) -> np.ndarray:
    """n values with exactly this mean and standard deviation."""
    x = np.random.default_rng(seed).normal(size=n)
    return mean + sd * (x - x.mean()) / x.std(ddof=1)


def correlated(
    n: int, y: tuple[float, float], x: tuple[float, float], r: float
) -> tuple[np.ndarray, np.ndarray]:
    """y and x (n,) with exactly these (mean, SD) and this correlation."""
    a, b = sample(n, seed=1), sample(n, seed=2)
    b = b - a * (a @ b) / (a @ a)
    b /= b.std(ddof=1)
    return y[0] + y[1] * (r * a + math.sqrt(1 - r * r) * b), x[0] + x[1] * a


def test_published_test_of_deficit() -> None:
    """The example in the manual of the R package singcar (Rittmo and McIntosh, JOSS 2021,
    6:3887): z -1.754857 among 28 controls; t -1.7243, 4.804003 % below, one-sided p 0.04804. Its
    interval, 0.95 to 12.47 %, is found in steps of 0.01 and always widened; the one that the same
    manual computes by simulation is 0.96 to 12.44 %."""
    got = crawford_howell(-1.754857, sample(28))
    assert got is not None
    assert got.t == pytest.approx(-1.7243, abs=5e-5)
    assert 100 * got.below.value == pytest.approx(4.804003, abs=2e-5)
    assert got.p / 2 == pytest.approx(got.below.value, rel=1e-12)
    assert 100 * got.below.low == pytest.approx(0.96, abs=0.006)
    assert 100 * got.below.high == pytest.approx(12.44, abs=0.006)
    assert (got.z.low, got.z.high) == pytest.approx((-2.34, -1.15), abs=0.006)


def test_published_comparison_at_an_equal_covariate() -> None:
    """What the authors' program gives for a case of 78 with covariate 13, controls of mean 100
    (SD 15), covariate 13 (3), correlation 0.65, n = 18: p 0.04362, z -2.653 to -1.071, 0.3987 to
    14.2189 % (tests of singcar, by simulation, so to about 1 %)."""
    y, x = correlated(18, (100, 15), (13, 3), 0.65)
    got = regression_based(78.0, np.array([13.0]), y, x[:, None])
    assert got is not None
    assert got.below.value == pytest.approx(0.04362, rel=0.01)
    assert (got.z.low, got.z.high) == pytest.approx((-2.653, -1.071), rel=0.01)
    assert 100 * got.below.low == pytest.approx(0.3987, rel=0.03)
    assert 100 * got.below.high == pytest.approx(14.2189, rel=0.01)


@pytest.mark.parametrize(("value", "n"), [(2.1, 5), (2.9, 14), (3.6, 36), (2.0, 100)])
def test_crawford_howell_against_scipy(value: float, n: int) -> None:
    """It is Student's test of one value against a sample; the interval by scipy's own noncentral
    t."""
    controls = np.random.default_rng(n).normal(2.5, 0.3, n)
    got = crawford_howell(value, controls)
    assert got is not None
    pooled = stats.ttest_ind_from_stats(value, 0.0, 1, controls.mean(), controls.std(ddof=1), n)
    assert (got.t, got.p) == pytest.approx((pooled.statistic, pooled.pvalue), rel=1e-9)
    z = (value - controls.mean()) / controls.std(ddof=1)
    ends = [
        optimize.brentq(
            lambda d, p=p: stats.nct.cdf(z * math.sqrt(n), n - 1, d) - p,
            z * math.sqrt(n) - 9, z * math.sqrt(n) + 9, xtol=1e-12,
        ) / math.sqrt(n)
        for p in (0.975, 0.025)
    ]  # fmt: skip
    assert (got.z.value, got.z.low, got.z.high) == pytest.approx((z, *ends), rel=1e-6)
    assert (got.below.low, got.below.high) == pytest.approx(stats.norm.cdf(ends), rel=1e-6)


def test_regression_against_statsmodels() -> None:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"age": rng.normal(60, 9, 14), "sex": rng.integers(0, 2, 14)})
    frame["y"] = 3.2 - 0.01 * frame.age + 0.1 * frame.sex + rng.normal(0, 0.15, 14)
    at = np.array([71.0, 1.0])
    got = regression_based(2.2, at, frame.y.to_numpy(), frame[["age", "sex"]].to_numpy(float))
    assert got is not None
    model = smf.ols("y ~ age + sex", frame).fit()
    found = model.get_prediction(pd.DataFrame({"age": [71.0], "sex": [1]}))
    row = found.summary_frame(alpha=0.05).iloc[0]
    assert (got.expected.value, got.expected.low, got.expected.high) == pytest.approx(
        (row["mean"], row["obs_ci_lower"], row["obs_ci_upper"]), rel=1e-9
    )
    t = (2.2 - row["mean"]) / found.se_obs[0]
    assert (got.t, got.df) == pytest.approx((t, model.df_resid), rel=1e-9)
    assert got.below.value == pytest.approx(stats.t.cdf(t, model.df_resid), rel=1e-9)
    assert got.sd == pytest.approx(math.sqrt(model.mse_resid), rel=1e-9)
    assert got.leverage == pytest.approx(row["mean_se"] ** 2 / model.mse_resid, rel=1e-9)


@pytest.mark.parametrize("covariates", [0, 2])
@pytest.mark.parametrize("z", [0.0, -2.0])
def test_intervals_hold_the_share_in_95_percent(covariates: int, z: float) -> None:
    """Controls drawn anew each time; the truth is the person's share in their population."""
    rng = np.random.default_rng(7)
    repeats, n, inside, predicted = 700, 14, 0, 0
    at = np.array([1.5, 1.0])[:covariates]
    slopes = np.array([0.8, -0.5])[:covariates]
    for _ in range(repeats):
        x = np.column_stack([rng.normal(size=n), rng.integers(0, 2, n)])[:, :covariates]
        controls = x @ slopes + rng.normal(size=n)
        got = regression_based(float(at @ slopes) + z, at, controls, x)
        assert got is not None
        inside += got.below.low <= stats.norm.cdf(z) <= got.below.high
        new = float(at @ slopes) + rng.normal()
        predicted += got.expected.low <= new <= got.expected.high
    error = math.sqrt(0.95 * 0.05 / repeats)
    assert inside / repeats == pytest.approx(0.95, abs=3 * error)
    assert predicted / repeats == pytest.approx(0.95, abs=3 * error)


def test_a_new_control_is_called_unusual_as_often_as_said() -> None:
    """A plain z would call 7.2 % of new controls unusual with 14 controls; this calls 5 %."""
    rng = np.random.default_rng(8)
    repeats = 2000
    p = [crawford_howell(rng.normal(), rng.normal(size=14)) for _ in range(repeats)]
    share = np.mean([one is not None and one.p <= 0.05 for one in p])
    assert share == pytest.approx(0.05, abs=3 * math.sqrt(0.05 * 0.95 / repeats))


@given(
    value=st.floats(-5, 5), scale=st.floats(0.01, 100), shift=st.floats(-1e3, 1e3),
    n=st.integers(3, 40),
)  # fmt: skip
def test_units_do_not_matter(value: float, scale: float, shift: float, n: int) -> None:
    controls = sample(n, seed=n)
    a = crawford_howell(value, controls)
    b = crawford_howell(value * scale + shift, controls * scale + shift)
    assert a is not None and b is not None
    for mine, theirs in ((a.z, b.z), (a.below, b.below)):
        assert (mine.value, mine.low, mine.high) == pytest.approx(
            (theirs.value, theirs.low, theirs.high), rel=1e-5, abs=1e-7
        )
    assert a.z.low <= a.z.value <= a.z.high


@pytest.mark.parametrize("n", [3, 4, 14, 200])
@pytest.mark.parametrize("z", [-60.0, -9.0, 0.0, 25.0])
def test_extreme_values_have_an_interval(z: float, n: int) -> None:
    """As a person without two thirds of the cortex would. Checked by the definition: the t of a
    person at either end lies at the measured one in 2.5 % of samples."""
    got = crawford_howell(z, sample(n))
    assert got is not None
    assert got.z.low < z < got.z.high
    for end, p in ((got.z.low, 0.975), (got.z.high, 0.025)):
        chi = stats.chi2.ppf((np.arange(20_000) + 0.5) / 20_000, n - 1)
        inner = z * math.sqrt(n) * np.sqrt(chi / (n - 1)) - end * math.sqrt(n)
        assert stats.norm.cdf(inner).mean() == pytest.approx(p, abs=1e-4)


def test_what_cannot_be_compared() -> None:
    assert crawford_howell(1.0, np.array([2.0])) is None
    assert crawford_howell(1.0, np.full(5, 2.0)) is None
    x = np.array([[1.0], [2.0], [3.0], [4.0]])
    assert regression_based(1.0, np.array([2.0]), 3 * x[:, 0], x) is None
    same = np.ones((4, 1))
    assert regression_based(1.0, np.array([1.0]), np.array([1.0, 2, 4, 3]), same) is None
