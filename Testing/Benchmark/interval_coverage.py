"""How often each of the study's 95 % intervals holds the truth, on numbers whose truth is known.

Drawn are 22 patients and 14 controls as in the founding study, or the 22 patients alone. The
tests hold fewer repeats of the same to their limits (``test_interval_coverage.py``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from tables import Detail, table

from ALSMotorCortexLib.study.statistics import crossed, roc
from ALSMotorCortexLib.study.statistics.ancova import ancova
from ALSMotorCortexLib.study.statistics.correlation import partial, pearson, spearman
from ALSMotorCortexLib.study.statistics.descriptive import mean_interval
from ALSMotorCortexLib.study.statistics.effect_sizes import cliffs_delta, hedges_g
from ALSMotorCortexLib.study.statistics.interval import LEVEL, Estimate, normal_quantile
from ALSMotorCortexLib.study.statistics.logistic import combine
from ALSMotorCortexLib.study.statistics.proportions import Accuracy, wilson
from ALSMotorCortexLib.study.statistics.two_samples import welch

Values = NDArray[np.float64]

PATIENTS, CONTROLS = 22, 14
ERRORS = 3.0
"""How many binomial standard errors a share may be off before it counts as wrong."""

SHIFTS = (0.0, 0.8, 1.6)
"""Means of the patients less those of the controls, in SD of the controls."""

CROSSED_SHIFTS = (0.0, 0.7, 1.4)
CORRELATIONS = (0.0, -0.47, -0.8)
UNEQUAL = 2.5
"""SD of the patients over that of the controls, where they differ."""

UNEQUAL_SHIFT = 4.8
"""In SD of the controls; about what deep hypointensity does in the simulated study."""

IN_DETAIL = ("sensitivity", "specificity")


@dataclass(frozen=True)
class Trial:
    """Intervals of one kind for one truth.

    Attributes:
        name: of the interval.
        case: what the truth is, in a few words; empty if there is but one.
        ends: (repeats, 2) low and high.
        truth: one for all, or (repeats,).
    """

    name: str
    case: str
    ends: Values
    truth: float | Values

    @property
    def share(self) -> float:
        """How many of the intervals hold the truth, 0 to 1. An interval of NaN does not."""
        return float(((self.ends[:, 0] <= self.truth) & (self.truth <= self.ends[:, 1])).mean())

    @property
    def error(self) -> float:
        """Binomial standard error of the share if the claim is right."""
        return math.sqrt(LEVEL * (1 - LEVEL) / len(self.ends))

    @property
    def suffices(self) -> bool:
        """Whether the intervals hold the truth as often as they claim, or more often."""
        return self.share >= LEVEL - ERRORS * self.error

    @property
    def agrees(self) -> bool:
        """Whether they hold it as often as they claim."""
        return abs(self.share - LEVEL) <= ERRORS * self.error


def trial(name: str, case: str, found: Iterable[Estimate], truth: float | Values) -> Trial:
    """Of estimates."""
    return Trial(name, case, np.array([(e.low, e.high) for e in found]), truth)


def draw_groups(
    repeats: int, shift: float, ratio: float = 1.0, seed: int = 0
) -> list[tuple[Values, Values]]:
    """Normal values of both groups; ``ratio`` of the patients' SD to the controls'."""
    rng = np.random.default_rng(seed)
    return [
        (rng.normal(shift, ratio, PATIENTS), rng.normal(0, 1, CONTROLS)) for _ in range(repeats)
    ]


# Each of these draws its own numbers, ``repeats`` times for each truth.


def means(repeats: int) -> Iterator[Trial]:
    """Where the patients vary more than the controls."""
    drawn = draw_groups(repeats, 0.7, UNEQUAL)
    yield trial("mean (t)", "", (mean_interval(a) for a, _ in drawn), 0.7)
    case = f"SD of patients {UNEQUAL:g} times that of controls"
    yield trial("difference (Welch)", case, (welch(a, b).difference for a, b in drawn), 0.7)


def effect_sizes(repeats: int) -> Iterator[Trial]:
    for shift in SHIFTS:
        drawn = draw_groups(repeats, shift, seed=1)
        yield trial("Hedges' g", f"{shift:g}", (hedges_g(a, b) for a, b in drawn), shift)


def normal_area(shift: float) -> float:
    """Area under the ROC curve of two normal groups with an SD of 1."""
    return float(stats.norm.cdf(shift / math.sqrt(2)))


def areas(repeats: int) -> Iterator[Trial]:
    for shift in SHIFTS:
        area = normal_area(shift)
        drawn = draw_groups(repeats, shift, seed=2)
        case = f"{area:.2f}"
        yield trial("AUC (DeLong, on the logit scale)", case, (roc.auc(*d) for d in drawn), area)
        case = f"{2 * area - 1:.2f}"
        yield trial("Cliff's delta", case, (cliffs_delta(*d) for d in drawn), 2 * area - 1)


def adjusted(repeats: int) -> Iterator[Trial]:
    """Analysis of covariance with age and sex."""
    rng = np.random.default_rng(3)
    first = np.arange(PATIENTS + CONTROLS) < PATIENTS
    differences, group_means, truths = [], [], []
    for _ in range(repeats):
        age = rng.normal(60, 9, len(first)) + 4 * first
        sex = rng.integers(0, 2, len(first)).astype(float)
        y = 2.5 - 0.2 * first - 0.01 * (age - 60) + 0.1 * sex + rng.normal(0, 0.15, len(first))
        found = ancova(y, first, np.column_stack([age, sex]))
        assert found is not None
        differences.append(found.difference)
        group_means.append(found.first)
        truths.append(2.5 - 0.2 - 0.01 * (age.mean() - 60) + 0.1 * sex.mean())
    yield trial("difference at equal age and sex (ANCOVA)", "", differences, -0.2)
    yield trial("mean at equal age and sex (ANCOVA)", "", group_means, np.array(truths))


def proportions(repeats: int) -> Iterator[Trial]:
    """At one truth the counts' steps move coverage to either side; on average it is right."""
    rng = np.random.default_rng(4)
    truth = rng.uniform(0.05, 0.95, repeats)
    found = (wilson(int(k), 36) for k in rng.binomial(36, truth))
    yield trial("proportion (Wilson)", "0.05 to 0.95 at random", found, truth)


def correlations(repeats: int) -> Iterator[Trial]:
    """A normal pair's Spearman rho is (6 / pi) asin(r / 2)."""
    for r in CORRELATIONS:
        z = np.random.default_rng(5).normal(size=(repeats, 2, PATIENTS))
        pairs = [(x, r * x + math.sqrt(1 - r * r) * y) for x, y in z]
        yield trial("Pearson's r", f"{r:g}", (pearson(x, y).r for x, y in pairs), r)
        rho = 6 / math.pi * math.asin(r / 2)
        yield trial("Spearman's rho", f"{rho:.2f}", (spearman(x, y).r for x, y in pairs), rho)


def partial_correlation(repeats: int) -> Iterator[Trial]:
    rng = np.random.default_rng(6)
    found = []
    for _ in range(repeats):
        held = rng.normal(size=(PATIENTS, 2))
        x = held @ [1, 0.5] + (own := rng.normal(size=PATIENTS))
        y = held @ [-2, 1] - 0.6 * own + 0.8 * rng.normal(size=PATIENTS)
        found.append(partial(x, y, held).r)
    yield trial("partial r", "-0.6", found, -0.6)


def crossed_accuracy(
    repeats: int, shift: float, ratio: float = 1.0, times: int = crossed.DRAWS
) -> Iterator[Trial]:
    """The truth is what the procedure gives on average on new participants."""
    drawn = draw_groups(repeats, shift, ratio, seed=7)
    sensitivity, specificity = (float(x.mean()) for x in on_new_participants(drawn, shift, ratio))
    found = [crossed.leave_one_out(a, b, s, times=times) for s, (a, b) in enumerate(drawn)]
    case = _apart(shift, ratio)
    yield from _accuracies("cross-validated ", case, found, sensitivity, specificity)


def on_new_participants(
    drawn: list[tuple[Values, Values]], shift: float, ratio: float = 1.0
) -> tuple[Values, Values]:
    """Sensitivity and specificity (repeats,) that Youden's rule of each study really has."""
    rules = [roc.youden(a, b) for a, b in drawn]
    cuts = np.array([rule.sign * rule.threshold for rule in rules])
    signs = np.array([rule.sign for rule in rules])
    return stats.norm.sf((cuts - signs * shift) / ratio), stats.norm.cdf(cuts)


def _apart(shift: float, ratio: float = 1.0) -> str:
    return f"{shift:g}" if ratio == 1 else f"{shift:g} and unequal"


def _accuracies(
    kind: str, case: str, found: list[Accuracy], sensitivity: float, specificity: float
) -> Iterator[Trial]:
    accuracy = over_both(sensitivity, specificity)
    yield trial(kind + "accuracy", case, (f.accuracy for f in found), accuracy)
    yield trial(kind + "sensitivity", case, (f.sensitivity for f in found), sensitivity)
    yield trial(kind + "specificity", case, (f.specificity for f in found), specificity)


def over_both(patients: Any, controls: Any) -> Any:
    """A share of each group, as a share of both together."""
    return (PATIENTS * patients + CONTROLS * controls) / (PATIENTS + CONTROLS)


def crossed_area(repeats: int, shift: float) -> Iterator[Trial]:
    """Likewise, in the direction that was found."""
    drawn = draw_groups(repeats, shift, seed=8)
    up = normal_area(shift)
    truth = float(np.mean([up if roc.auc(a, b).value >= 0.5 else 1 - up for a, b in drawn]))
    found = (crossed.leave_pair_out(a, b, s) for s, (a, b) in enumerate(drawn))
    yield trial("cross-validated AUC", _apart(shift), found, truth)


def combined(repeats: int, shift: float, times: int = crossed.DRAWS) -> Iterator[Trial]:
    """Three normal measures, of which two differ by ``shift``; truth as above, in closed form."""
    rng = np.random.default_rng(9)
    patient = np.arange(PATIENTS + CONTROLS) < PATIENTS
    found, truths = [], []
    for seed in range(repeats):
        x = rng.normal(size=(len(patient), 3))
        x[patient, :2] += shift
        result = combine(x, patient, seed, times=times)
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
    kind, case = "three measures combined, cross-validated ", _apart(shift)
    accuracies = [f.crossed for f in found]
    yield from _accuracies(kind, case, accuracies, float(sensitivity), float(specificity))
    yield trial(kind + "AUC", case, (f.crossed_auc for f in found), float(area))


def not_used(repeats: int) -> Iterator[Trial]:
    """Intervals that are often printed, on the same numbers."""
    for shift in (*SHIFTS, 2.0):
        area = normal_area(shift)
        drawn = draw_groups(repeats, shift, seed=2)
        name = "AUC (DeLong, on its own scale)"
        yield trial(name, f"{area:.2f}", (_plain_delong(*d) for d in drawn), area)
    for shift in CROSSED_SHIFTS:
        drawn = draw_groups(repeats, shift, seed=7)
        truths = over_both(*on_new_participants(drawn, shift))
        case = _apart(shift)
        yield trial(
            "accuracy on the data that the threshold is from (Wilson)", case,
            (roc.apparent(a, b).accuracy for a, b in drawn), truths,
        )  # fmt: skip
        found = (_plain_crossed(a, b) for a, b in drawn)
        yield trial("cross-validated accuracy (Wilson)", case, found, float(truths.mean()))


def _plain_crossed(a: Values, b: Values) -> Estimate:
    values, patient = roc.joined(a, b)
    called = crossed.left_out_calls(values, patient, np.ones((1, len(values))))[0]
    return wilson(int((called == patient).sum()), len(values))


def _plain_delong(a: Values, b: Values) -> Estimate:
    pairs = roc.comparisons(a, b)
    half = normal_quantile(LEVEL) * roc.delong_error(pairs)
    area = float(pairs.mean())
    return Estimate(area, area - half, area + half)


# As tables --------------------------------------------------------------------------------


def report(quick: bool) -> Iterator[str]:
    """The tables; the last is of what is not used."""
    many, some, few = (400, 40, 10) if quick else (10_000, 400, 100)
    tried = list(used(many, some, few))
    shown = [one for one in tried if not one.name.endswith(IN_DETAIL)]
    yield EXPLANATION + "\n\n" + coverage_table(shown)
    rest = [one for one in tried if one.name.endswith(IN_DETAIL)]
    yield Detail("Of the same repeats:\n\n" + coverage_table(rest))
    yield Detail(NOT_USED + "\n\n" + coverage_table(not_used(400 if quick else 2000)))


def used(many: int, some: int, few: int) -> Iterator[Trial]:
    """All intervals that the study prints; those that take long are repeated less often."""
    for simple in (means, effect_sizes, areas, adjusted, proportions, correlations):
        yield from simple(many)
    yield from partial_correlation(many)
    for shift in CROSSED_SHIFTS:
        yield from crossed_area(some, shift)
    for shift in CROSSED_SHIFTS:
        yield from crossed_accuracy(some, shift)
    yield from crossed_accuracy(some, UNEQUAL_SHIFT, UNEQUAL)
    for shift in SHIFTS[:2]:
        yield from combined(few, shift)


def coverage_table(trials: Iterable[Trial]) -> str:
    """One row for each kind of interval, with all its truths side by side."""
    kinds: dict[str, list[Trial]] = {}
    for one in trials:
        kinds.setdefault(one.name, []).append(one)
    rows = [
        [
            name,
            "; ".join(t.case for t in own if t.case),
            f"{len(own[0].ends):,}",
            "; ".join(_percent(t) for t in own),
            f"{100 * own[0].error:.1f}",
        ]
        for name, own in kinds.items()
    ]
    return table(["interval", "truth", "repeats", "held the truth (%)", "standard error"], rows)


def _percent(one: Trial) -> str:
    text = f"{100 * one.share:.1f}"
    return text if one.suffices else f"**{text}**"


EXPLANATION = f"""## Coverage of intervals

In how many percent of repeats each 95 % interval of the study held the truth. In every repeat
{PATIENTS} patients and {CONTROLS} controls are drawn anew, or the patients alone for correlations,
with normally distributed values whose truth is known. *Standard error* is that of a share of 95 %
at this number of repeats (binomial); a share more than three of them under 95 % is in bold.
Cross-validated intervals are to hold what the procedure gives on average on new participants; for
them, *truth* is how far the groups lie apart, in SD of the controls. *Unequal*: the SD of the
patients is {UNEQUAL:g} times that of the controls."""

NOT_USED = """Intervals that are often printed, on numbers drawn alike. The study uses none of them,
but for Wilson's of *apparent* accuracy, which it calls too good. Truths of accuracies are given as
above; a threshold on its own data is to hold what that very threshold gives on new participants."""
