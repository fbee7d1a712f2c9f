"""Many tests at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def benjamini_hochberg(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Adjusted p values (n,): those at or below q keep the false discovery rate below q.

    The i-th smallest of m becomes the least of m p(j) / j over j at or above i, at most 1. NaN
    are no tests: they stay NaN and do not count in m.

    Source: Benjamini and Hochberg, J R Stat Soc B 1995, 57:289.
    """
    adjusted = np.full(len(p), np.nan)
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(-p[known], kind="stable")]
    ranks = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.minimum.accumulate(p[order] * len(order) / ranks), 1)
    return adjusted
