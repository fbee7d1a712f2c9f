"""Agreement between readers: share of agreement, Cohen's kappa and Fleiss' kappa.

Ratings are codes 0, 1, ..., q - 1 of ``levels`` = q ordered answers. Where several ratings come
from one person, such as the two hemispheres, ``persons`` says so, and the intervals count
persons, not ratings.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .interval import LEVEL, UNKNOWN, Estimate, normal_quantile, t_quantile
from .proportions import wilson

Weights = Literal["none", "linear", "quadratic"]

CONSTANT = "all ratings are the same, so chance alone would agree too"
IDENTICAL = "the readers never differ, so there is nothing to tell the interval from"
NO_RATINGS = "there is nothing that all of them rated"
ONE_PERSON = "one person gives no interval"


@dataclass(frozen=True)
class Kappa:
    """A coefficient of agreement.

    Attributes:
        estimate: with its interval; NaN where there is none.
        n: ratings that were compared.
        reason: why there is no number, or no interval; empty when there are both.
    """

    estimate: Estimate
    n: int
    reason: str = ""


def weight_matrix(levels: int, weights: Weights) -> NDArray[np.float64]:
    """How far two answers agree, (q, q): 1 for the same, down to 0 for the farthest apart.

    linear: 1 - |i - j| / (q - 1); quadratic: 1 - (i - j)^2 / (q - 1)^2; none: 1 or 0
    (Cohen, Psychol Bull 1968, 70:213).
    """
    apart = np.abs(np.subtract.outer(np.arange(levels), np.arange(levels))) / max(levels - 1, 1)
    if weights == "none":
        return (apart == 0).astype(float)
    return 1 - apart if weights == "linear" else 1 - apart**2


def percent_agreement(ratings: NDArray[np.int_]) -> Kappa:
    """The share of pairs of readers that gave the same answer.

    Args:
        ratings: (n, r), a column for each reader.

    Returns:
        For two readers with Wilson's interval, for which ratings count as independent; for
        more without.
    """
    n, readers = ratings.shape
    if n == 0:
        return Kappa(UNKNOWN, 0, NO_RATINGS)
    if readers == 2:
        return Kappa(wilson(int((ratings[:, 0] == ratings[:, 1]).sum()), n), n)
    first, second = np.triu_indices(readers, 1)
    share = float((ratings[:, first] == ratings[:, second]).mean())
    return Kappa(Estimate(share, math.nan, math.nan), n, "for two readers only")


def cohen_kappa(
    a: NDArray[np.int_],
    b: NDArray[np.int_],
    levels: int,
    weights: Weights = "none",
    persons: NDArray | None = None,
    level: float = LEVEL,
) -> Kappa:
    """Cohen's kappa of two readers, (po - pe) / (1 - pe), weighted or not.

    po is the (weighted) share of agreement and pe what the readers' own frequencies give by
    chance. The interval is normal, with the large-sample variance of Fleiss, Cohen and Everitt
    (Psychol Bull 1969, 72:323), written as the sum over ratings of the squared influence of each;
    with ``persons``, influences are added up within a person first.

    Args:
        a, b: (n,), the codes that each reader gave.
        persons: (n,), who each rating is of; without it, each is of another person.
    """
    n = len(a)
    if n == 0:
        return Kappa(UNKNOWN, 0, NO_RATINGS)
    weight = weight_matrix(levels, weights)
    rows = np.bincount(a, minlength=levels) / n
    columns = np.bincount(b, minlength=levels) / n
    agreement = weight[a, b]
    observed, chance = float(agreement.mean()), float(rows @ weight @ columns)
    if chance > 1 - 1e-12:
        return Kappa(UNKNOWN, n, CONSTANT)
    kappa = (observed - chance) / (1 - chance)
    # The mean weight that each answer of one reader meets in the other.
    met = (weight @ columns)[a] + (rows @ weight)[b]
    influence = agreement * (1 - chance) - met * (1 - observed)
    influence -= observed * chance - 2 * chance + observed
    error = _standard_error(influence / (1 - chance) ** 2, persons)
    return _with_interval(kappa, error, normal_quantile(level), n)


def fleiss_kappa(
    ratings: NDArray[np.int_],
    levels: int,
    weights: Weights = "none",
    persons: NDArray | None = None,
    level: float = LEVEL,
) -> Kappa:
    """Fleiss' kappa of two or more readers (Psychol Bull 1971, 76:378), weighted or not.

    po is the mean (weighted) agreement over pairs of readers; pe comes from the frequencies of
    all readers together. The interval is Student's t with Gwet's variance (Br J Math Stat
    Psychol 2008, 61:29), which does not take the readers for independent; with ``persons``,
    influences are added up within a person first, and degrees of freedom count persons.

    Args:
        ratings: (n, r), a column of codes for each reader, none missing.
        persons: (n,), who each rating is of; without it, each is of another person.
    """
    n, readers = ratings.shape
    if n == 0:
        return Kappa(UNKNOWN, 0, NO_RATINGS)
    weight = weight_matrix(levels, weights)
    counts = (ratings[:, :, None] == np.arange(levels)).sum(axis=1)
    pairs = (counts * (counts @ weight - 1)).sum(axis=1) / (readers * (readers - 1))
    frequency = counts.mean(axis=0) / readers
    chance = float(frequency @ weight @ frequency)
    if chance > 1 - 1e-12:
        return Kappa(UNKNOWN, n, CONSTANT)
    kappa = (float(pairs.mean()) - chance) / (1 - chance)
    own_chance = counts @ (weight @ frequency) / readers
    influence = (pairs - chance) - 2 * (1 - kappa) * (own_chance - chance)
    influence = influence / (1 - chance) - kappa
    groups = n if persons is None else len(np.unique(persons))
    if groups < 2:
        return Kappa(Estimate(kappa, math.nan, math.nan), n, ONE_PERSON)
    error = _standard_error(influence, persons) * math.sqrt(groups / (groups - 1))
    return _with_interval(kappa, error, t_quantile(level, groups - 1), n)


def _standard_error(influence: NDArray[np.float64], persons: NDArray | None) -> float:
    """Of a mean whose terms are these, independent between persons."""
    n = len(influence)
    sums = influence
    if persons is not None:
        _, inverse = np.unique(persons, return_inverse=True)
        sums = np.bincount(inverse, weights=influence).astype(np.float64)
    return float(math.sqrt((sums**2).sum()) / n)


def _with_interval(kappa: float, error: float, quantile: float, n: int) -> Kappa:
    if error < 1e-12:
        return Kappa(Estimate(kappa, math.nan, math.nan), n, IDENTICAL)
    low, high = max(kappa - quantile * error, -1.0), min(kappa + quantile * error, 1.0)
    return Kappa(Estimate(kappa, low, high), n)
