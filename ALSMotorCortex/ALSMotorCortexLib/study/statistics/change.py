"""Change of one person from exam to exam, and how much of it may be error of measurement."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from .descriptive import mean_interval
from .interval import LEVEL, UNKNOWN, Estimate, t_quantile, two_sided_p


@dataclass(frozen=True)
class Repeatability:
    """How far measurements of the same unchanged person lie apart.

    Attributes:
        sd: within-subject standard deviation, with its interval.
        df: its degrees of freedom.
        detectable: the minimal detectable change: two measurements of someone unchanged differ
            by more in 5 % of cases (at a level of 0.95).
        bias: mean of the second measurement minus the first over subjects with its interval;
            unknown with fewer than two subjects.
        subjects: with two measurements or more.
    """

    sd: Estimate
    df: int
    detectable: float
    bias: Estimate
    subjects: int


def repeatability(
    repeats: Sequence[NDArray[np.float64]], level: float = LEVEL
) -> Repeatability | None:
    """Within-subject standard deviation and minimal detectable change from repeated measurements.

    The square root of the within-subject mean square of a one-way analysis of variance, which for
    pairs is sqrt(sum of d^2 / 2n); its interval is that of a variance (chi squared). The minimal
    detectable change is t sqrt(2) sd. With t in place of 1.96 it allows for an sd that is
    itself known from few subjects only.

    Args:
        repeats: for each subject its measurements (m,), in order; those with one are left out.
        level: of intervals and of the minimal detectable change.

    Returns:
        None where no subject has two measurements, or no measurements differ.

    Source: Bland and Altman, BMJ 1996, 313:744 (sd); Bland and Altman, Stat Methods Med Res 1999,
    8:135 (repeatability, 1.96 sqrt(2) sd).
    """
    used = [own for own in repeats if len(own) > 1]
    df = sum(len(own) - 1 for own in used)
    squares = float(sum(((own - own.mean()) ** 2).sum() for own in used))
    if not df or squares == 0:
        return None
    sd = math.sqrt(squares / df)
    low, high = (
        math.sqrt(squares / float(special.chdtri(df, p)))
        for p in ((1 - level) / 2, (1 + level) / 2)
    )
    differences = np.array([own[1] - own[0] for own in used])
    bias = mean_interval(differences, level) if len(used) > 1 else UNKNOWN
    return Repeatability(
        sd=Estimate(sd, low, high),
        df=df,
        detectable=t_quantile(level, df) * math.sqrt(2) * sd,
        bias=bias,
        subjects=len(used),
    )


@dataclass(frozen=True)
class Change:
    """Change of one measure in one person.

    Attributes:
        n: exams with a value.
        months: from the first to the last.
        first, last: values there.
        slope: change per month: for two exams the difference over the time, for more the
            least-squares slope; the interval is that of the slope from the scatter of the exams
            around the line, so there is none from two.
        p: two-sided, of a slope as far from 0; NaN from two exams.
        measured: the same slope with the interval that the error of measurement alone gives;
            unknown where that is not known.
        measured_p: two-sided, likewise.
        detectable: least change over the whole time that is beyond the error of measurement; NaN
            where that is not known.
    """

    n: int
    months: float
    first: float
    last: float
    slope: Estimate
    p: float
    measured: Estimate
    measured_p: float
    detectable: float

    @property
    def beyond_error(self) -> bool | None:
        """Whether the change is more than error of measurement; None where that is not known."""
        if not self.measured.known:
            return None
        return self.measured.low > 0 or self.measured.high < 0


def change(
    months: NDArray[np.float64],
    values: NDArray[np.float64],
    error: Repeatability | None = None,
    level: float = LEVEL,
) -> Change | None:
    """Change per month over two exams or more.

    The slope is sum((t - mean t) (y - mean y)) / S with S = sum (t - mean t)^2. Its interval from
    the scatter of the exams has n - 2 degrees of freedom and the residuals' standard deviation s:
    t s / sqrt(S). The one from the error of measurement puts the within-subject standard deviation
    and its degrees of freedom in their place; it takes the true change as even over the time.

    Args:
        months: (n,) when.
        values: (n,) what was measured.
        error: of measurement, from :func:`repeatability`; None where unknown.
        level: of the intervals.

    Returns:
        None from fewer than two exams, or where all are at one time.
    """
    order = np.argsort(months, kind="stable")
    x, y = months[order], values[order]
    away = x - x.mean() if len(x) else x
    s_xx = float(away @ away)
    if len(x) < 2 or s_xx == 0:
        return None
    slope = float(away @ (y - y.mean())) / s_xx
    scattered, p = Estimate(slope, math.nan, math.nan), math.nan
    if len(x) > 2:
        left = y - y.mean() - slope * away
        s = math.sqrt(float(left @ left) / (len(x) - 2))
        scattered, p = _interval(slope, s / math.sqrt(s_xx), len(x) - 2, level)
    measured, measured_p, detectable = UNKNOWN, math.nan, math.nan
    if error is not None:
        measured, measured_p = _interval(slope, error.sd.value / math.sqrt(s_xx), error.df, level)
        detectable = (measured.high - measured.value) * float(x[-1] - x[0])
    return Change(
        n=len(x),
        months=float(x[-1] - x[0]),
        first=float(y[0]),
        last=float(y[-1]),
        slope=scattered,
        p=p,
        measured=measured,
        measured_p=measured_p,
        detectable=detectable,
    )


def _interval(slope: float, error: float, df: int, level: float) -> tuple[Estimate, float]:
    """The slope with its t interval, and its p."""
    half = t_quantile(level, df) * error
    t = slope / error if error else (math.copysign(math.inf, slope) if slope else 0.0)
    return Estimate(slope, slope - half, slope + half), two_sided_p(t, df)
