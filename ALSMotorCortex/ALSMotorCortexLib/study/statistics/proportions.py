"""Proportions with intervals, and the four counts of a yes-or-no decision."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .interval import LEVEL, UNKNOWN, Estimate, normal_quantile


def wilson(count: int, n: float, level: float = LEVEL, inflation: float = 1.0) -> Estimate:
    """``count`` of ``n`` with Wilson's score interval.

    (p + z^2 / 2n +- z sqrt(p (1 - p) / n + z^2 / 4n^2)) / (1 + z^2 / n), p = count / n.

    Args:
        count, n: the proportion.
        level: of the interval.
        inflation: how many times larger p's variance is than that of independent answers; n is
            divided by it in the interval, as for a survey's clusters.

    Source: Wilson, J Am Stat Assoc 1927, 22:209; as method 3 in Newcombe, Stat Med 1998, 17:857.
    """
    if n == 0:
        return UNKNOWN
    p, z, whole = count / n, normal_quantile(level), n
    n = n / inflation
    middle = p + z * z / (2 * n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    width = 1 + z * z / n
    low, high = (middle - half) / width, (middle + half) / width
    # Rounding must not put the ends past what the formula gives exactly there.
    return Estimate(p, 0.0 if count == 0 else low, 1.0 if count == whole else high)


@dataclass(frozen=True)
class Accuracy:
    """How often a decision was right.

    Attributes:
        true_positive, false_negative: patients taken for patients, and for controls.
        true_negative, false_positive: controls taken for controls, and for patients.
        level: of the intervals, which are Wilson's.
        inflation: of the variance of sensitivity, specificity and accuracy, see :func:`wilson`.
    """

    true_positive: int
    false_negative: int
    true_negative: int
    false_positive: int
    level: float = LEVEL
    inflation: tuple[float, float, float] = (1.0, 1.0, 1.0)

    @classmethod
    def of(
        cls, called: NDArray[np.bool_], patient: NDArray[np.bool_], level: float = LEVEL
    ) -> Accuracy:
        """Counts decisions (n,) against the truth (n,)."""
        return cls(
            int((called & patient).sum()),
            int((~called & patient).sum()),
            int((~called & ~patient).sum()),
            int((called & ~patient).sum()),
            level,
        )

    @property
    def n(self) -> int:
        """Decisions in all."""
        return self.true_positive + self.false_negative + self.true_negative + self.false_positive

    @property
    def sensitivity(self) -> Estimate:
        """Share of patients that are found."""
        n = self.true_positive + self.false_negative
        return wilson(self.true_positive, n, self.level, self.inflation[0])

    @property
    def specificity(self) -> Estimate:
        """Share of controls that are left alone."""
        n = self.true_negative + self.false_positive
        return wilson(self.true_negative, n, self.level, self.inflation[1])

    @property
    def accuracy(self) -> Estimate:
        """Share of all decisions that are right."""
        right = self.true_positive + self.true_negative
        return wilson(right, self.n, self.level, self.inflation[2])
