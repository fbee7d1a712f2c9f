"""Descriptions against scipy and statsmodels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.weightstats import DescrStatsW

from ALSMotorCortexLib.study.statistics.descriptive import describe


def test_description_against_scipy_and_statsmodels() -> None:
    values = np.random.default_rng(1).gamma(3, 2, 23)
    holed = np.insert(values, [3, 9, 9], np.nan)
    got = describe(holed, level=0.9)
    assert (got.n, got.missing) == (23, 3)
    low, high = DescrStatsW(values).tconfint_mean(alpha=0.1)
    assert (got.mean.value, got.mean.low, got.mean.high) == pytest.approx(
        (stats.tmean(values), low, high), rel=1e-9
    )
    assert got.sd == pytest.approx(stats.tstd(values), rel=1e-12)
    quartiles = stats.scoreatpercentile(values, [25, 50, 75])
    assert (got.q25, got.median, got.q75) == pytest.approx(tuple(quartiles), rel=1e-12)
    assert (got.minimum, got.maximum) == (values.min(), values.max())


def test_one_value_has_no_spread_and_none_has_nothing() -> None:
    one = describe(np.array([2.5]))
    assert (one.n, one.mean.value, one.median) == (1, 2.5, 2.5)
    assert math.isnan(one.sd) and math.isnan(one.mean.low)
    none = describe(np.array([np.nan, np.nan]))
    assert (none.n, none.missing) == (0, 2)
    assert not none.mean.known and math.isnan(none.median)
