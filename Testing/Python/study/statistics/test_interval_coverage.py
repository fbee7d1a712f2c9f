"""Whether 95 % intervals hold the truth in 95 % of repeats, for each kind of interval.

The benchmark's own trials, with fewer repeats. The share of intervals that hold the truth must
agree with 95 % within three binomial standard errors; where an interval is known to be cautious,
it must not fall below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import interval_coverage as trials
import numpy as np
import pytest
from interval_coverage import CORRELATIONS, CROSSED_SHIFTS, PATIENTS, SHIFTS, Trial
from scipy import stats

from ALSMotorCortexLib.study.statistics.interval import LEVEL, Estimate, t_quantile

FEWER = 50
"""Draws behind cross-validated intervals here, so that there are more repeats."""


def agree(tried: Iterable[Trial]) -> None:
    for one in tried:
        assert one.agrees, f"{one.name} {one.case}: {one.share:.3f}"


def suffice(tried: Iterable[Trial]) -> None:
    for one in tried:
        assert one.suffices, f"{one.name} {one.case}: {one.share:.3f}"


@pytest.mark.parametrize(
    ("kind", "repeats", "count"),
    [
        (trials.means, 3000, 2),
        (trials.effect_sizes, 2000, len(SHIFTS)),
        (trials.adjusted, 2000, 2),
        (trials.proportions, 6000, 1),
        (trials.correlations, 2000, 2 * len(CORRELATIONS)),
        (trials.partial_correlation, 2000, 1),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_intervals_hold_the_truth_as_often_as_they_claim(
    kind: Callable[[int], Iterator[Trial]], repeats: int, count: int
) -> None:
    found = list(kind(repeats))
    assert [len(one.ends) for one in found] == [repeats] * count
    agree(found)


def test_area_and_cliff_s_delta() -> None:
    """On the logit scale the interval is a little cautious."""
    found = list(trials.areas(2000))
    suffice(found)
    assert len(found) == 2 * len(SHIFTS)
    assert max(one.share for one in found) <= 0.98


@pytest.mark.parametrize("shift", CROSSED_SHIFTS)
def test_cross_validated_accuracy_of_one_measure(shift: float) -> None:
    suffice(trials.crossed_accuracy(200, shift, times=FEWER))


@pytest.mark.parametrize("shift", CROSSED_SHIFTS)
def test_cross_validated_area_of_one_measure(shift: float) -> None:
    suffice(trials.crossed_area(300, shift))


@pytest.mark.parametrize("shift", SHIFTS[:2])
def test_cross_validated_combination(shift: float) -> None:
    suffice(trials.combined(60, shift, times=FEWER))


def test_intervals_that_are_too_narrow_are_told() -> None:
    """DeLong's on the area's own scale near 1, and Wilson's for a threshold tuned on its data."""
    shares = {(one.name[:3], one.case): one for one in trials.not_used(400)}
    wrong = [shares["AUC", "0.92"], shares["acc", "0"]]
    assert not any(one.suffices or one.agrees for one in wrong)
    table = trials.coverage_table(wrong)
    assert table.count("**") == 4
    assert f"| {100 * wrong[0].error:.1f} |" in table


def test_share_counts_what_holds_the_truth() -> None:
    ends = np.array([[0, 1], [0.5, 2], [np.nan, np.nan], [2, 3]])
    assert Trial("", "", ends, 0.7).share == 0.5
    assert Trial("", "", ends, np.array([0.7, 0.2, 0.7, 2.5])).share == 0.5


def test_line_of_the_scatter_plots() -> None:
    from ALSMotorCortexLib.report.study_charts import fitted_line

    rng = np.random.default_rng(10)
    found = []
    for _ in range(2000):
        x = rng.uniform(0, 5, PATIENTS)
        y = 1 - 0.3 * x + rng.normal(0, 0.5, PATIENTS)
        line, half = fitted_line(x, y, np.array([4.0]))
        found.append(Estimate(float(line[0]), float(line[0] - half[0]), float(line[0] + half[0])))
    agree([trials.trial("line", "", found, 1 - 0.3 * 4)])
    assert t_quantile(LEVEL, PATIENTS - 2) == pytest.approx(stats.t.ppf(0.975, PATIENTS - 2))
