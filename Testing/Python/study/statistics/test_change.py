"""Change and its error of measurement: a published example, statsmodels, and coverage."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from scipy import stats
from statsmodels.stats.anova import anova_lm

from ALSMotorCortexLib.study.statistics.change import Repeatability, change, repeatability

# Bland and Altman, BMJ 1996, 313:744, table 1: four measurements of peak expiratory flow in
# l/min of each of 20 schoolchildren.
CHILDREN = np.array(
    [
        [190, 220, 200, 200], [220, 200, 240, 230], [260, 260, 240, 280], [210, 300, 280, 265],
        [270, 265, 280, 270], [280, 280, 270, 275], [260, 280, 280, 300], [275, 275, 275, 305],
        [280, 290, 300, 290], [320, 290, 300, 290], [300, 300, 310, 300], [270, 250, 330, 370],
        [320, 330, 330, 330], [335, 320, 335, 375], [350, 320, 340, 365], [360, 320, 350, 345],
        [330, 340, 380, 390], [335, 385, 360, 370], [400, 420, 425, 420], [430, 460, 480, 470],
    ],
    float,
)  # fmt: skip


def test_published_within_subject_sd() -> None:
    """The paper's residual mean square is 460.52, and the standard deviation 21.5 l/min."""
    got = repeatability(list(CHILDREN))
    assert got is not None
    assert got.sd.value**2 == pytest.approx(460.52, abs=0.005)
    assert (got.df, got.subjects) == (60, 20)


def test_within_subject_sd_against_statsmodels_with_unequal_repeats() -> None:
    rows = [CHILDREN[0], CHILDREN[1, :2], CHILDREN[2, :3], CHILDREN[3, :1]]
    got = repeatability(rows)
    assert got is not None
    frame = pd.DataFrame(
        [(i, value) for i, row in enumerate(rows) for value in row], columns=["child", "y"]
    )
    model = smf.ols("y ~ C(child)", frame).fit()
    squares = anova_lm(model).loc["Residual", "mean_sq"]
    assert got.sd.value == pytest.approx(math.sqrt(squares), rel=1e-9)
    assert got.df == model.df_resid
    low, high = (math.sqrt(squares * got.df / stats.chi2.ppf(p, got.df)) for p in (0.975, 0.025))
    assert (got.sd.low, got.sd.high) == pytest.approx((low, high), rel=1e-9)
    assert got.detectable == pytest.approx(
        stats.t.ppf(0.975, got.df) * math.sqrt(2 * squares), rel=1e-9
    )
    assert got.subjects == 3


def test_many_subjects_give_the_usual_factor() -> None:
    """With many subjects the minimal detectable change is 1.96 sqrt(2) sd, and pairs give
    sqrt(sum d^2 / 2n)."""
    rng = np.random.default_rng(0)
    pairs = rng.normal(0, 0.05, (5000, 2)) + rng.normal(3, 0.3, (5000, 1))
    got = repeatability(list(pairs))
    assert got is not None
    d = pairs[:, 1] - pairs[:, 0]
    assert got.sd.value == pytest.approx(math.sqrt((d**2).sum() / 2 / len(d)), rel=1e-9)
    assert got.detectable == pytest.approx(1.96 * math.sqrt(2) * got.sd.value, rel=1e-3)
    assert got.bias.value == pytest.approx(d.mean(), rel=1e-9)


def test_slope_against_statsmodels() -> None:
    rng = np.random.default_rng(1)
    months = np.array([0.0, 3.1, 6.2, 12.4, 18.0])
    values = 3.1 - 0.012 * months + rng.normal(0, 0.03, 5)
    got = change(months[::-1], values[::-1])
    assert got is not None
    model = sm.OLS(values, sm.add_constant(months)).fit()
    low, high = model.conf_int()[1]
    assert (got.slope.value, got.slope.low, got.slope.high) == pytest.approx(
        (model.params[1], low, high), rel=1e-9
    )
    assert got.p == pytest.approx(model.pvalues[1], rel=1e-9)
    assert (got.first, got.last, got.months, got.n) == (values[0], values[-1], 18.0, 5)
    assert not got.measured.known and got.beyond_error is None


def test_two_exams() -> None:
    error = repeatability(list(CHILDREN))
    assert error is not None
    got = change(np.array([2.0, 8.0]), np.array([300.0, 240.0]), error)
    assert got is not None
    assert got.slope.value == pytest.approx(-10)
    assert math.isnan(got.slope.low) and math.isnan(got.p)
    assert got.detectable == pytest.approx(error.detectable)
    assert got.measured.high - got.measured.value == pytest.approx(error.detectable / 6)
    assert got.beyond_error is (error.detectable < 60)


def test_intervals_hold_the_true_change_in_95_percent() -> None:
    """Error known from 12 people measured twice; three exams; an even change of -0.01 a month."""
    rng = np.random.default_rng(2)
    months, repeats, truth = np.array([0.0, 6.0, 12.0]), 1500, -0.01
    held = np.zeros(3)
    for _ in range(repeats):
        pairs = rng.normal(0, 0.04, (12, 2)) + rng.normal(3, 0.2, (12, 1))
        error = repeatability(list(pairs))
        got = change(months, 3 + truth * months + rng.normal(0, 0.04, 3), error)
        assert error is not None and got is not None
        held += [
            got.slope.low <= truth <= got.slope.high,
            got.measured.low <= truth <= got.measured.high,
            error.sd.low <= 0.04 <= error.sd.high,
        ]
    assert held / repeats == pytest.approx([0.95] * 3, abs=3 * math.sqrt(0.95 * 0.05 / repeats))


def test_an_unchanged_person_goes_beyond_the_detectable_change_in_5_percent() -> None:
    rng = np.random.default_rng(3)
    beyond, repeats = 0, 2000
    for _ in range(repeats):
        error = repeatability(list(rng.normal(size=(8, 2))))
        got = change(np.array([0.0, 6.0]), rng.normal(size=2), error)
        assert error is not None and got is not None
        assert bool(got.beyond_error) is (abs(got.last - got.first) > error.detectable)
        beyond += bool(got.beyond_error)
    assert beyond / repeats == pytest.approx(0.05, abs=3 * math.sqrt(0.05 * 0.95 / repeats))


def test_what_has_no_change_or_error() -> None:
    assert change(np.array([3.0]), np.array([1.0])) is None
    assert change(np.array([]), np.array([])) is None
    assert change(np.array([3.0, 3.0]), np.array([1.0, 2.0])) is None
    assert repeatability([np.array([1.0]), np.array([2.0])]) is None
    assert repeatability([np.array([1.0, 1.0])]) is None
    one = repeatability([np.array([1.0, 1.2])])
    assert isinstance(one, Repeatability) and not one.bias.known
