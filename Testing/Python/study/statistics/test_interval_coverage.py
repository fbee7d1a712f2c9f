"""Whether 95 % intervals hold the truth in 95 % of repeats, for each kind of interval.

Numbers are drawn with a known truth, 22 patients and 14 controls as in the founding study, or the
22 patients alone. The share of intervals that hold the truth must agree with 95 % within three
binomial standard errors; where an interval is known to be cautious, it must not fall below.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np
import pytest
from scipy import stats

from ALSMotorCortexLib.study.statistics import crossed, roc
from ALSMotorCortexLib.study.statistics.ancova import ancova
from ALSMotorCortexLib.study.statistics.correlation import partial, pearson, spearman
from ALSMotorCortexLib.study.statistics.descriptive import mean_interval
from ALSMotorCortexLib.study.statistics.effect_sizes import cliffs_delta, hedges_g
from ALSMotorCortexLib.study.statistics.interval import Estimate, t_quantile
from ALSMotorCortexLib.study.statistics.logistic import combine
from ALSMotorCortexLib.study.statistics.proportions import wilson
from ALSMotorCortexLib.study.statistics.two_samples import welch

PATIENTS, CONTROLS = 22, 14
LEVEL = 0.95
FEWER = 50
"""Draws behind cross-validated intervals here, so that there are more repeats."""


def held(found: Iterable[Estimate], truth: float | np.ndarray) -> tuple[float, float]:
    """The share of intervals that hold the truth, and its binomial standard error."""
    ends = np.array([(e.low, e.high) for e in found])
    share = ((ends[:, 0] <= truth) & (truth <= ends[:, 1])).mean()
    return float(share), math.sqrt(LEVEL * (1 - LEVEL) / len(ends))


def agrees(found: Iterable[Estimate], truth: float | np.ndarray) -> None:
    share, error = held(found, truth)
    assert abs(share - LEVEL) <= 3 * error, f"{share:.3f}"


def suffices(found: Iterable[Estimate], truth: float | np.ndarray) -> None:
    share, error = held(found, truth)
    assert share >= LEVEL - 3 * error, f"{share:.3f}"


def groups(
    repeats: int, shift: float, ratio: float = 1.0, seed: int = 0
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Normal values of both groups; ``ratio`` of the patients' SD to the controls'."""
    rng = np.random.default_rng(seed)
    return [
        (rng.normal(shift, ratio, PATIENTS), rng.normal(0, 1, CONTROLS)) for _ in range(repeats)
    ]


def test_mean_and_welch_difference_with_unequal_variances() -> None:
    drawn = groups(3000, 0.7, ratio=2.5)
    agrees((mean_interval(a) for a, _ in drawn), 0.7)
    agrees((welch(a, b).difference for a, b in drawn), 0.7)


@pytest.mark.parametrize("shift", [0.0, 0.8, 1.6])
def test_hedges_g(shift: float) -> None:
    agrees((hedges_g(a, b) for a, b in groups(2000, shift, seed=1)), shift)


@pytest.mark.parametrize("shift", [0.0, 0.8, 1.6])
def test_area_and_cliff_s_delta(shift: float) -> None:
    """The normal groups' area is Phi(shift / sqrt 2). On the logit scale the interval is a little
    cautious."""
    area = stats.norm.cdf(shift / math.sqrt(2))
    drawn = groups(2000, shift, seed=2)
    found = [roc.auc(a, b) for a, b in drawn]
    suffices(found, area)
    assert held(found, area)[0] <= 0.98
    suffices((cliffs_delta(a, b) for a, b in drawn), 2 * area - 1)


def test_adjusted_difference_and_means() -> None:
    rng = np.random.default_rng(3)
    first = np.arange(PATIENTS + CONTROLS) < PATIENTS
    differences, means = [], []
    for _ in range(2000):
        age = rng.normal(60, 9, len(first)) + 4 * first
        sex = rng.integers(0, 2, len(first)).astype(float)
        y = 2.5 - 0.2 * first - 0.01 * (age - 60) + 0.1 * sex + rng.normal(0, 0.15, len(first))
        found = ancova(y, first, np.column_stack([age, sex]))
        assert found is not None
        differences.append(found.difference)
        truth = 2.5 - 0.2 - 0.01 * (age.mean() - 60) + 0.1 * sex.mean()
        means.append(Estimate(0, found.first.low - truth, found.first.high - truth))
    agrees(differences, -0.2)
    agrees(means, 0.0)


def test_wilson_over_all_truths() -> None:
    """At one truth the counts' steps move coverage to either side; on average it is right."""
    rng = np.random.default_rng(4)
    truth = rng.uniform(0.05, 0.95, 6000)
    agrees((wilson(int(k), 36) for k in rng.binomial(36, truth)), truth)


@pytest.mark.parametrize("r", [0.0, -0.47, -0.8])
def test_pearson_and_spearman(r: float) -> None:
    """A normal pair's Spearman rho is (6 / pi) asin(r / 2)."""
    rng = np.random.default_rng(5)
    z = rng.normal(size=(2000, 2, PATIENTS))
    pairs = [(x, r * x + math.sqrt(1 - r * r) * y) for x, y in z]
    agrees((pearson(x, y).r for x, y in pairs), r)
    agrees((spearman(x, y).r for x, y in pairs), 6 / math.pi * math.asin(r / 2))


def test_partial() -> None:
    rng = np.random.default_rng(6)
    found = []
    for _ in range(2000):
        held_ = rng.normal(size=(PATIENTS, 2))
        x = held_ @ [1, 0.5] + (own := rng.normal(size=PATIENTS))
        y = held_ @ [-2, 1] - 0.6 * own + 0.8 * rng.normal(size=PATIENTS)
        found.append(partial(x, y, held_).r)
    agrees(found, -0.6)


@pytest.mark.parametrize("shift", [0.0, 0.7, 1.4])
def test_cross_validated_accuracy_of_one_measure(shift: float) -> None:
    """The truth is what the procedure gives on average on new participants."""
    drawn = groups(200, shift, seed=7)
    rules = [roc.youden(a, b) for a, b in drawn]
    cuts = np.array([rule.sign * rule.threshold for rule in rules])
    signs = np.array([rule.sign for rule in rules])
    sensitivity = stats.norm.sf(cuts - signs * shift).mean()
    specificity = stats.norm.cdf(cuts).mean()
    accuracy = (PATIENTS * sensitivity + CONTROLS * specificity) / (PATIENTS + CONTROLS)
    found = [crossed.leave_one_out(a, b, s, times=FEWER) for s, (a, b) in enumerate(drawn)]
    suffices((f.accuracy for f in found), accuracy)
    suffices((f.specificity for f in found), specificity)
    suffices((f.sensitivity for f in found), sensitivity)


def new_area(shift: float) -> Callable[[np.ndarray, np.ndarray], float]:
    """The area on new participants in the direction that was found."""
    up = float(stats.norm.cdf(shift / math.sqrt(2)))
    return lambda a, b: up if roc.auc(a, b).value >= 0.5 else 1 - up


@pytest.mark.parametrize("shift", [0.0, 0.7, 1.4])
def test_cross_validated_area_of_one_measure(shift: float) -> None:
    drawn = groups(300, shift, seed=8)
    truth = np.mean([new_area(shift)(a, b) for a, b in drawn])
    suffices((crossed.leave_pair_out(a, b, s) for s, (a, b) in enumerate(drawn)), float(truth))


@pytest.mark.parametrize("shift", [0.0, 0.8])
def test_cross_validated_combination(shift: float) -> None:
    """Three normal measures, of which two differ by ``shift``; truth as above, in closed form."""
    rng = np.random.default_rng(9)
    patient = np.arange(PATIENTS + CONTROLS) < PATIENTS
    found, truths = [], []
    for seed in range(60):
        x = rng.normal(size=(len(patient), 3))
        x[patient, :2] += shift
        result = combine(x, patient, seed, times=FEWER)
        found.append(result)
        b = result.coefficients / x.std(axis=0)
        start, size = result.intercept - b @ x.mean(axis=0), np.linalg.norm(b)
        apart = b[:2].sum() * shift
        truths.append(
            (
                stats.norm.cdf((start + apart) / size),
                stats.norm.cdf(-start / size),
                stats.norm.cdf(apart / size / math.sqrt(2)),
            )
        )
    sensitivity, specificity, area = np.mean(truths, axis=0)
    accuracy = (PATIENTS * sensitivity + CONTROLS * specificity) / len(patient)
    suffices((f.crossed.accuracy for f in found), accuracy)
    suffices((f.crossed.sensitivity for f in found), sensitivity)
    suffices((f.crossed.specificity for f in found), specificity)
    suffices((f.crossed_auc for f in found), area)


def test_line_of_the_scatter_plots() -> None:
    from ALSMotorCortexLib.report.study_charts import fitted_line

    rng = np.random.default_rng(10)
    found = []
    for _ in range(2000):
        x = rng.uniform(0, 5, PATIENTS)
        y = 1 - 0.3 * x + rng.normal(0, 0.5, PATIENTS)
        line, half = fitted_line(x, y, np.array([4.0]))
        found.append(Estimate(float(line[0]), float(line[0] - half[0]), float(line[0] + half[0])))
    agrees(found, 1 - 0.3 * 4)
    assert t_quantile(LEVEL, PATIENTS - 2) == pytest.approx(stats.t.ppf(0.975, PATIENTS - 2))
