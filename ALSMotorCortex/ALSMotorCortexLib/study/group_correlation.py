"""Measures against clinical scores, within the patients."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .group_data import Covariates, GroupData, covariates
from .measures import Key
from .participants import LIMB_SCORES
from .statistics.ancova import independent
from .statistics.clinical import moves
from .statistics.correlation import Correlation, partial, pearson, spearman
from .statistics.multiple import benjamini_hochberg

FEWEST_PAIRS = 4
"""Patients that a correlation needs: from fewer there is no interval."""


@dataclass(frozen=True)
class ScoreCorrelation:
    """One measure against one score.

    Attributes:
        score: its column in ``participants.tsv``.
        key, unit: the measure.
        x, y: (n,) score and measure of the patients who have both.
        missing: patients who lack one of them.
        pearson, spearman: coefficients.
        partial: at equal age and sex; None where neither can be held.
        held: what the partial correlation holds constant.
        pearson_q, spearman_q, partial_q: Benjamini-Hochberg over all pairs of the study.
    """

    score: str
    key: Key
    unit: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    missing: int
    pearson: Correlation
    spearman: Correlation
    partial: Correlation | None
    held: tuple[str, ...]
    pearson_q: float = math.nan
    spearman_q: float = math.nan
    partial_q: float = math.nan

    @property
    def held_names(self) -> str:
        """The covariates in one word each."""
        return " ".join(self.held)


def correlate(data: GroupData) -> list[ScoreCorrelation]:
    """Correlates every measure with every score; limbs' scores with their side of M1 only."""
    if not data.names[0] or not data.scores or not data.patient.any():
        return []
    held = covariates(data, data.patient, "correlation")
    rows = []
    for score, key in pairs(data):
        row = _correlate(data, held, score, key)
        if row is not None:
            rows.append(row)
    return _with_q(rows)


def pairs(data: GroupData) -> Iterator[tuple[str, Key]]:
    """Which scores go with which measures.

    A limb's score goes with the measures of the opposite hemisphere, and of the limb's part of
    M1 where the region is one part. Notes scores of limbs for which there is no such region.
    """
    for score in data.scores:
        limb = LIMB_SCORES.get(score)
        fitting = [k for k in data.keys if limb is None or moves(k.region, limb)]
        if not fitting:
            n = int(np.isfinite(data.scores[score][data.patient]).sum())
            reason = (
                "No measured region is, by its name, on the side of M1 that moves this limb: left "
                "or right, with hand or foot or neither."
            )
            data.omit("correlation", score, n, reason)
        yield from ((score, key) for key in fitting)


def _correlate(data: GroupData, held: Covariates, score: str, key: Key) -> ScoreCorrelation | None:
    x, y = data.scores[score], data.values(key)
    both = data.patient & np.isfinite(x) & np.isfinite(y)
    n = int(both.sum())
    item = f"{score} with {key}"
    if n < FEWEST_PAIRS:
        reason = f"{n} patients have both; {FEWEST_PAIRS} are needed."
        data.omit("correlation", item, n, reason)
        return None
    for name, values in ((score, x[both]), (str(key), y[both])):
        if np.ptp(values) == 0:
            reason = f"{name} is the same in all patients who have both."
            data.omit("correlation", item, n, reason)
            return None
    used = both & held.known
    columns = held.columns[used]
    columns = columns[:, np.ptp(columns, axis=0) > 0] if used.any() else columns[:, :0]
    adjusted = None
    enough = int(used.sum()) >= FEWEST_PAIRS + columns.shape[1]
    if (
        columns.shape[1]
        and enough
        and independent(np.column_stack([np.ones(len(columns)), columns]))
    ):
        adjusted = partial(x[used], y[used], columns)
    return ScoreCorrelation(
        score=score,
        key=key,
        unit=data.units[key],
        x=x[both],
        y=y[both],
        missing=int(data.patient.sum()) - n,
        pearson=pearson(x[both], y[both]),
        spearman=spearman(x[both], y[both]),
        partial=adjusted,
        held=held.names if adjusted else (),
    )


def _with_q(rows: list[ScoreCorrelation]) -> list[ScoreCorrelation]:
    """Adds the adjusted p: each coefficient is a family over all pairs."""
    pearson_q = benjamini_hochberg(np.array([row.pearson.p for row in rows], dtype=float))
    spearman_q = benjamini_hochberg(np.array([row.spearman.p for row in rows], dtype=float))
    held = [row.partial.p if row.partial else math.nan for row in rows]
    partial_q = benjamini_hochberg(np.array(held, dtype=float))
    return [
        replace(row, pearson_q=float(a), spearman_q=float(b), partial_q=float(c))
        for row, a, b, c in zip(rows, pearson_q, spearman_q, partial_q, strict=True)
    ]
