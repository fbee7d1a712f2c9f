"""Whether a study's intervals hold the truth as often as they claim.

Studies are drawn like a given one: each group's measures, age and score are normal with the means
and covariances that the given study found. With these the truth of every interval is known.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from tables import table

from ALSMotorCortexLib.study.statistics import crossed, roc
from ALSMotorCortexLib.study.statistics.ancova import ancova
from ALSMotorCortexLib.study.statistics.change import change, repeatability
from ALSMotorCortexLib.study.statistics.correlation import pearson, spearman
from ALSMotorCortexLib.study.statistics.descriptive import mean_interval
from ALSMotorCortexLib.study.statistics.effect_sizes import cliffs_delta, hedges_g
from ALSMotorCortexLib.study.statistics.interval import Estimate
from ALSMotorCortexLib.study.statistics.single_case import crawford_howell, regression_based
from ALSMotorCortexLib.study.statistics.two_samples import welch

Values = NDArray[np.float64]

LEVEL, ERRORS = 0.95, 3.0
"""What intervals claim, and how many binomial standard errors they may be off."""

CROSSED = 4
"""Cross-validated intervals redraw the participants, and so are tried on every fourth study."""

CAUTIOUS = {
    "area under the ROC curve", "Cliff's delta", "cross-validated area", "cross-validated accuracy",

}  # fmt: skip
"""Intervals that must not hold the truth less often; they are known to hold it a little more."""


@dataclass
class Tally:
    """How often each kind of interval held the truth."""

    held: dict[str, list[bool]] = field(default_factory=dict)
    truths: list[tuple[str, Estimate, float]] = field(default_factory=list)

    def add(self, name: str, found: Estimate | None, truth: float) -> None:
        """Counts an interval; none is one that does not hold the truth."""
        inside = found is not None and found.low <= truth <= found.high
        self.held.setdefault(name, []).append(inside)


@dataclass(frozen=True)
class Normal:
    """A group: means (k,) and covariances (k, k) of measure, age and score."""

    mean: Values
    covariance: Values

    @classmethod
    def like(cls, values: Values) -> Normal:
        """With those of values (n, k)."""
        return cls(values.mean(0), np.atleast_2d(np.cov(values.T)))

    def draw(self, n: int, rng: np.random.Generator) -> Values:
        """(n, k)."""
        drawn: Values = rng.multivariate_normal(
            self.mean, self.covariance, n, method="eigh", check_valid="ignore"
        )
        return drawn


def coverage_table(
    names: Sequence[str], patients: Values, controls: Values, repeats: int, seed: int = 0
) -> str:
    """A table of how often each interval held the truth.

    Args:
        names: of the measures (m,).
        patients, controls: (n, m + 2) the measures, age and score of each group.
        repeats: studies to draw for each measure.
        seed: of the draws.
    """
    columns: list[dict[str, str]] = []
    tried_, wrong = 0, 0
    margins: dict[str, str] = {}
    for i in range(len(names)):
        used = [i, len(names), len(names) + 1]
        rng = np.random.default_rng([seed, i])
        tally = tried(patients[:, used], controls[:, used], repeats, rng)
        column = {}
        for kind, held in tally.held.items():
            share = float(np.mean(held))
            margin = ERRORS * math.sqrt(LEVEL * (1 - LEVEL) / len(held))
            off = share < LEVEL - margin or (share > LEVEL + margin and kind not in CAUTIOUS)
            tried_, wrong = tried_ + 1, wrong + off
            column[kind] = f"**{100 * share:.1f}**" if off else f"{100 * share:.1f}"
            margins[kind] = f"{100 * margin:.1f} ({len(held)})"
        columns.append(column)
    verdict = "All agree." if not wrong else f"Not in agreement, in bold: {wrong} of {tried_}."
    text = (
        f"Studies of {len(patients)} patients and {len(controls)} controls are drawn with the "
        "means and covariances of the study above, normally distributed, so that the truth is "
        "known. Each interval claims 95 %; the table says in how many percent it held the truth. "
        "*Margin* is three binomial standard errors, with the number of studies. Areas and "
        "cross-validated results may hold the truth more often than they claim, not less. "
        f"{verdict}\n\n"
    )
    rows = [[kind, *(c[kind] for c in columns), margin] for kind, margin in margins.items()]
    return text + table(("interval", *names, "margin (studies)"), rows)


def tried(patients: Values, controls: Values, repeats: int, rng: np.random.Generator) -> Tally:
    """Draws studies and tries all intervals of one measure on them.

    Args:
        patients, controls: (n, 3) measure, age and score, the model of each group.
        repeats: how many studies.
        rng: draws.
    """
    tally = Tally()
    model = Normal.like(patients), Normal.like(controls[:, :2])
    adjusted = _with_one_slope(*model)
    sizes = len(patients), len(controls)
    for k in range(repeats):
        a, b = model[0].draw(sizes[0], rng), model[1].draw(sizes[1], rng)
        for name, found, truth in _compared(a, b, model):
            tally.add(name, found, truth)
        tally.add("difference at equal age", *_adjusted(adjusted, sizes, rng))
        for name, found, truth in _one_patient(b, model, rng):
            tally.add(name, found, truth)
        for name, found, truth in _followed(math.sqrt(model[1].covariance[0, 0]), rng):
            tally.add(name, found, truth)
        if k % CROSSED == 0:
            tally.truths += _crossed(a[:, 0], b[:, 0], k, model)
    for name in dict.fromkeys(name for name, _, _ in tally.truths):
        own = [(found, truth) for n, found, truth in tally.truths if n == name]
        # The truth is what the procedure gives on average on new participants.
        truth = float(np.mean([t for _, t in own]))
        for found, _ in own:
            tally.add(name, found, truth)
    return tally


Model = tuple[Normal, Normal]
Found = tuple[str, Estimate | None, float]


def _compared(a: Values, b: Values, model: Model) -> Iterator[Found]:
    """The intervals that compare both groups, and those of correlations."""
    (mean_a, mean_b), (sd_a, sd_b) = zip(
        *((g.mean[0], math.sqrt(g.covariance[0, 0])) for g in model), strict=True
    )
    x, y = a[:, 0], b[:, 0]
    yield "mean of the patients", mean_interval(x), mean_a
    yield "difference (Welch)", welch(x, y).difference, mean_a - mean_b
    # Hedges' g takes both groups to vary alike.
    pooled = math.sqrt((sd_a**2 + sd_b**2) / 2)
    x0 = mean_a + (x - mean_a) * pooled / sd_a
    y0 = mean_b + (y - mean_b) * pooled / sd_b
    yield "Hedges' g", hedges_g(x0, y0), (mean_a - mean_b) / pooled
    area = float(stats.norm.cdf((mean_a - mean_b) / math.hypot(sd_a, sd_b)))
    yield "area under the ROC curve", roc.auc(x, y), area
    yield "Cliff's delta", cliffs_delta(x, y), 2 * area - 1
    c = model[0].covariance
    r = float(c[0, 2] / math.sqrt(c[0, 0] * c[2, 2]))
    yield "Pearson's r with the score", pearson(a[:, 2], x).r, r
    rho = 6 / math.pi * math.asin(r / 2)
    yield "Spearman's rho with the score", spearman(a[:, 2], x).r, rho


@dataclass(frozen=True)
class _OneSlope:
    """Both groups with one slope on age and one residual SD, as analysis of covariance takes."""

    ages: tuple[Normal, Normal]
    intercepts: tuple[float, float]
    slope: float
    sd: float


def _with_one_slope(patients: Normal, controls: Normal) -> _OneSlope:
    pooled = (patients.covariance[:2, :2] + controls.covariance) / 2
    slope = float(pooled[0, 1] / pooled[1, 1])
    sd = math.sqrt(float(pooled[0, 0] - slope * pooled[0, 1]))
    groups = (patients, controls)
    ages = [Normal(g.mean[1:2], g.covariance[1:2, 1:2]) for g in groups]
    starts = [float(g.mean[0] - slope * g.mean[1]) for g in groups]
    return _OneSlope((ages[0], ages[1]), (starts[0], starts[1]), slope, sd)


def _adjusted(
    model: _OneSlope, sizes: tuple[int, int], rng: np.random.Generator
) -> tuple[Estimate | None, float]:
    age = np.concatenate(
        [group.draw(n, rng)[:, 0] for group, n in zip(model.ages, sizes, strict=True)]
    )
    first = np.arange(sum(sizes)) < sizes[0]
    start = np.where(first, *model.intercepts)
    y = start + model.slope * age + rng.normal(0, model.sd, len(age))
    found = ancova(y, first, age[:, None])
    return (found.difference if found else None), model.intercepts[0] - model.intercepts[1]


def _one_patient(b: Values, model: Model, rng: np.random.Generator) -> Iterator[Found]:
    """A patient among controls: the share of controls below, and the range of one more control."""
    control, sd = model[1], math.sqrt(model[1].covariance[0, 0])
    value, age, _ = model[0].draw(1, rng)[0]
    plain = crawford_howell(value, b[:, 0])
    # The share is z's normal distribution function; near 1 it would be rounded.
    true_z = (value - control.mean[0]) / sd
    yield "share of controls below a patient", plain.z if plain else None, true_z
    slope = control.covariance[0, 1] / control.covariance[1, 1]
    left = math.sqrt(control.covariance[0, 0] - slope * control.covariance[0, 1])
    expected = control.mean[0] + slope * (age - control.mean[1])
    at_age = regression_based(value, np.array([age]), b[:, 0], b[:, 1:2])
    true_z = (value - expected) / left
    yield "the same at the patient's age", at_age.z if at_age else None, true_z
    new = expected + rng.normal(0, left)
    yield "range of one more control of that age", at_age.expected if at_age else None, new


def _followed(sd: float, rng: np.random.Generator) -> Iterator[Found]:
    """Change per month over three exams, with the error from 12 people measured twice.

    Error of measurement is a quarter of the controls' SD, the change half of it in a year.
    """
    months, error, slope = np.array([0.0, 6.0, 12.0]), sd / 4, -sd / 24
    retest = repeatability(list(rng.normal(0, error, (12, 2)) + rng.normal(0, sd, (12, 1))))
    found = change(months, slope * months + rng.normal(0, error, 3), retest)
    yield "change per month, from scatter", found.slope if found else None, slope
    yield "change per month, from error", found.measured if found else None, slope


def _crossed(x: Values, y: Values, seed: int, model: Model) -> list[tuple[str, Estimate, float]]:
    """Cross-validated area and accuracy, each with its truth for these participants' rule."""
    (mean_a, mean_b), (sd_a, sd_b) = zip(
        *((g.mean[0], math.sqrt(g.covariance[0, 0])) for g in model), strict=True
    )
    rule = roc.youden(x, y)
    up = float(stats.norm.cdf((mean_a - mean_b) / math.hypot(sd_a, sd_b)))
    higher = roc.auc(x, y).value >= 0.5
    tail: Callable[..., float] = stats.norm.sf if rule.sign > 0 else stats.norm.cdf
    sensitivity = float(tail((rule.threshold - mean_a) / sd_a))
    specificity = 1 - float(tail((rule.threshold - mean_b) / sd_b))
    accuracy = (len(x) * sensitivity + len(y) * specificity) / (len(x) + len(y))
    return [
        ("cross-validated area", crossed.leave_pair_out(x, y, seed), up if higher else 1 - up),
        ("cross-validated accuracy", crossed.leave_one_out(x, y, seed).accuracy, accuracy),
    ]
