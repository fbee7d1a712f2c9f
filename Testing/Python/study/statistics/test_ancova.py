"""The adjusted difference against statsmodels."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from statsmodels.stats.anova import anova_lm

from ALSMotorCortexLib.study.statistics.ancova import (
    ancova,
    independent,
    indicator_columns,
    least_squares,
)


def table(seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "group": np.repeat([1, 0], [22, 14]),
            "age": rng.normal(60, 9, 36),
            "sex": rng.choice(["F", "M", "X"], 36),
        }
    )
    frame["y"] = 2.5 - 0.3 * frame.group - 0.01 * frame.age + rng.normal(0, 0.2, 36)
    return frame


def covariates(frame: pd.DataFrame) -> np.ndarray:
    return np.column_stack([frame.age, indicator_columns(list(frame.sex))])


def test_adjusted_difference_against_statsmodels() -> None:
    frame = table()
    got = ancova(frame.y.to_numpy(), frame.group.to_numpy() == 1, covariates(frame), 0.9)
    assert got is not None
    model = smf.ols("y ~ group + age + C(sex)", frame).fit()
    low, high = model.conf_int(0.1).loc["group"]
    assert (got.difference.value, got.difference.low, got.difference.high) == pytest.approx(
        (model.params["group"], low, high), rel=1e-8
    )
    assert (got.t, got.df, got.p) == pytest.approx(
        (model.tvalues["group"], model.df_resid, model.pvalues["group"]), rel=1e-8
    )
    squares = anova_lm(model, typ=2).sum_sq
    eta = squares["group"] / (squares["group"] + squares["Residual"])
    assert got.partial_eta_squared == pytest.approx(eta, rel=1e-8)
    assert got.n == 36


def test_adjusted_means_against_statsmodels_predictions_at_the_mean_covariates() -> None:
    frame = table(1)
    got = ancova(frame.y.to_numpy(), frame.group.to_numpy() == 1, frame[["age"]].to_numpy())
    assert got is not None
    at = pd.DataFrame({"group": [1, 0], "age": [frame.age.mean()] * 2})
    means = smf.ols("y ~ group + age", frame).fit().get_prediction(at).summary_frame()
    for mine, theirs in zip((got.first, got.second), means.itertuples(), strict=True):
        assert (mine.value, mine.low, mine.high) == pytest.approx(
            (theirs.mean, theirs.mean_ci_lower, theirs.mean_ci_upper), rel=1e-8
        )


def test_equal_slopes_against_statsmodels() -> None:
    frame = table(2)
    got = ancova(frame.y.to_numpy(), frame.group.to_numpy() == 1, covariates(frame))
    assert got is not None
    narrow = smf.ols("y ~ group + age + C(sex)", frame).fit()
    wide = smf.ols("y ~ group * (age + C(sex))", frame).fit()
    assert got.slopes_p == pytest.approx(anova_lm(narrow, wide)["Pr(>F)"][1], rel=1e-7)


def test_a_covariate_that_follows_from_the_group_leaves_nothing_to_estimate() -> None:
    frame = table()
    group = frame.group.to_numpy() == 1
    assert ancova(frame.y.to_numpy(), group, 3.0 * group[:, None] + 1) is None
    assert ancova(frame.y.to_numpy()[:3], group[20:23], frame[["age"]].to_numpy()[:3]) is None


def test_rank_does_not_depend_on_units() -> None:
    x = np.random.default_rng(0).normal(size=(20, 2)) * [1e-9, 1e9]
    assert independent(x)
    assert not independent(np.column_stack([x, x @ [1e9, 1e-9]]))


def test_least_squares_recovers_an_exact_line() -> None:
    x = np.arange(8.0)
    fit = least_squares(3 - 2 * x, np.column_stack([np.ones(8), x]))
    assert fit is not None
    assert fit.coefficients == pytest.approx([3, -2])
    assert fit.sum_of_squares == pytest.approx(0, abs=1e-20)


def test_indicators_leave_out_the_first_category() -> None:
    assert indicator_columns(["M", "F", "X", "F"]).tolist() == [[1, 0], [0, 0], [0, 1], [0, 0]]
    assert indicator_columns(["F", "F"]).shape == (2, 0)
