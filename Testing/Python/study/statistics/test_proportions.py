"""Wilson intervals against Newcombe's published values and statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from ALSMotorCortexLib.study.statistics.proportions import Accuracy, wilson


@pytest.mark.parametrize(
    ("count", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_gives_newcombe_s_table(count: int, n: int, low: float, high: float) -> None:
    """Newcombe, Stat Med 1998, 17:857, table I, method 3."""
    got = wilson(count, n)
    assert (got.low, got.high) == pytest.approx((low, high), abs=5e-5)


def test_wilson_against_statsmodels_for_all_counts() -> None:
    for count in range(15):
        got = wilson(count, 14, level=0.9)
        theirs = proportion_confint(count, 14, alpha=0.1, method="wilson")
        assert (got.low, got.high) == pytest.approx(theirs, abs=1e-9)
        assert got.low <= got.value == count / 14 <= got.high
    assert wilson(0, 14).low == 0 and wilson(14, 14).high == 1
    assert not wilson(0, 0).known


def test_accuracy_counts_each_of_the_four_outcomes() -> None:
    patient = np.array([True] * 5 + [False] * 4)
    called = np.array([True, True, True, False, False] + [True, False, False, False])
    got = Accuracy.of(called, patient)
    assert (got.true_positive, got.false_negative) == (3, 2)
    assert (got.true_negative, got.false_positive) == (3, 1)
    assert got.sensitivity == wilson(3, 5)
    assert got.specificity == wilson(3, 4)
    assert got.accuracy == wilson(6, 9)


def test_inflation_is_wilson_s_interval_of_fewer() -> None:
    got, fewer = wilson(24, 36, inflation=1.5), wilson(16, 24)
    assert (got.value, got.low, got.high) == pytest.approx((fewer.value, fewer.low, fewer.high))
