"""Two groups' curves compared at every place at once, by permutation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

TIMES = 5000


def largest_t(
    curves: NDArray[np.float64], first: NDArray[np.bool_], seed: int, times: int = TIMES
) -> NDArray[np.float64]:
    """p at each place, corrected over all places by the permutations' largest |t|.

    Who belongs to which group is shuffled; the p of a place is the share of shuffles, the real
    grouping among them, whose largest |Welch t| over all places is at least the |t| there. So
    with no difference anywhere, the chance that any p falls to 0.05 is 0.05.

    Source: Westfall and Young, Resampling-Based Multiple Testing, 1993; as in Nichols and
    Holmes, Hum Brain Mapp 2002, 15:1.

    Args:
        curves: (n, places), none missing.
        first: (n,) who is in the first group.
        seed: of the shuffles.
        times: shuffles, the real grouping not counted.

    Returns:
        (places,) p; NaN where nobody's values differ.
    """
    real = _welch_t(curves, first[None, :])[0]
    rng = np.random.default_rng(seed)
    groups = rng.permuted(np.repeat(first[None, :], times, axis=0), axis=1)
    largest = np.concatenate([[np.nanmax(real, initial=0)],
                              np.nanmax(_welch_t(curves, groups), axis=1, initial=0)])  # fmt: skip
    reached = largest[:, None] >= real[None, :] * (1 - 1e-12)
    return np.where(np.isfinite(real), reached.mean(0), np.nan)


def _welch_t(curves: NDArray[np.float64], groups: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(groupings, places) |t|."""
    centred = curves - curves.mean(0)  # keeps the sums of squares from cancelling
    member = groups.astype(np.float64)
    parts = []
    for inside in (member, 1 - member):
        n = inside.sum(1, keepdims=True)
        mean = inside @ centred / n
        variance = (inside @ centred**2 / n - mean**2) * n / (n - 1)
        parts.append((mean, np.maximum(variance, 0) / n))
    (m1, v1), (m2, v2) = parts
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.abs(m1 - m2) / np.sqrt(v1 + v2)
